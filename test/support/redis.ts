import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { once } from 'node:events'
import type { Test } from 'tap'
import { freePort } from './free-port.ts'
import { until } from './until.ts'

const executable = '/usr/bin/redis-server'

/** Why a test with Redis can't run here; `false` where it can, and on CI, where it must. */
export const noRedis =
  existsSync(executable) || process.env['CI'] === 'true' ? false : `${executable} is not installed`

/** A Redis server of this test alone, which keeps nothing. */
export interface RedisServer {
  readonly url: string
  /** Starts it again after {@link RedisServer.stop}, on the same port. */
  readonly start: () => Promise<void>
  readonly stop: () => Promise<void>
  /** Lets it hang: connections stay, and nobody answers. */
  readonly freeze: () => void
  readonly thaw: () => void
}

/** Starts a Redis server that asks for a password; it ends with the test. */
export async function startRedis(t: Test): Promise<RedisServer> {
  const port = await freePort()
  const password = 'secret-of-redis'
  const flags = ['--port', String(port), '--bind', '127.0.0.1', '--save', '', '--appendonly', 'no']
  let server: ReturnType<typeof spawn> | undefined

  const start = async (): Promise<void> => {
    let output = ''
    server = spawn(executable, [...flags, '--requirepass', password], {
      cwd: t.testdir(),
      stdio: ['ignore', 'pipe', 'ignore']
    })
    server.stdout?.on('data', (chunk: Buffer) => (output += chunk.toString()))
    await until(() => output.includes('Ready to accept connections'))
  }
  const stop = async (): Promise<void> => {
    if (server === undefined || server.exitCode !== null || server.signalCode !== null) return
    const ended = once(server, 'exit')
    server.kill('SIGKILL')
    await ended
  }
  t.teardown(stop)
  await start()
  return {
    url: `redis://:${password}@127.0.0.1:${port}`,
    start,
    stop,
    freeze: () => void server?.kill('SIGSTOP'),
    thaw: () => void server?.kill('SIGCONT')
  }
}

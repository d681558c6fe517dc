import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { createServer, type AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'

const main = fileURLToPath(new URL('../service/main.js', import.meta.url))

/**
 * Starts the service on a new SQLite file and waits until `/readyz` says yes: keys read, tables made.
 * @returns seconds from the start of the process; undefined if this build has no service
 */
export async function timeToReady(issuer: string, audience: string): Promise<number | undefined> {
  if (!existsSync(main)) return undefined
  const port = await freePort()
  const directory = await mkdtemp(join(tmpdir(), 'latchkey-bench-'))
  const started = performance.now()
  const service = spawn(process.execPath, [main], {
    stdio: ['ignore', 'ignore', 'inherit'],
    env: {
      PATH: process.env['PATH'],
      HOST: '127.0.0.1',
      PORT: String(port),
      DATA_DIR: directory,
      OIDC_ISSUER: issuer,
      OIDC_AUDIENCE: audience
    }
  })
  const ended = once(service, 'exit')
  try {
    while (!(await isReady(port))) {
      if (service.exitCode !== null) throw new Error('The service did not start')
      await wait(5)
    }
    return (performance.now() - started) / 1000
  } finally {
    service.kill()
    await ended
    await rm(directory, { recursive: true })
  }
}

async function isReady(port: number): Promise<boolean> {
  try {
    const { ok } = await fetch(`http://127.0.0.1:${port}/readyz`)
    return ok
  } catch {
    // it does not listen yet
    return false
  }
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  return port
}

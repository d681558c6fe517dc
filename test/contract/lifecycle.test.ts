import { execFileSync, spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { connect } from 'node:net'
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import t from 'tap'
import { freePort } from '../support/free-port.ts'
import { readAll } from '../support/raw-request.ts'
import { until } from '../support/until.ts'

// Each start costs a second of CPU, and CI machines are shared.
t.setTimeout(300_000)

const main = fileURLToPath(new URL('../../service/main.js', import.meta.url))

const settings = {
  PORT: '0',
  DATA_DIR: 'memory://',
  OIDC_ISSUER: 'http://127.0.0.1:9',
  OIDC_AUDIENCE: 'https://api.example.com'
}

type Teardown = { teardown(done: () => void): void }

/** Starts the service as a process of its own, and gathers what it prints. */
function start(t: Teardown, env: Record<string, string>, command = [process.execPath, main]) {
  const [program = '', ...parameters] = command
  const child = spawn(program, parameters, {
    env: { PATH: process.env['PATH'] ?? '', ...env },
    stdio: ['ignore', 'pipe', 'pipe']
  })
  const printed = { out: '', err: '' }
  child.stdout.on('data', (chunk) => (printed.out += chunk))
  child.stderr.on('data', (chunk) => (printed.err += chunk))
  t.teardown(() => child.kill('SIGKILL'))
  return { child, printed, ended: ended(child) }
}

async function ended(child: ChildProcess): Promise<number | null> {
  const [code] = await once(child, 'close')
  return code as number | null
}

/** Starts the service, and waits until it says where it listens. */
async function startListening(
  t: Teardown,
  env: Record<string, string> = settings,
  command?: string[]
) {
  const service = start(t, env, command)
  const failed = service.ended.then(() => Promise.reject(new Error(service.printed.err)))
  for (;;) {
    const [, port] = /listening at http:\/\/127\.0\.0\.1:(\d+)/.exec(service.printed.out) ?? []
    if (port !== undefined) return { ...service, port: Number(port) }
    await Promise.race([once(service.child.stdout, 'data'), failed])
  }
}

/** Begins a request whose body is still to come: it runs until the rest is written. */
async function beginSlowRequest(port: number) {
  const socket = connect(port, '127.0.0.1')
  const head = 'POST /nope HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n'
  socket.write(`${head}Content-Length: 2\r\nExpect: 100-continue\r\n\r\n{`)
  await once(socket, 'data')
  return socket
}

async function statusOf(port: number, path: string): Promise<number> {
  return (await fetch(`http://127.0.0.1:${port}${path}`)).status
}

t.test('it comes up without its issuer, and says that it is not ready', async (t) => {
  const { port, printed } = await startListening(t)
  t.equal(await statusOf(port, '/livez'), 200)
  t.equal(await statusOf(port, '/readyz'), 503)
  t.equal(await statusOf(port, '/whoami'), 401)
  t.equal(printed.err, '')
})

t.test('SIGTERM: no new connection, running requests are finished, exit 0', async (t) => {
  const { child, port, printed, ended } = await startListening(t)
  const socket = await beginSlowRequest(port)
  child.kill('SIGTERM')
  while (!printed.out.includes('"stopping"')) await once(child.stdout, 'data')
  await t.rejects(statusOf(port, '/livez'))

  socket.write('}')
  const answer = await readAll(socket)
  t.match(answer, /^HTTP\/1\.1 404 Not Found\r\n/)
  t.match(answer, /connection: close\r\n/i)
  t.equal(await ended, 0)
  t.equal(printed.err, '')
})

t.test('SIGTERM to npm start stops the service as well, and leaves nothing behind', async (t) => {
  // without the build before it, which would replace what these tests run on
  const command = ['npm', 'start', '--ignore-scripts']
  const { child, port, printed, ended } = await startListening(t, settings, command)
  child.kill('SIGTERM')
  await ended
  t.match(printed.out, /"stopping"/)
  await t.rejects(statusOf(port, '/livez'))
})

t.test(
  'SIGINT: a request that does not end delays the exit by 8 seconds, and no more',
  async (t) => {
    const { child, port, ended } = await startListening(t)
    const socket = await beginSlowRequest(port)
    socket.on('error', () => {})
    const begin = performance.now()
    child.kill('SIGINT')
    t.equal(await ended, 0)
    t.ok(performance.now() - begin < 10_000)
  }
)

t.test('a log that nobody reads holds neither requests nor SIGTERM', async (t) => {
  const { child, port } = await startListening(t)
  child.stdout.removeAllListeners('data').pause()
  const gone = once(child, 'exit')
  // 600 lines are more than a pipe and what reads it take
  const statuses = new Set<number>()
  for (let times = 0; times < 600; times++) statuses.add(await statusAt(port))
  t.same([...statuses], [401])
  child.kill('SIGTERM')
  t.same(await gone, [0, null])
})

/** Node with a fault of the service's own, at a signal that it does not know. */
const fault = `process.on('SIGUSR2', () => { throw new Error('planted') })`
const faulty = [process.execPath, '--import', `data:text/javascript,${fault}`, main]

const ends: [NodeJS.Signals, number, string][] = [
  ['SIGTERM', 0, '"msg":"stopping"'],
  ['SIGUSR2', 1, '"msg":"stopping after an error nobody caught"']
]

for (const [signal, code, lastWord] of ends)
  t.test(`${signal}: lines that wait for a slow reader are still written`, async (t) => {
    const { child, port, printed, ended } = await startListening(t, settings, faulty)
    child.stdout.pause()
    const requests = 400
    for (let times = 0; times < requests; times++) await statusAt(port)
    child.kill(signal)
    await sleep(50)
    child.stdout.resume()
    t.equal(await ended, code)
    t.equal([...printed.out.matchAll(/"msg":"request finished"/g)].length, requests)
    t.ok(printed.out.includes(lastWord))
  })

const noFullDevice = existsSync('/dev/full') ? false : 'this system has no /dev/full'

for (const [service, environment] of Object.entries({
  'the service': settings,
  'the development issuer, which prints a welcome': { DATA_DIR: 'memory://' }
}))
  t.test(
    `a full disk below the output holds neither requests nor SIGTERM: ${service}`,
    { skip: noFullDevice },
    async (t) => {
      const port = await freePort()
      const command = ['sh', '-c', `exec '${process.execPath}' '${main}' >/dev/full`]
      const { child, printed, ended } = start(t, { ...environment, PORT: String(port) }, command)
      await until(async () => (await statusAt(port).catch(() => 0)) === 401)
      t.equal(await statusAt(port), 401)
      child.kill('SIGTERM')
      t.equal(await ended, 0)
      t.equal(printed.err, '')
    }
  )

async function statusAt(port: number): Promise<number> {
  const response = await fetch(`http://127.0.0.1:${port}/whoami`)
  await response.arrayBuffer()
  return response.status
}

t.test('a second signal ends it at once', async (t) => {
  const { child, port, printed, ended } = await startListening(t)
  const socket = await beginSlowRequest(port)
  socket.on('error', () => {})
  const begin = performance.now()
  child.kill('SIGTERM')
  while (!printed.out.includes('"stopping"')) await once(child.stdout, 'data')
  child.kill('SIGTERM')
  t.equal(await ended, 1)
  t.ok(performance.now() - begin < 5000)
})

t.test('without an issuer it starts one, and what it prints leads to an answer', async (t) => {
  const { port, printed, child } = await startListening(t, {
    PORT: '0',
    DATA_DIR: temporaryDirectory(t)
  })
  while (!printed.out.includes('curl -i')) await once(child.stdout, 'data')
  const [, issuer = ''] = /npx latchkey token --issuer (\S+)\)/.exec(printed.out) ?? []
  const cli = fileURLToPath(new URL('../../service/cli.js', import.meta.url))
  const token = execFileSync(process.execPath, [cli, 'token', '--issuer', issuer], {
    encoding: 'utf8'
  })
  const urls = [...printed.out.matchAll(/\$TOKEN" (http\S+)/g)].map(([, url = '']) => url)
  t.ok(urls.includes(`http://127.0.0.1:${port}/whoami`))
  for (const url of urls) {
    const answer = await fetch(url, { headers: { authorization: `Bearer ${token.trim()}` } })
    t.equal(answer.status, 200, url)
  }
})

async function busyPort(t: Teardown): Promise<string> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => server.close())
  return String((server.address() as AddressInfo).port)
}

function temporaryDirectory(t: Teardown): string {
  const directory = mkdtempSync(join(tmpdir(), 'latchkey-'))
  t.teardown(() => rmSync(directory, { recursive: true, force: true }))
  return directory
}

function fileHolding(t: Teardown, text: string): string {
  const path = join(temporaryDirectory(t), 'latchkey.json')
  writeFileSync(path, text)
  return path
}

/** What stops a start: the setting that the line begins with, and the environment. */
const refusals: [string, (t: Teardown) => Promise<Record<string, string>>][] = [
  ['PORT', async () => ({ ...settings, PORT: 'http' })],
  ['PORT', async (t) => ({ ...settings, PORT: await busyPort(t) })],
  ['HOST', async () => ({ ...settings, HOST: '192.0.2.1' })],
  ['OIDC_ISSUER', async () => ({ PORT: '0', NODE_ENV: 'production' })],
  [
    'DATABASE_URL',
    async () => ({ ...settings, DATABASE_URL: 'postgres://ada:secret@127.0.0.1:9/latchkey' })
  ],
  ['DATA_DIR', async () => ({ ...settings, DATA_DIR: '/dev/null/latchkey' })],
  ['DATA_DIR', async () => ({ PORT: '0', DATA_DIR: '/dev/null' })],
  ['LATCHKEY_CONFIG prot', async (t) => ({ LATCHKEY_CONFIG: fileHolding(t, '{"prot":1}') })]
]

for (const [setting, environment] of refusals)
  t.test(`a wrong ${setting} stops the start: one line, exit code 1`, async (t) => {
    const { printed, ended } = start(t, await environment(t))
    t.equal(await ended, 1)
    const [line = '', ...rest] = printed.err.split('\n')
    t.ok(line.startsWith(`latchkey: ${setting}: found `), printed.err)
    t.match(line, /, allowed: ./)
    t.same(rest, [''])
    t.equal(printed.out, '')
    t.notMatch(printed.err, /secret/)
  })

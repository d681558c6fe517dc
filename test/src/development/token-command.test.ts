import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'
import t from 'tap'
import { decodeJwt } from 'jose'
import { startDevelopmentIssuer } from '../../../src/development/issuer.ts'

const cli = fileURLToPath(new URL('../../../service/cli.js', import.meta.url))
const dataDir = t.testdir()
const scopes = ['documents:read', 'documents:write', 'documents:admin']
const adminScopes = ['documents:admin']
const running = await startDevelopmentIssuer({ audience: 'api', scopes, adminScopes, dataDir })
t.teardown(() => running.close())

async function latchkey(args: string[], environment: Record<string, string> = {}) {
  const env = { DATA_DIR: dataDir, ...environment }
  const child = spawn(process.execPath, [cli, ...args], { env })
  const closed = once(child, 'close')
  const [output, errors] = await Promise.all([text(child.stdout), text(child.stderr)])
  const [code] = (await closed) as [number]
  return { output, errors, code }
}

void t.test('prints a token, and nothing else', async (t) => {
  const all = 'openid profile email documents:read documents:write'
  for (const [args, claims] of [
    [[], { sub: 'ada', scope: all }],
    [['--user', 'grace'], { sub: 'grace', scope: all }],
    [['--scope', 'openid documents:read'], { sub: 'ada', scope: 'openid documents:read' }],
    [['--client'], { sub: 'latchkey-machine', scope: 'documents:read documents:write' }]
  ] as const) {
    const { output, errors, code } = await latchkey(['token', ...args])
    t.match(output, /^[\w-]+\.[\w-]+\.[\w-]+\n$/)
    t.match(decodeJwt(output.trim()), { ...claims, iss: running.issuer, aud: 'api' })
    t.same({ errors, code }, { errors: '', code: 0 })
  }
})

void t.test(
  'scopes of administrators are for ada and clients, when they are asked for',
  async (t) => {
    const scope = 'documents:admin'
    for (const args of [[], ['--client']] as const) {
      const { output } = await latchkey(['token', ...args, '--scope', scope])
      t.match(decodeJwt(output.trim()), { scope })
    }
    const { errors, code } = await latchkey(['token', '--user', 'grace', '--scope', scope])
    t.equal(code, 1)
    t.match(errors, `does not grant the scope ${scope} in this token`)
  }
)

void t.test('a token of a user says that they signed in just now', async (t) => {
  const { output } = await latchkey(['token'])
  const { iat = 0, auth_time } = decodeJwt(output.trim())
  t.ok(Math.abs(Number(auth_time) - iat) <= 1)
  const machine = await latchkey(['token', '--client'])
  t.notOk('auth_time' in decodeJwt(machine.output.trim()))
})

void t.test('finds the issuer by option, then by OIDC_ISSUER', async (t) => {
  const elsewhere = { DATA_DIR: t.testdir(), OIDC_ISSUER: 'http://127.0.0.1:1' }
  const byOption = await latchkey(['token', '--issuer', running.issuer], elsewhere)
  t.equal(byOption.code, 0)
  const byVariable = await latchkey(['token'], { ...elsewhere, OIDC_ISSUER: running.issuer })
  t.equal(byVariable.code, 0)
  const neither = await latchkey(['token'], elsewhere)
  t.match(neither.errors, 'No issuer answers at http://127.0.0.1:1: start it with npm start')
})

void t.test('refuses an issuer that is not for development', async (t) => {
  const metadata = { grant_types_supported: ['client_credentials'] }
  const other = createServer((_, response) => response.end(JSON.stringify(metadata)))
  await once(other.listen(0, '127.0.0.1'), 'listening')
  t.teardown(() => other.close())
  const port = String((other.address() as AddressInfo).port)
  for (const issuer of [`http://127.0.0.1:${port}`, 'https://id.example.com']) {
    const { errors } = await latchkey(['token', '--client', '--issuer', issuer])
    t.match(errors, `latchkey: ${issuer} is not a Latchkey development issuer`)
  }
})

void t.test('says in one line what is wrong', async (t) => {
  const faults: Readonly<Record<string, string[]>> = {
    'user must be ada or grace': ['token', '--user', 'mallory'],
    'does not grant the scope documents:reed': ['token', '--scope', 'openid documents:reed'],
    'does not grant the scope openid': ['token', '--client', '--scope', 'openid'],
    '--client and --user exclude each other': ['token', '--client', '--user', 'ada'],
    "Unknown option '--role'": ['token', '--role', 'admin'],
    'usage: latchkey token': ['token', 'ada'],
    'unknown command tokens (usage: latchkey serve | token': ['tokens'],
    'unknown command constructor': ['constructor'],
    'no command (usage:': [],
    'serve takes no options': ['serve', '--port', '1']
  }
  for (const [said, args] of Object.entries(faults)) {
    const { output, errors, code } = await latchkey(args)
    t.ok(errors.startsWith('latchkey: ') && errors.includes(said), errors)
    t.equal(errors.trimEnd().split('\n').length, 1)
    t.same({ output, code }, { output: '', code: 1 })
  }
})

void t.test('a client token needs the secret that the issuer keeps', async (t) => {
  const { errors, code } = await latchkey(['token', '--client'], { DATA_DIR: t.testdir() })
  t.match(errors, /^latchkey: no client secret in .*DATA_DIR/)
  t.equal(code, 1)
})

void t.test('a data directory that can not be read is named', async (t) => {
  const { errors, code } = await latchkey(['token'], { DATA_DIR: '/dev/null' })
  t.match(errors, /^latchkey: DATA_DIR: found "\/dev\/null", .* allowed: .*\n$/)
  t.equal(code, 1)
})

void t.test('tells its usage and version', async (t) => {
  const requests = ['--help', '-h', 'help', 'serve --help', 'serve -h', 'token --help', 'token -h']
  for (const request of requests) {
    const { output, errors, code } = await latchkey(request.split(' '))
    t.match(output, /^Usage: .*serve.*token.*--user/s, request)
    t.same({ errors, code }, { errors: '', code: 0 }, request)
  }
  t.match((await latchkey(['--version'])).output, /^\d+\.\d+\.\d+\n$/)
})

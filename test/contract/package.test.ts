import { spawnSync } from 'node:child_process'
import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  symlinkSync,
  writeFileSync
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import t from 'tap'

const consumer = `
import Fastify from 'fastify'
import latchkey, { type Principal } from 'latchkey'
import { startTestIssuer } from 'latchkey/testing'

const listFor = (principal: Principal): readonly string[] => [principal.issuer, principal.subject]

const issuer = await startTestIssuer()
const app = Fastify()
await app.register(latchkey, { issuer: 'https://id.example.com', audience: 'https://api.example.com' })
await app.register(latchkey, issuer.options)
app.get('/reports', { config: { auth: { scopes: ['reports:read'] } } }, async (request) => listFor(request.principal))
app.get('/ping', { config: { auth: false } }, async () => 'pong')
app.get('/either', { config: { auth: { anyScope: ['a', 'b'] } } }, async () => app.latchkey.isReady())
app.get('/vault', { config: { auth: { acr: ['gold'], maxAge: 300, allow: ({ roles }) => roles.length > 1 } } }, async () => 'x')
app.get('/invoices', async (request) => (await request.exchangeToken({ audience: 'billing', scopes: ['read'] })).token)
app.get('/bound', { config: { auth: { senderConstrained: true } } }, async ({ principal }) => principal.confirmation)
app.get('/about', async (request) => (await app.latchkey.readUserInfo(request)).sub)
// @ts-expect-error a predicate answers at once
app.get('/late', { config: { auth: { allow: async () => true } } }, async () => 'x')

// @ts-expect-error an issuer without an audience is not accepted
await app.register(latchkey, { issuer: 'https://id.example.com' })
app.get('/frozen', async (request) => {
  // @ts-expect-error the principal is read-only
  request.principal.subject = 'mallory'
})
`

const options = {
  compilerOptions: {
    target: 'ES2023',
    module: 'NodeNext',
    strict: true,
    exactOptionalPropertyTypes: true,
    noEmit: true,
    types: ['node']
  },
  files: ['consumer.ts']
}

t.test('the packed package compiles in a strict project without skipLibCheck', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'latchkey-consumer-'))
  t.teardown(() => rmSync(folder, { recursive: true, force: true }))
  installPackage(folder)
  writeFileSync(join(folder, 'package.json'), JSON.stringify({ type: 'module' }))
  writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify(options))
  writeFileSync(join(folder, 'consumer.ts'), consumer)

  const { stdout, stderr, status } = run(process.execPath, [
    resolve('node_modules/typescript/bin/tsc'),
    '-p',
    folder
  ])
  t.equal(stdout + stderr, '')
  t.equal(status, 0)
})

t.test('the package holds what it needs and no tests', async (t) => {
  const { stdout } = run('npm', ['pack', '--dry-run', '--json', '--ignore-scripts'])
  const [{ files }] = JSON.parse(stdout) as [{ files: { path: string }[] }]
  const paths = files.map(({ path }) => path)
  t.ok(paths.includes('dist/src/index.js'))
  t.ok(paths.includes('dist/src/index.d.ts'))
  t.ok(paths.includes('bin/latchkey.mjs'))
  t.ok(paths.includes('dist/service/cli.js'))
  t.ok(paths.includes('openapi.yaml'))
  t.notOk(paths.some((path) => /^(?:dist\/)?(?:test|bench|examples)\//.test(path)))
})

t.test('the command of a clone that is not built yet says what to do', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'latchkey-clone-'))
  t.teardown(() => rmSync(folder, { recursive: true, force: true }))
  cpSync('bin', join(folder, 'bin'), { recursive: true })
  const { stderr, status } = run(join(folder, 'bin', 'latchkey.mjs'), ['token'])
  t.equal(stderr, 'latchkey: not built yet: run npm start, or npm run build, first\n')
  t.equal(status, 1)
})

t.test('the command of a built tree runs', async (t) => {
  const { stdout, status } = run('bin/latchkey.mjs', ['--help'])
  t.match(stdout, /^Usage: latchkey <command>/)
  t.equal(status, 0)
})

/** Unpacks the package beside links to its dependencies, as an installation would lay them. */
function installPackage(folder: string): void {
  const modules = join(folder, 'node_modules')
  mkdirSync(join(modules, 'latchkey'), { recursive: true })
  for (const name of readdirSync('node_modules')) {
    if (!name.startsWith('.')) symlinkSync(resolve('node_modules', name), join(modules, name))
  }
  const { stdout } = run('npm', [
    'pack',
    '--json',
    '--ignore-scripts',
    `--pack-destination=${folder}`
  ])
  const [{ filename }] = JSON.parse(stdout) as [{ filename: string }]
  run('tar', [
    '-xzf',
    join(folder, filename),
    '-C',
    join(modules, 'latchkey'),
    '--strip-components=1'
  ])
}

function run(
  command: string,
  parameters: string[]
): { stdout: string; stderr: string; status: number | null } {
  // the test runner loads itself into every Node process that it starts, which the compiler does not survive
  return spawnSync('env', ['-u', 'NODE_OPTIONS', command, ...parameters], { encoding: 'utf8' })
}

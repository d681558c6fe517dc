import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { open } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import t from 'tap'
import type { Test } from 'tap'
import { startTestIssuer } from '../../src/testing.ts'
import { startFleet } from '../support/fleet.ts'
import { until } from '../support/until.ts'

// Each start costs a second of CPU, and CI machines are shared.
t.setTimeout(120_000)

const main = fileURLToPath(new URL('../../src/main.js', import.meta.url))

/**
 * Starts the service with a file of settings that can be written again.
 * @param whileReading what happens while the service reads the file
 */
async function startService(
  t: Test,
  settings?: object,
  whileReading?: (child: ChildProcess) => void
) {
  const folder = mkdtempSync(join(tmpdir(), 'latchkey-'))
  const path = join(folder, 'latchkey.json')
  const write = (content: object | string) =>
    writeFileSync(path, typeof content === 'string' ? content : JSON.stringify(content))
  if (whileReading !== undefined) execFileSync('mkfifo', [path])
  else if (settings !== undefined) write(settings)
  const env = { PORT: '0', DATA_DIR: settings === undefined ? folder : 'memory://' }
  const child = spawn(process.execPath, [main], {
    env: { ...env, ...(settings !== undefined && { LATCHKEY_CONFIG: path }) },
    stdio: ['ignore', 'pipe', 'pipe']
  })
  const ended = once(child, 'close')
  t.teardown(async () => {
    child.kill('SIGKILL')
    await ended
    rmSync(folder, { recursive: true, force: true })
  })
  if (whileReading !== undefined) {
    // opened as soon as the service opens it too
    const pipe = await open(path, 'w')
    whileReading(child)
    rmSync(path)
    write(settings ?? {})
    await pipe.writeFile(JSON.stringify(settings))
    await pipe.close()
  }
  const log: Record<string, unknown>[] = []
  let out = ''
  child.stdout.on('data', (chunk) => {
    const lines = (out += chunk).split('\n')
    out = lines.pop() ?? ''
    for (const line of lines) if (line.startsWith('{')) log.push(JSON.parse(line))
  })
  const logged = (msg: string | RegExp) => log.filter((line) => String(line['msg']).match(msg))
  const listening = /^Server listening at (.*)$/
  await until(() => logged(listening).length > 0, 60_000)
  const [, origin = ''] = listening.exec(String(logged(listening)[0]?.['msg'])) ?? []
  const statusOf = async (token: string) =>
    (await fetch(`${origin}/whoami`, { headers: { authorization: `Bearer ${token}` } })).status
  /** Sends the signal, and waits for the line that says what came of it. */
  const hangUp = async (line: string) => {
    const before = logged(line).length
    child.kill('SIGHUP')
    await until(() => logged(line).length > before)
    return logged(line).at(-1)
  }
  return { child, write, hangUp, logged, statusOf, origin }
}

t.test('SIGHUP: issuers come and go without a restart, the log level too', async (t) => {
  const fleet = await startFleet(t)
  const [a, b] = [fleet.optionsOf('a'), fleet.optionsOf('b')]
  const { write, hangUp, statusOf, origin, logged } = await startService(t, { issuers: [a] })
  const [ofA, ofB] = [await fleet.mint('a'), await fleet.mint('b')]
  for (let round = 0; round < 3; round++) t.equal(await statusOf(ofA), 200)
  t.equal(await statusOf(ofB), 401)

  write({ issuers: [b], logLevel: 'debug', corsOrigins: ['https://app.example.com'], port: 1 })
  t.match(await hangUp('settings read again'), { added: [b.issuer], removed: [a.issuer] })
  t.strictSame([await statusOf(ofA), await statusOf(ofB)], [401, 200])
  t.match(logged('changed settings wait for a restart'), [{ settings: ['corsOrigins'] }])
  const metadata = await fetch(`${origin}/.well-known/oauth-protected-resource`)
  t.match(await metadata.json(), { authorization_servers: [b.issuer] })
})

t.test('SIGHUP: bindings and logouts are switched on without a restart', async (t) => {
  const fleet = await startFleet(t)
  const [a, b] = [fleet.optionsOf('a'), fleet.optionsOf('b')]
  const { write, hangUp, statusOf, origin } = await startService(t, { issuers: [a] })
  const token = await fleet.mint('b', { cnf: { 'x5t#S256': 'a'.repeat(43) } })
  t.equal(await statusOf(token), 401)
  const logOut = async () => {
    const body = new URLSearchParams({ logout_token: 'none' })
    return (await fetch(`${origin}/backchannel-logout`, { method: 'POST', body })).status
  }
  t.equal(await logOut(), 404)

  const bound = { ...b, dpop: 'optional', mtls: 'optional', backchannelLogout: { clientId: 'x' } }
  write({ issuers: [a, bound] })
  t.match(await hangUp('settings not taken, the old ones stay'), { fault: /^clientCertFrom: / })
  write({ issuers: [a, bound], clientCertFrom: ['127.0.0.1'], dpopProofs: {} })
  await hangUp('settings read again')
  const metadata = await fetch(`${origin}/.well-known/oauth-protected-resource`)
  t.match(await metadata.json(), {
    dpop_signing_alg_values_supported: /ES256/,
    tls_client_certificate_bound_access_tokens: true
  })
  const challenges = (await fetch(`${origin}/whoami`)).headers.get('www-authenticate')
  t.match(challenges, /^Bearer .*, DPoP /)
  t.equal(await logOut(), 400, 'it is there, and says what is wrong with what was sent')
  t.equal(await statusOf(token), 401)
  t.equal(await statusOf(await fleet.mint('a')), 200)
})

t.test('SIGHUP: a changed file of static keys ends the tokens of the old ones', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'latchkey-'))
  t.teardown(() => rmSync(folder, { recursive: true }))
  const [before, after] = [
    await startTestIssuer({ algorithms: ['ES256'] }),
    await startTestIssuer({ algorithms: ['ES256'] })
  ]
  for (const issuer of [before, after]) t.teardown(() => issuer.close())
  // nobody listens there
  const iss = 'http://127.0.0.1:9'
  const [ofBefore, ofAfter] = [await before.mint({ iss }), await after.mint({ iss })]
  const jwksFile = join(folder, 'jwks.json')
  writeFileSync(jwksFile, JSON.stringify(before.jwks))
  const { audience } = before
  const { hangUp, statusOf } = await startService(t, {
    issuers: [{ issuer: iss, audience, jwksFile }]
  })
  for (let round = 0; round < 3; round++) t.equal(await statusOf(ofBefore), 200)
  t.equal(await statusOf(ofAfter), 401)

  writeFileSync(jwksFile, JSON.stringify(after.jwks))
  t.match(await hangUp('settings read again'), { changed: [iss] })
  t.strictSame([await statusOf(ofBefore), await statusOf(ofAfter)], [401, 200])
  writeFileSync(jwksFile, '{')
  t.match(await hangUp('settings not taken, the old ones stay'), {
    level: 50,
    fault: /^jwksFile of http:\/\/127.0.0.1:9: found a file that is not JSON/
  })
  t.equal(await statusOf(ofAfter), 200)
})

t.test('SIGHUP: settings with a fault change nothing, and one line says why', async (t) => {
  const fleet = await startFleet(t)
  const a = fleet.optionsOf('a')
  const { write, hangUp, statusOf } = await startService(t, { issuers: [a] })
  const token = await fleet.mint('a')
  t.equal(await statusOf(token), 200)
  for (const [content, fault] of [
    ['{', /^LATCHKEY_CONFIG: found .*, allowed: a JSON object$/],
    [{ issuers: [{ issuer: 'https://b.example' }] }, /^LATCHKEY_CONFIG issuers\[0\]\.audience/],
    [
      { issuers: [a, { issuer: 'https://b.example/{tenantid}', audience: 'b' }] },
      /^issuers\[1\] \(https:\/\/b\.example\/\{tenantid\}\): tenants: found nothing/
    ]
  ] as const) {
    write(content)
    const line = await hangUp('settings not taken, the old ones stay')
    t.match(line, { level: 50, fault })
    t.equal(await statusOf(token), 200)
  }
})

t.test('SIGHUP: one that comes during the start is heeded once the service runs', async (t) => {
  const fleet = await startFleet(t)
  const { logged, statusOf } = await startService(t, { issuers: [fleet.optionsOf('a')] }, (child) =>
    child.kill('SIGHUP')
  )
  await until(() => logged('settings read again').length > 0)
  t.equal(logged('settings read again').length, 1)
  t.equal(await statusOf(await fleet.mint('a')), 200)
})

t.test('SIGHUP does no harm where the development issuer runs', async (t) => {
  const { hangUp, origin, child } = await startService(t)
  const issuers = async () => {
    const answer = await fetch(`${origin}/.well-known/oauth-protected-resource`)
    return answer.json()
  }
  const before = await issuers()
  await hangUp('settings read again')
  t.strictSame(await issuers(), before)
  t.equal(child.exitCode, null)
})

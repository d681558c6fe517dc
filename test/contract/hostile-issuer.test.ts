import t from 'tap'
import type { Test } from 'tap'
import type { LatchkeyOptions } from '../../plugins/latchkey.ts'
import { startTestIssuer } from '../../src/testing.ts'
import { type Answer, type Api, startApi } from '../support/api.ts'
import { createEarlyStart } from '../support/early-start.ts'
import * as hostile from '../support/hostile-issuer.ts'
import type { Behaviour } from '../support/hostile-issuer.ts'
import { until } from '../support/until.ts'

const crashes: unknown[] = []
process.on('unhandledRejection', (cause) => crashes.push(cause))
process.on('uncaughtException', (cause) => crashes.push(cause))

const early = createEarlyStart(8)
const discoveryPath = '/.well-known/openid-configuration'

/** A sound issuer behind endpoints that can be made to misbehave, and an API that trusts it once it is started. */
async function startScene() {
  const sound = await startTestIssuer({ algorithms: ['ES256'] })
  t.teardown(() => sound.close())
  const issuer = await hostile.startHostileIssuer()
  t.teardown(() => issuer.close())
  issuer.impersonate(sound)
  return {
    issuer,
    sound,
    mint: (kid?: string) =>
      sound.mint({ iss: issuer.issuer }, kid === undefined ? {} : { header: { kid } }),
    start: (options?: Partial<LatchkeyOptions>): Promise<Api> =>
      startApi(t, { issuer: issuer.issuer, audience: sound.audience, ...options })
  }
}

function isUnavailable(t: Test, { status, headers, json, challenges }: Answer): void {
  t.equal(status, 503)
  t.match(json, { type: 'urn:latchkey:problem:issuer-unavailable' })
  t.match(headers.get('retry-after'), /^[1-9]\d?$/)
  t.equal(headers.get('cache-control'), 'no-store')
  t.strictSame(challenges, [])
}

const failures: Readonly<Record<string, Behaviour>> = {
  'GJ-1: hangs': hostile.hang,
  'GJ-2: drips': hostile.drip,
  'GJ-12, META-10: sends 60 MB': hostile.huge(),
  'GJ-12, META-10: redirects': hostile.redirect('http://127.0.0.1:1/'),
  'GJ-15: answers 502 with HTML': (_request, response) => {
    response.writeHead(502, { 'Content-Type': 'text/html' }).end('<h1>Bad Gateway</h1>')
  },
  'META-4: answers 200 with HTML': hostile.html,
  'META-4: answers JSON cut short': hostile.badJson,
  'META-4: answers an array': hostile.json([]),
  'META-4: answers null': hostile.json(null),
  'META-4: answers 404': hostile.status(404),
  'META-4: answers 200 without content': hostile.status(200),
  'META-4: answers 204': hostile.status(204),
  'META-4: answers 401': hostile.status(401),
  'GJ-15: cuts the connection': hostile.reset
}

/** What becomes of an API whose issuer fails from the start, and is well again later. */
async function startWith(path: string, behaviour: Behaviour) {
  const { issuer, sound, mint, start } = await startScene()
  issuer.on(path, behaviour)
  const before = performance.now()
  const api = await start()
  const startedWithin = performance.now() - before
  const { latchkey } = api.app
  const readiness = [latchkey.isReady()]
  const answers = await Promise.all([api.ask(await mint()), api.ask(await mint())])
  readiness.push(latchkey.isReady())
  issuer.impersonate(sound)
  const token = await mint()
  await until(async () => (await api.ask(token)).status === 200, 15_000)
  readiness.push(latchkey.isReady())
  await api.app.close()
  await until(async () => (await issuer.openSockets()) === 0, 3000)
  return { startedWithin, readiness, answers }
}

/** What becomes of an API whose issuer fails after a good start. */
async function failLater(behaviour: Behaviour) {
  const { issuer, mint, start } = await startScene()
  const api = await start()
  const known = [await api.ask(await mint())]
  issuer.on('/jwks', behaviour)
  const unknown = [api.ask(await mint('new')), api.ask(await mint('newer'))]
  known.push(await api.ask(await mint()))
  const answers = await Promise.all(unknown)
  known.push(await api.ask(await mint()))
  const isReady = api.app.latchkey.isReady()
  await api.app.close()
  return { known, answers, isReady }
}

for (const [path, what] of [
  [discoveryPath, 'discovery document'],
  ['/jwks', 'key set']
] as const) {
  for (const [name, behaviour] of Object.entries(failures)) {
    const outcome = early(() => startWith(path, behaviour))
    void t.test(
      `OWASP-10: an issuer whose ${what} endpoint ${name}: start, 503, heal, no socket left`,
      async (t) => {
        const { startedWithin, readiness, answers } = await outcome()
        t.ok(startedWithin < 3000, 'the start does not wait for the issuer')
        t.strictSame(readiness, [false, false, true], 'META-13')
        for (const answer of answers) isUnavailable(t, answer)
      }
    )
  }
}

for (const [name, behaviour] of Object.entries(failures)) {
  const outcome = early(() => failLater(behaviour))
  void t.test(`META-9, GJ-8: an issuer that later ${name}: known keys go on`, async (t) => {
    const { known, answers, isReady } = await outcome()
    t.strictSame(
      known.map(({ status }) => status),
      [200, 200, 200]
    )
    for (const answer of answers) isUnavailable(t, answer)
    t.ok(isReady)
  })
}

for (const [name, change] of Object.entries<(issuer: string) => object>({
  'META-3, GJ-9, GJ-11: names itself with a slash more': (issuer) => ({ issuer: `${issuer}/` }),
  'META-3, GJ-9: names itself in another case': (issuer) => ({
    issuer: issuer.replace('http', 'HTTP')
  }),
  'META-3, GJ-9: names itself without its port': (issuer) => ({
    issuer: issuer.replace(/:\d+$/, '')
  }),
  'META-3, GJ-9: names itself by another name': (issuer) => ({
    issuer: issuer.replace('127.0.0.1', 'localhost')
  }),
  'META-3, GJ-9: is another': () => ({ issuer: 'https://id.example.com' }),
  'META-3: has no name': () => ({ issuer: undefined }),
  'META-5, GJ-9: keeps its keys on another host, in the clear': () => ({
    jwks_uri: 'http://id.example.com/jwks'
  }),
  'BCP-9: keeps its keys in a file': () => ({ jwks_uri: 'file:///etc/passwd' }),
  'META-4: keeps its keys at 5': () => ({ jwks_uri: 5 }),
  'META-4: keeps its keys nowhere': () => ({ jwks_uri: undefined }),
  'META-5: has UserInfo in the clear': () => ({
    userinfo_endpoint: 'http://id.example.com/userinfo'
  })
})) {
  void t.test(`an issuer that ${name} is not trusted, and its keys not fetched`, async (t) => {
    const { issuer, sound, mint, start } = await startScene()
    const document = JSON.stringify(sound.discovery).replaceAll(sound.issuer, issuer.issuer)
    issuer.on(discoveryPath, hostile.json({ ...JSON.parse(document), ...change(issuer.issuer) }))
    const { ask, app, logged } = await start()
    for (const answer of [await ask(await mint()), await ask(await mint())])
      isUnavailable(t, answer)
    t.notOk(app.latchkey.isReady())
    t.equal(issuer.requests('/jwks').length, 0)
    t.ok(logged('trouble with the issuer').length > 0)
    await app.close()
  })
}

void t.test('OWASP-7, GJ-12: a redirect leads nowhere, however inviting', async (t) => {
  const { issuer, sound, mint, start } = await startScene()
  issuer.on(discoveryPath, hostile.redirect(`${sound.issuer}${discoveryPath}`))
  isUnavailable(t, await (await start()).ask(await mint()))
  issuer.impersonate(sound)
  issuer.on('/jwks', hostile.redirect(`${sound.issuer}/jwks`))
  isUnavailable(t, await (await start()).ask(await mint()))
  t.equal(sound.requests(), 0)
})

void t.test('META-9: Retry-After says when the issuer is asked again', async (t) => {
  const { issuer, mint, start } = await startScene()
  issuer.on('/jwks', hostile.status(500))
  const { ask } = await start()
  const token = await mint()
  // after the first attempts, that is more than a second later
  await until(async () => Number((await ask(token)).headers.get('retry-after')) > 1)
  isUnavailable(t, await ask(token))
})

const waiting = early(async () => {
  const { issuer, mint, start } = await startScene()
  for (const path of [discoveryPath, '/jwks']) issuer.on(path, hostile.hang)
  const { ask } = await start()
  const before = performance.now()
  const answers = await Promise.all([ask(await mint()), ask(await mint('new'))])
  return { answers, waited: performance.now() - before }
})

void t.test(
  'a request that waits for an issuer that hangs is answered within ten seconds',
  async (t) => {
    const { answers, waited } = await waiting()
    for (const answer of answers) isUnavailable(t, answer)
    t.ok(waited < 10_000, `${waited} ms`)
  }
)

void t.test(
  'closing in the middle of a hang leaves no socket behind, and asks no more',
  async (t) => {
    const { issuer, start } = await startScene()
    issuer.on('/jwks', hostile.hang)
    const { app, logged } = await start()
    await until(() => issuer.requests('/jwks').length === 1)
    const before = performance.now()
    await app.close()
    t.ok(performance.now() - before < 1000)
    await until(async () => (await issuer.openSockets()) === 0, 3000)
    const requests = issuer.requests().length
    await new Promise((resolve) => {
      setTimeout(resolve, 1500)
    })
    t.equal(issuer.requests().length, requests)
    t.strictSame(logged('trouble with the issuer'), [], 'to be closed is no trouble')
  }
)

void t.test('GJ-15: nothing of all this escaped as an unhandled error', async (t) => {
  t.strictSame(crashes, [])
})

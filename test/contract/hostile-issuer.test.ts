import t from 'tap'
import type { Test } from 'tap'
import type { LatchkeyOptions } from '../../plugins/latchkey.ts'
import type { KeySetSnapshot, KeySetStore } from '../../src/issuer/key-set.ts'
import { startTestIssuer } from '../../src/testing.ts'
import { type Api, startApi } from '../support/api.ts'
import * as hostile from '../support/hostile-issuer.ts'
import type { Behaviour } from '../support/hostile-issuer.ts'
import { until } from '../support/until.ts'

// most of these tests wait for a time limit: they wait together
t.jobs = 8
const aside = { buffered: true }

const crashes: unknown[] = []
process.on('unhandledRejection', (cause) => crashes.push(cause))
process.on('uncaughtException', (cause) => crashes.push(cause))
t.teardown(() => {
  if (crashes.length > 0) throw new AggregateError(crashes, 'something escaped')
})

const discoveryPath = '/.well-known/openid-configuration'

/** A sound issuer behind endpoints that can be made to misbehave, and an API that trusts it once it is started. */
async function startScene(t: Test) {
  const sound = await startTestIssuer({ algorithms: ['ES256'] })
  t.teardown(() => sound.close())
  const issuer = await hostile.startHostileIssuer()
  t.teardown(() => issuer.close())
  issuer.impersonate(sound)
  return {
    issuer,
    sound,
    mint: (header?: object) =>
      sound.mint({ iss: issuer.issuer }, header ? { header: { ...header } } : {}),
    start: (options?: Partial<LatchkeyOptions>): Promise<Api> =>
      startApi(t, { issuer: issuer.issuer, audience: sound.audience, ...options })
  }
}

/** Tokens sent at once, all answered 503. */
async function isUnavailable(t: Test, { ask }: Api, tokens: readonly string[]): Promise<void> {
  const answers = await Promise.all(tokens.map((token) => ask(token)))
  for (const answer of answers) {
    t.equal(answer.status, 503)
    t.match(answer.json, { type: 'urn:latchkey:problem:issuer-unavailable' })
    t.match(answer.headers.get('retry-after'), /^[1-9]\d?$/)
    t.equal(answer.headers.get('www-authenticate'), null)
    t.equal(answer.headers.get('cache-control'), 'no-store')
  }
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
  'answers 200 without content': hostile.status(200),
  'answers 204': hostile.status(204),
  'answers 401': hostile.status(401),
  'GJ-15: cuts the connection': hostile.reset
}

void t.test(
  'a request that waits for an issuer that hangs is answered within ten seconds',
  async (t) => {
    const { issuer, mint, start } = await startScene(t)
    for (const path of [discoveryPath, '/jwks']) issuer.on(path, hostile.hang)
    const api = await start()
    const before = performance.now()
    await isUnavailable(t, api, [await mint(), await mint({ kid: 'new' })])
    t.ok(performance.now() - before < 10_000)
  }
)

for (const [path, what] of [
  [discoveryPath, 'discovery document'],
  ['/jwks', 'key set']
] as const) {
  for (const [name, behaviour] of Object.entries(failures)) {
    void t.test(`an issuer whose ${what} ${name}: start, 503, heal`, aside, async (t) => {
      const { issuer, sound, mint, start } = await startScene(t)
      issuer.on(path, behaviour)
      const before = performance.now()
      const api = await start()
      t.ok(performance.now() - before < 2000, 'the start does not wait for the issuer')
      t.notOk(api.app.latchkey.isReady(), 'META-13')
      await isUnavailable(t, api, [await mint(), await mint()])
      t.notOk(api.app.latchkey.isReady())

      issuer.impersonate(sound)
      const token = await mint()
      await until(async () => (await api.ask(token)).status === 200, 15_000)
      t.ok(api.app.latchkey.isReady())
      await api.app.close()
      await until(async () => (await issuer.openSockets()) === 0, 3000)
    })
  }
}

for (const [name, behaviour] of Object.entries(failures)) {
  void t.test(`META-9, GJ-8: an issuer that ${name} later: known keys go on`, aside, async (t) => {
    const { issuer, sound, mint, start } = await startScene(t)
    const api = await start()
    t.equal((await api.ask(await mint())).status, 200)
    issuer.on('/jwks', behaviour)
    const unavailable = isUnavailable(t, api, [
      await mint({ kid: 'new' }),
      await mint({ kid: 'newer' })
    ])
    t.equal((await api.ask(await mint())).status, 200)
    await unavailable
    t.equal((await api.ask(await mint())).status, 200)
    t.ok(api.app.latchkey.isReady())

    issuer.impersonate(sound)
    const stranger = await mint({ kid: 'new' })
    await until(async () => (await api.ask(stranger)).status === 401, 15_000)
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
  void t.test(
    `an issuer that ${name} is not trusted, and its keys not fetched`,
    aside,
    async (t) => {
      const { issuer, sound, mint, start } = await startScene(t)
      const document = JSON.stringify(sound.discovery).replaceAll(sound.issuer, issuer.issuer)
      issuer.on(discoveryPath, hostile.json({ ...JSON.parse(document), ...change(issuer.issuer) }))
      const api = await start()
      await isUnavailable(t, api, [await mint(), await mint()])
      t.notOk(api.app.latchkey.isReady())
      t.equal(issuer.requests('/jwks').length, 0)
      t.ok(api.logged('trouble with the issuer').length > 0)
    }
  )
}

void t.test('GJ-12: a redirect leads nowhere, however inviting', aside, async (t) => {
  const { issuer, sound, mint, start } = await startScene(t)
  issuer.on(discoveryPath, hostile.redirect(`${sound.issuer}${discoveryPath}`))
  await isUnavailable(t, await start(), [await mint()])
  issuer.impersonate(sound)
  issuer.on('/jwks', hostile.redirect(`${sound.issuer}/jwks`))
  await isUnavailable(t, await start(), [await mint()])
  t.equal(sound.requests(), 0)
})

void t.test(
  'leaves no timer and no socket behind when it closes in the middle of a hang',
  aside,
  async (t) => {
    const { issuer, start } = await startScene(t)
    issuer.on('/jwks', hostile.hang)
    const { app, logged } = await start()
    await until(() => issuer.requests('/jwks').length === 1)
    const before = performance.now()
    await app.close()
    t.ok(performance.now() - before < 1000)
    await until(async () => (await issuer.openSockets()) === 0, 3000)
    const requests = issuer.requests().length
    await new Promise((resolve) => setTimeout(resolve, 2000))
    t.equal(issuer.requests().length, requests, 'and asks no more')
    t.strictSame(logged('trouble with the issuer'), [], 'to be closed is no trouble')
  }
)

function memoryStore() {
  const kept = new Map<string, KeySetSnapshot>()
  const store: KeySetStore = {
    load: async (issuer) => kept.get(issuer),
    save: async (issuer, snapshot) => void kept.set(issuer, JSON.parse(JSON.stringify(snapshot)))
  }
  return { kept, store }
}

void t.test('META-9: a restart during an outage works with the kept key set', aside, async (t) => {
  const { issuer, mint, start } = await startScene(t)
  const { kept, store } = memoryStore()
  const first = await start({ keySetStore: store })
  t.equal((await first.ask(await mint())).status, 200)
  await until(() => kept.size === 1)
  await first.app.close()

  for (const path of [discoveryPath, '/jwks']) issuer.on(path, hostile.reset)
  const second = await start({ keySetStore: store })
  t.ok(second.app.latchkey.isReady())
  t.equal((await second.ask(await mint())).status, 200)
  await isUnavailable(t, second, [await mint({ kid: 'new' }), await mint({ kid: 'newer' })])
})

for (const [name, spoil] of Object.entries<(good: KeySetSnapshot) => unknown>({
  text: () => 'x',
  'of another issuer': (good) => ({ ...good, metadata: { issuer: 'https://id.example.com' } }),
  'without keys': (good) => ({ ...good, jwks: [] }),
  'of old': (good) => ({ ...good, fetchedAt: good.fetchedAt - 86_400_000 })
})) {
  void t.test(`a kept key set that is ${name} is ignored: 503, then heal`, aside, async (t) => {
    const { issuer, sound, mint, start } = await startScene(t)
    const { kept, store } = memoryStore()
    const first = await start({ keySetStore: store })
    await until(() => kept.size === 1)
    await first.app.close()
    const [good] = kept.values()
    if (good !== undefined) kept.set(issuer.issuer, spoil(good) as KeySetSnapshot)

    issuer.on(discoveryPath, hostile.reset)
    const second = await start({ keySetStore: store })
    t.notOk(second.app.latchkey.isReady())
    await isUnavailable(t, second, [await mint(), await mint()])
    issuer.impersonate(sound)
    const token = await mint()
    await until(async () => (await second.ask(token)).status === 200)
  })
}

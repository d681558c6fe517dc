import t from 'tap'
import * as hostile from '../support/hostile-issuer.ts'
import type { Behaviour } from '../support/hostile-issuer.ts'
import { ada, holdsNothing, startScene } from '../support/userinfo-scene.ts'

void t.test(
  'UI-1, UI-10: the claims come as the issuer sent them, and are not to be stored',
  async (t) => {
    const claims = {
      ...ada,
      address: { country: 'GB' },
      groups: ['a', 'b'],
      age: 36.5,
      nothing: null
    }
    const { api, mint } = await startScene(t, hostile.json(claims))
    const { status, headers, json } = await api.ask(await mint(), '/me')
    t.equal(status, 200)
    t.strictSame(json, claims)
    t.match(headers.get('content-type'), /^application\/json(;|$)/)
    t.equal(headers.get('cache-control'), 'no-store')
  }
)

void t.test('UI-1: without the scope openid nobody is asked', async (t) => {
  const { api, mint, calls } = await startScene(t)
  for (const scope of ['x', '', 'OPENID', 'openid2', undefined]) {
    const { status, challenges } = await api.ask(await mint({ scope }), '/me')
    t.equal(status, 403)
    t.match(challenges, [
      { scheme: 'Bearer', params: { error: 'insufficient_scope', scope: 'openid' } }
    ])
  }
  t.equal((await api.ask('garbage', '/me')).status, 401)
  t.equal(calls().length, 0)
})

void t.test('UI-2: the issuer sees GET and the token, and nothing of the caller', async (t) => {
  const { api, mint, calls } = await startScene(t)
  const token = await mint()
  const headers = {
    cookie: 'session=secret',
    'user-agent': 'caller/1.0',
    'x-forwarded-for': '203.0.113.7',
    'x-request-id': 'abc',
    traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01',
    'accept-language': 'en',
    accept: 'text/html',
    origin: 'https://app.example.com'
  }
  t.equal((await api.ask(token, '/me?claims=all', headers)).status, 200)
  const [call, ...more] = calls()
  t.strictSame(more, [])
  t.match(call, { method: 'GET', url: '/userinfo', headers: { authorization: `Bearer ${token}` } })
  t.equal(call?.url, '/userinfo', 'no query')
  t.strictSame(Object.keys(call?.headers ?? {}).sort(), [
    'accept',
    'authorization',
    'connection',
    'host'
  ])
  t.equal(call?.headers.accept, 'application/json, application/jwt')
})

void t.test('UI-9: aggregated and distributed claims are not followed', async (t) => {
  const elsewhere = await hostile.startHostileIssuer()
  t.teardown(() => elsewhere.close())
  const claims = {
    ...ada,
    _claim_names: { address: 'src1' },
    _claim_sources: { src1: { endpoint: `${elsewhere.issuer}/claims`, access_token: 'x' } }
  }
  const { api, mint } = await startScene(t, hostile.json(claims))
  t.strictSame((await api.ask(await mint(), '/me')).json, claims)
  t.equal(elsewhere.requests().length, 0)
})

/** Answers each token with its own subject. */
const bySubject: Behaviour = (request, response) => {
  const [, payload = ''] = (request.headers.authorization ?? '').split('.')
  const { sub } = JSON.parse(Buffer.from(payload, 'base64url').toString()) as { sub: string }
  setTimeout(() => hostile.json({ sub, name: `the one called ${sub}` })(request, response), 100)
}

void t.test(
  'UI-10: two users are two calls, and each gets their own; a token asked twice is one',
  async (t) => {
    const { api, mint, calls } = await startScene(t, bySubject)
    const [a, g] = [await mint({ sub: 'ada' }), await mint({ sub: 'grace' })]
    for (let round = 0; round < 2; round++) {
      t.match((await api.ask(a, '/me')).json, { sub: 'ada', name: 'the one called ada' })
      t.match((await api.ask(g, '/me')).json, { sub: 'grace', name: 'the one called grace' })
    }
    t.equal(calls().length, 2)
  }
)

void t.test('50 requests at once with one token are one call', async (t) => {
  const { api, mint, calls } = await startScene(t, bySubject)
  const token = await mint()
  const answers = await Promise.all(Array.from({ length: 50 }, () => api.ask(token, '/me')))
  t.ok(answers.every(({ status, json }) => status === 200 && json?.['sub'] === 'ada'))
  t.equal(calls().length, 1)
})

void t.test('UI-10: after its expiry a token is refused, whatever is kept', async (t) => {
  const { api, mint, calls } = await startScene(t)
  const now = Math.floor(Date.now() / 1000)
  // at its end, but for the tolerance of five seconds
  const token = await mint({ exp: now - 1 })
  t.equal((await api.ask(token, '/me')).status, 200)
  const late = await mint({ exp: now - 6 })
  t.equal((await api.ask(late, '/me')).status, 401)
  t.equal(calls().length, 1)
})

for (const [name, cnf] of Object.entries({
  DPoP: { jkt: 'a'.repeat(43) },
  certificate: { 'x5t#S256': 'a'.repeat(43) }
})) {
  void t.test(`UI-12: a token bound by ${name} is not forwarded as a bearer token`, async (t) => {
    const { api, mint, calls } = await startScene(t)
    t.equal((await api.ask(await mint({ cnf }), '/me')).status, 401)
    t.equal(calls().length, 0)
  })
}

void t.test(
  'UI-13: who read whose UserInfo is in the log, without claims and tokens',
  async (t) => {
    const { api, mint } = await startScene(t)
    const token = await mint()
    const bound = await mint({ cnf: { jkt: 'x' } })
    for (const one of [token, token, bound, 'garbage.of.secrets']) await api.ask(one, '/me')
    const lines = api.logged('userinfo read')
    t.equal(lines.length, 2)
    t.match(lines[0], { subject: 'ada', clientId: 'test-client', issuer: /^http/, reqId: /./ })
    holdsNothing(t, api, [token, bound, 'garbage'])
  }
)

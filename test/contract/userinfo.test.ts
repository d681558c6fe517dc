import t from 'tap'
import type { Test } from 'tap'
import type { LatchkeyOptions } from '../../plugins/latchkey.ts'
import { startTestIssuer } from '../../src/testing.ts'
import { type Answer, type Api, startApi } from '../support/api.ts'
import { createEarlyStart } from '../support/early-start.ts'
import * as hostile from '../support/hostile-issuer.ts'
import type { Behaviour } from '../support/hostile-issuer.ts'

const early = createEarlyStart(4)

/** An API and its issuer, whose UserInfo endpoint does as it is told; Ada's answer unless said otherwise. */
async function startScene(
  t: Test,
  behaviour: Behaviour = hostile.json(ada),
  options?: Partial<LatchkeyOptions>
) {
  const sound = await startTestIssuer({ algorithms: ['ES256'] })
  t.teardown(() => sound.close())
  const issuer = await hostile.startHostileIssuer()
  t.teardown(() => issuer.close())
  issuer.impersonate(sound)
  issuer.on('/userinfo', behaviour)
  const mint = (claims: object = {}) => sound.mint({ iss: issuer.issuer, ...claims })
  const api = await startApi(t, { issuer: issuer.issuer, audience: sound.audience, ...options })
  return { issuer, sound, mint, api, calls: () => issuer.requests('/userinfo') }
}

const ada = { sub: 'ada', name: 'Ada Lovelace', email: 'ada@secret.example', email_verified: true }

/** Asserts a problem that says nothing of what the issuer said. */
function isProblem(t: Test, answer: Answer, status: number): void {
  t.equal(answer.status, status)
  t.equal(answer.json?.['statusCode'] ?? answer.json?.['status'], status)
  t.notMatch(answer.text, /secret|Lovelace|mallory/)
}

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
  t.equal(call?.headers.accept, 'application/json')
})

for (const [name, claims] of Object.entries<unknown>({
  'of another subject': { ...ada, sub: 'mallory' },
  'of the subject in another case': { ...ada, sub: 'Ada' },
  'without a sub': { ...ada, sub: undefined },
  'whose sub is a list': { ...ada, sub: ['ada'] },
  'that is empty': {},
  'that is a list': [ada],
  'that is null': null,
  'that is text': 'ada'
})) {
  void t.test(`UI-3, UI-4: an answer ${name} is 502, and nothing of it is used`, async (t) => {
    const { api, mint, calls } = await startScene(t, hostile.json(claims))
    const token = await mint()
    isProblem(t, await api.ask(token, '/me'), 502)
    isProblem(t, await api.ask(token, '/me'), 502)
    t.equal(calls().length, 2, 'and it is not kept')
  })
}

for (const [name, behaviour] of Object.entries<Behaviour>({
  'UI-4: HTML': hostile.html,
  'UI-4: JSON cut short': hostile.badJson,
  'UI-4: JSON as text/plain': hostile.json(ada, { 'Content-Type': 'text/plain' }),
  'UI-5, UI-6: a signed or encrypted answer, not offered yet': hostile.json('eyJ.eyJ.x', {
    'Content-Type': 'application/jwt'
  }),
  'UI-4: nothing': hostile.status(200, { 'Content-Type': 'application/json' }),
  'UI-7: 204': hostile.status(204),
  'UI-7: 400': hostile.status(400),
  'UI-7: 404': hostile.status(404),
  'UI-7: 405': hostile.status(405),
  'UI-8: 500': hostile.status(500),
  'UI-8: 502': hostile.status(502),
  'UI-8: 504': hostile.status(504),
  'UI-11: 60 MB': hostile.huge()
})) {
  void t.test(`${name} is 502`, async (t) => {
    const { api, mint } = await startScene(t, behaviour)
    const answer = await api.ask(await mint(), '/me')
    isProblem(t, answer, 502)
    t.strictSame(answer.challenges, [])
    t.equal((await api.ask(await mint())).status, 200, 'the token itself is fine')
  })
}

for (const code of [301, 302, 307, 308]) {
  void t.test(
    `UI-7, UI-11: a redirect (${code}) is 502, and the token goes nowhere else`,
    async (t) => {
      const elsewhere = await hostile.startHostileIssuer()
      t.teardown(() => elsewhere.close())
      const { api, mint } = await startScene(
        t,
        hostile.redirect(`${elsewhere.issuer}/userinfo`, code)
      )
      isProblem(t, await api.ask(await mint(), '/me'), 502)
      t.equal(elsewhere.requests().length, 0)
    }
  )
}

void t.test('UI-7: 401 of the issuer is invalid_token, without its text', async (t) => {
  const upstream = {
    'WWW-Authenticate': 'Bearer error="invalid_token", error_description="secret"'
  }
  const { api, mint } = await startScene(t, hostile.status(401, upstream))
  const answer = await api.ask(await mint(), '/me')
  isProblem(t, answer, 401)
  t.match(answer.challenges, [{ scheme: 'Bearer', params: { error: 'invalid_token' } }])
  t.notMatch(answer.headers.get('www-authenticate'), /secret/)
})

void t.test(
  'UI-7: 403 of the issuer is insufficient_scope, with the scope of the route',
  async (t) => {
    const { api, mint } = await startScene(t, hostile.status(403))
    const answer = await api.ask(await mint(), '/me')
    isProblem(t, answer, 403)
    t.match(answer.challenges, [{ params: { error: 'insufficient_scope', scope: 'openid' } }])
  }
)

for (const [name, behaviour, seconds] of [
  ['503', hostile.status(503, { 'Retry-After': '42' }), '42'],
  ['429', hostile.status(429), '5'],
  ['a connection cut', hostile.reset, '5']
] as const) {
  void t.test(`UI-8: ${name} is 503 with Retry-After`, async (t) => {
    const { api, mint } = await startScene(t, behaviour)
    const answer = await api.ask(await mint(), '/me')
    isProblem(t, answer, 503)
    t.equal(answer.headers.get('retry-after'), seconds)
  })
}

void t.test('UI-8: a refused connection is 503 with Retry-After', async (t) => {
  const { api, mint, issuer } = await startScene(t)
  const token = await mint()
  t.equal((await api.ask(token)).status, 200)
  await issuer.close()
  const answer = await api.ask(token, '/me')
  isProblem(t, answer, 503)
  t.equal(answer.headers.get('retry-after'), '5')
})

for (const [name, behaviour] of [
  ['hangs', hostile.hang],
  ['drips', hostile.drip]
] as const) {
  const outcome = early(async () => {
    const { api, mint, sound } = await startScene(t, behaviour)
    const before = performance.now()
    const asking = Array.from({ length: 20 }, async () => api.ask(await mint(), '/me'))
    await sound.rotate()
    const rotated = await api.ask(await mint())
    const rotatedWithin = performance.now() - before
    const answers = await Promise.all(asking)
    return { answers, within: performance.now() - before, rotated, rotatedWithin }
  })
  void t.test(
    `UI-8, UI-11: an endpoint that ${name} is 504 within the limit, and keys do not wait for it`,
    async (t) => {
      const { answers, within, rotated, rotatedWithin } = await outcome()
      for (const answer of answers) isProblem(t, answer, 504)
      t.ok(within < 10_000)
      t.equal(rotated.status, 200)
      t.ok(rotatedWithin < 3000, `a new key was there after ${rotatedWithin} ms`)
    }
  )
}

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
  const token = await mint({ exp: now - 3 })
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

void t.test('no failure of the endpoint puts a token or a claim into the log', async (t) => {
  const { api, mint, issuer } = await startScene(t)
  const token = await mint()
  for (const behaviour of [
    hostile.status(401),
    hostile.status(500),
    hostile.reset,
    hostile.json({ ...ada, sub: 'x' }),
    hostile.badJson
  ]) {
    issuer.on('/userinfo', behaviour)
    await api.ask(token, '/me')
  }
  holdsNothing(t, api, [token])
})

function holdsNothing(t: Test, { log }: Api, tokens: readonly string[]): void {
  const parts = tokens
    .flatMap((token) => token.split('.').slice(1))
    .concat('Lovelace', 'secret.example')
  t.strictSame(
    log.filter((line) => parts.some((part) => line.includes(part))),
    []
  )
}

void t.test('where UserInfo is off or not offered, /me is 501 and nobody is asked', async (t) => {
  const off = await startScene(t, undefined, { userinfo: 'off' })
  isProblem(t, await off.api.ask(await off.mint(), '/me'), 501)
  t.equal(off.calls().length, 0)
  const none = await startTestIssuer({ algorithms: ['ES256'] })
  t.teardown(() => none.close())
  const issuer = await hostile.startHostileIssuer()
  t.teardown(() => issuer.close())
  issuer.on(
    '/.well-known/openid-configuration',
    hostile.json({ issuer: issuer.issuer, jwks_uri: `${issuer.issuer}/jwks` })
  )
  issuer.on('/jwks', hostile.json(none.jwks))
  const { ask } = await startApi(t, { issuer: issuer.issuer, audience: none.audience })
  isProblem(t, await ask(await none.mint({ iss: issuer.issuer }), '/me'), 501)
})

void t.test(
  'META-5: a UserInfo endpoint over http that is not on loopback makes the issuer unusable',
  async (t) => {
    const { issuer, sound, mint } = await startScene(t)
    const document = {
      issuer: issuer.issuer,
      jwks_uri: `${issuer.issuer}/jwks`,
      userinfo_endpoint: 'http://id.example.com/me'
    }
    issuer.on('/.well-known/openid-configuration', hostile.json(document))
    const { ask } = await startApi(t, { issuer: issuer.issuer, audience: sound.audience })
    t.equal((await ask(await mint(), '/me')).status, 503)
  }
)

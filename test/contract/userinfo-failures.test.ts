import t from 'tap'
import type { Test } from 'tap'
import { startTestIssuer } from '../../src/testing.ts'
import { type Answer, startApi } from '../support/api.ts'
import { createEarlyStart } from '../support/early-start.ts'
import * as hostile from '../support/hostile-issuer.ts'
import type { Behaviour } from '../support/hostile-issuer.ts'
import { until } from '../support/until.ts'
import { ada, holdsNothing, startScene } from '../support/userinfo-scene.ts'

/** JSON that the reader of a stream can parse, and a writer that recurses can not write. */
const bottomless: Behaviour = (_request, response) => {
  const nested = '['.repeat(100_000) + ']'.repeat(100_000)
  response.writeHead(200, { 'Content-Type': 'application/json' })
  response.end(`{"sub":"ada","groups":${nested}}`)
}

/** Says in the middle of a claim what is no JSON: a parser quotes where it stumbled. */
const babble: Behaviour = (_request, response) => {
  response.writeHead(200, { 'Content-Type': 'application/json' }).end('Lovelace, Ada')
}

const early = createEarlyStart(4)

/** Asserts a problem that says nothing of what the issuer said. */
function isProblem(t: Test, answer: Answer, status: number): void {
  t.equal(answer.status, status)
  t.equal(answer.json?.['statusCode'] ?? answer.json?.['status'], status)
  t.notMatch(answer.text, /secret|Lovelace|mallory/)
}

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
  'UI-4, OWASP-10: JSON nested without end': bottomless,
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
    const { api, mint, sound, calls } = await startScene(t, behaviour)
    const before = performance.now()
    const asking = Array.from({ length: 20 }, async () => api.ask(await mint(), '/me'))
    await until(() => calls().length >= 8)
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

void t.test('no failure of the endpoint puts a token or a claim into the log', async (t) => {
  const { api, mint, issuer } = await startScene(t)
  const token = await mint()
  for (const behaviour of [
    hostile.status(401),
    hostile.status(500),
    hostile.reset,
    hostile.json({ ...ada, sub: 'x' }),
    hostile.badJson,
    babble
  ]) {
    issuer.on('/userinfo', behaviour)
    await api.ask(token, '/me')
  }
  holdsNothing(t, api, [token])
})

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

import { once } from 'node:events'
import type { ServerResponse } from 'node:http'
import { text as readText } from 'node:stream/consumers'
import t from 'tap'
import { startTestIssuer } from '../../src/testing.ts'
import { assertCleanLog, createApp, startGuardedApp } from '../support/guarded-app.ts'
import { connectTo, exchange } from '../support/raw-request.ts'
import {
  assertInsufficientScope,
  assertInvalidRequest,
  assertInvalidToken,
  assertNoCredentials
} from '../support/outcomes.ts'

const issuer = await startTestIssuer({ algorithms: ['RS256', 'ES256'] })
t.teardown(() => issuer.close())
const guarded = await startGuardedApp(t, issuer.options, {
  '/optional': { optional: true }
})
const { app, call } = guarded
const token = await issuer.mint()

void t.test('BEARER-1: a token in the Authorization field opens the door', async (t) => {
  const answer = await call({ token })
  t.equal(answer.status, 200)
  t.match(JSON.parse(answer.text), { iss: issuer.issuer, sub: 'ada', scopes: ['openid'] })
  t.strictSame(answer.challenges, [])
})

for (const scheme of ['bearer', 'BEARER', 'bEaReR'])
  void t.test(`BEARER-2: the scheme ${scheme} is Bearer`, async (t) => {
    t.equal((await call({ lines: ['Authorization', `${scheme} ${token}`] })).status, 200)
  })

void t.test('BEARER-3, FW-2: several spaces may stand before the token', async (t) => {
  for (const spaces of ['  ', '     '])
    t.equal((await call({ lines: ['Authorization', `Bearer${spaces}${token}`] })).status, 200)
})

const strangeTokens = {
  'in quotes': `"${token}"`,
  'followed by a comma': `${token},`,
  'with a letter beyond ASCII': `é${token}`,
  'with a brace': `{${token}}`,
  'with legal characters that no JWT has': 'a~b+c/d=',
  'of one letter': 'x'
}
for (const [name, strange] of Object.entries(strangeTokens))
  void t.test(`BEARER-3: a token ${name} is invalid`, async (t) => {
    assertInvalidToken(t, await call({ token: strange }), name)
  })

const malformedFields = {
  'a second word': `Bearer ${token} x`,
  'a second token': `Bearer ${token} ${token}`,
  'a tab for the space': `Bearer\t${token}`,
  'a tab within': `Bearer ${token}\tx`,
  'two schemes with tokens': `Bearer ${token}, Bearer ${token}`,
  'parameters where the scheme should be': 'realm="x"'
}
for (const [name, field] of Object.entries(malformedFields))
  void t.test(`BEARER-3, FW-2: ${name} makes the field malformed`, async (t) => {
    assertInvalidRequest(t, await call({ lines: ['Authorization', field] }), name)
  })

void t.test('BEARER-4: without credentials the challenge has no error', async (t) => {
  assertNoCredentials(t, await call(), 'GET')
  assertNoCredentials(t, await call({ path: '/documents' }), 'scoped', 'documents:read')
  assertNoCredentials(t, await call({ path: '/both' }), 'scoped', 'c d a b')
})

for (const field of ['Basic eDp5', `DPoP ${token}`, `Bearerx ${token}`, 'Negotiate', token])
  void t.test(`BEARER-5: ${field.slice(0, 12)} counts as no credentials`, async (t) => {
    const answer = await call({ lines: ['Authorization', field] })
    assertNoCredentials(t, answer, field.slice(0, 12))
  })

const defects: Record<string, object> = {
  'an expired token': { exp: 1 },
  'a token that is not valid yet': { nbf: 4e9 },
  'a token of another issuer': { iss: 'https://id.example.com' },
  'a token for another API': { aud: 'https://other.example.com' },
  'a token without a subject': { sub: undefined },
  'a token bound to a key': { cnf: { jkt: 'x' } }
}
for (const [name, claims] of Object.entries(defects))
  void t.test(`BEARER-6, BEARER-9, BEARER-11, BEARER-19: ${name}`, async (t) => {
    // one error, one challenge, no parameter twice, one of the fixed texts: all in the assertion
    assertInvalidToken(t, await call({ token: await issuer.mint({ ...claims }) }), name)
  })

void t.test('BEARER-6, BEARER-19: a bad signature, and no token at all', async (t) => {
  const [header, claims] = token.split('.')
  assertInvalidToken(t, await call({ token: `${header}.${claims}.AAAA` }), 'signature')
  assertInvalidToken(t, await call({ token: 'mF_9.B5f-4.1JqM' }), 'form')
})

const twoWays: Record<string, { path?: string; lines: string[] }> = {
  'field and query': {
    path: `/whoami?access_token=${token}`,
    lines: ['Authorization', `Bearer ${token}`]
  },
  'field and an empty parameter': {
    path: '/whoami?access_token=',
    lines: ['Authorization', `Bearer ${token}`]
  },
  'two Authorization lines': {
    lines: ['Authorization', `Bearer ${token}`, 'Authorization', `Bearer ${token}`]
  },
  'a second line in another case, of another scheme': {
    lines: ['authorization', `Bearer ${token}`, 'AUTHORIZATION', 'Basic eDp5']
  },
  'Bearer alone': { lines: ['Authorization', 'Bearer'] },
  'Bearer with spaces alone': { lines: ['Authorization', 'Bearer   '] },
  'an empty field': { lines: ['Authorization', ''] }
}
for (const [name, sent] of Object.entries(twoWays))
  void t.test(`BEARER-7: ${name} is an invalid request`, async (t) => {
    assertInvalidRequest(t, await call(sent), name)
  })

void t.test('BEARER-7: of two Authorization lines neither can hide behind others', async (t) => {
  const mallory = await issuer.mint({ sub: 'mallory' })
  const [line, other] = [token, mallory].map((sent) => `Authorization: Bearer ${sent}\r\n`)
  for (const path of ['/whoami', '/optional'])
    for (const fill of [998, 1100, 3000]) {
      const head = `GET ${path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n${line}`
      const answer = await exchange(app.server, `${head}${'a:\r\n'.repeat(fill)}${other}\r\n`)
      t.match(answer, /^HTTP\/1.1 400 /, `${fill} lines between them`)
      t.match(answer, /www-authenticate: Bearer .*error="invalid_request"/i)
    }
  const hidden = `GET /optional HTTP/1.1\r\nHost: a\r\nConnection: close\r\n${'a:\r\n'.repeat(1100)}${line}\r\n`
  t.match(await exchange(app.server, hidden), /^HTTP\/1.1 400 /, 'one that is not seen is not none')
  const lines = Array.from({ length: 990 }, (_, index) => [`x-${index}`, '1']).flat()
  t.equal((await call({ token, lines })).status, 200, 'many lines alone do no harm')
})

void t.test('BEARER-8: a valid token without the scope is told which one is needed', async (t) => {
  const reader = await issuer.mint({ scope: 'documents:read' })
  t.equal((await call({ path: '/documents', token: reader })).status, 200)
  const write = { method: 'POST', path: '/documents', body: '{"title":"x"}', lines: json }
  const answer = await call({ ...write, token: reader })
  assertInsufficientScope(t, answer, 'read for write', 'documents:write')
  assertInsufficientScope(t, await call({ path: '/both', token: reader }), 'both', 'c d a b')
})

void t.test('BEARER-10: a challenge always has a realm, which can be set', async (t) => {
  const app = await createApp({ ...issuer.options, realm: 'my "own" api'.replaceAll('"', "'") })
  t.teardown(() => app.close())
  const { headers } = await app.inject('/whoami')
  t.equal(headers['www-authenticate'], `Bearer realm="my 'own' api"`)
})

const hostileTexts = ['"', '\\', '\r\nSet-Cookie: a=b', '😀', '\u0000', '", error="x', 'é']
void t.test('BEARER-12, HTTP-14: nothing that a token says gets into the challenge', async (t) => {
  for (const text of hostileTexts) {
    const tokens = [
      await issuer.mint({}, { header: { kid: text } }),
      await issuer.mint({ iss: text }),
      await issuer.mint({ aud: text })
    ]
    for (const hostile of tokens)
      assertInvalidToken(t, await call({ token: hostile }), JSON.stringify(text))
  }
})

void t.test('BEARER-14: a token in the query is no credential', async (t) => {
  assertNoCredentials(t, await call({ path: `/whoami?access_token=${token}` }), 'query')
})

void t.test('BEARER-15: a token in a form is no credential', async (t) => {
  const lines = ['Content-Type', 'application/x-www-form-urlencoded']
  const form = { method: 'POST', path: '/documents', body: `access_token=${token}`, lines }
  assertNoCredentials(t, await call(form), 'form', 'documents:write')
})

void t.test('BEARER-15: a token in a form and one in the field are two', async (t) => {
  const path = '/documents'
  const writer = await issuer.mint({ scope: 'documents:write' })
  for (const type of [
    'application/x-www-form-urlencoded',
    'Application/X-WWW-Form-Urlencoded; a=b'
  ]) {
    const form = { method: 'POST', path, token: writer, lines: ['Content-Type', type] }
    for (const body of [`access_token=${token}`, 'a=b&access_token=', `%61ccess_token=${token}`])
      assertInvalidRequest(t, await call({ ...form, body }), `${type} ${body}`)
    for (const body of ['a=access_token', `a=${'b'.repeat(20_000)}`, `a=${'b'.repeat(200_000)}`])
      t.equal((await call({ ...form, body })).status, 415, 'another form is as before')
  }
})

void t.test(
  'BEARER-15: a form arrives untouched where forms are read, in whatever way',
  async (t) => {
    const app = await createApp(issuer.options)
    t.teardown(() => app.close())
    app.addContentTypeParser(
      'application/x-www-form-urlencoded',
      { parseAs: 'string' },
      async (_request: unknown, body: string) => ({ form: body })
    )
    app.post('/forms', ({ body }) => body)
    const headers = {
      authorization: `Bearer ${token}`,
      'content-type': 'application/x-www-form-urlencoded'
    }
    for (const payload of ['', 'a=b', `a=${'b'.repeat(40_000)}`]) {
      const answer = await app.inject({ method: 'POST', url: '/forms', headers, payload })
      t.same(answer.json(), { form: payload })
    }
  }
)

void t.test('an application may have a config member `accepts` of its own', async (t) => {
  const app = await createApp(issuer.options)
  t.teardown(() => app.close())
  app.post('/own', { config: { accepts: true as never } }, async () => 'own')
  const headers = { authorization: `Bearer ${token}` }
  t.equal((await app.inject({ method: 'POST', url: '/own', headers })).body, 'own')
})

void t.test('BEARER-15: a handler may read a form from the connection itself', async (t) => {
  const app = await createApp(issuer.options)
  t.teardown(() => app.close())
  app.addContentTypeParser('*', (_request, _payload, done) => done(null))
  app.post('/raw', async ({ raw }) => readText(raw))
  const headers = {
    authorization: `Bearer ${token}`,
    'content-type': 'application/x-www-form-urlencoded'
  }
  const answer = await app.inject({ method: 'POST', url: '/raw', headers, payload: 'a=b' })
  t.equal(answer.body, 'a=b')
})

void t.test('BEARER-15: a form alone at an optional route is read by nobody', async (t) => {
  const app = await createApp(issuer.options)
  t.teardown(() => app.close())
  app.post('/either', { config: { auth: { optional: true } } }, async () => 'either')
  const headers = { 'content-type': 'application/x-www-form-urlencoded' }
  const payload = `access_token=${token}`
  const answer = await app.inject({ method: 'POST', url: '/either', headers, payload })
  t.equal(answer.statusCode, 415)
})

void t.test('BEARER-15: a form whose client goes away half-way harms nobody', async (t) => {
  const writer = await issuer.mint({ scope: 'documents:write' })
  const head = `POST /documents HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer ${writer}\r\n`
  const type = 'Content-Type: application/x-www-form-urlencoded\r\n'
  const socket = await connectTo(app.server)
  const seen = once(app.server, 'request')
  socket.write(`${head}${type}Content-Length: 100\r\n\r\naccess_token=`)
  const [, response] = (await seen) as [unknown, ServerResponse]
  socket.destroy()
  await once(response, 'close')
  t.equal((await call({ token })).status, 200)
})

void t.test('BEARER-16: a token in a cookie is no credential', async (t) => {
  for (const name of ['access_token', 'token', 'Authorization'])
    assertNoCredentials(t, await call({ lines: ['Cookie', `${name}=${token}`] }), name)
})

const scopeOutcomes: [name: string, path: string, claims: object, status: number][] = [
  ['among others, in any order', '/documents', { scope: 'b documents:read a' }, 200],
  ['in another case', '/documents', { scope: 'DOCUMENTS:READ' }, 403],
  ['as a prefix', '/documents', { scope: 'documents' }, 403],
  ['with more behind it', '/documents', { scope: 'documents:read:all' }, 403],
  ['split by a tab', '/documents', { scope: 'a\tdocuments:read' }, 403],
  ['split by several spaces', '/documents', { scope: '  a   documents:read ' }, 200],
  ['one of two', '/either', { scope: 'b' }, 200],
  ['none of two', '/either', { scope: 'c' }, 403],
  ['all, and one of two', '/both', { scope: 'd b c' }, 200],
  ['all, but none of two', '/both', { scope: 'c d' }, 403],
  ['one of all, and one of two', '/both', { scope: 'c a' }, 403]
]
for (const [name, path, claims, status] of scopeOutcomes)
  void t.test(`BEARER-17: a scope ${name}: ${status}`, async (t) => {
    const answer = await call({ path, token: await issuer.mint({ ...claims }) })
    t.equal(answer.status, status)
  })

const scopeForms: [claims: object, status: number][] = [
  [{ scope: undefined, scp: 'a documents:read' }, 200],
  [{ scope: undefined, scp: ['a', 'documents:read'] }, 200],
  [{ scope: ['documents:read'] }, 200],
  [{ scope: undefined }, 403],
  [{ scope: '' }, 403],
  [{ scope: 5 }, 403],
  [{ scope: { 'documents:read': true } }, 403],
  [{ scope: true }, 403],
  [{ scope: ['documents:read', 5] }, 403],
  [{ scope: [['documents:read']] }, 403],
  [{ scope: undefined, scp: [{}] }, 403],
  [{ scope: undefined, scp: [null, 'documents:read'] }, 403],
  [{ scope: undefined, scp: 5 }, 403],
  [{ scope: 'a', scp: 'documents:read' }, 403]
]
for (const [claims, status] of scopeForms)
  void t.test(`BEARER-18: ${JSON.stringify(claims)}: ${status}`, async (t) => {
    const answer = await call({ path: '/documents', token: await issuer.mint({ ...claims }) })
    if (status === 200) t.equal(answer.status, 200)
    else assertInsufficientScope(t, answer, 'scope', 'documents:read')
  })

void t.test('BEARER-20: an http issuer that is not on loopback is refused', async (t) => {
  for (const url of ['http://id.example.com', 'http://10.0.0.5/', 'http://127.0.0.1.example.com'])
    await t.rejects(createApp({ ...issuer.options, issuer: url }), /issuer: found .*https/)
})

const json = ['Content-Type', 'application/json']
const bodies = {
  'broken JSON': { body: '{"title":', lines: json },
  'a body against the schema': { body: '{}', lines: json },
  'an unknown media type': { body: 'x', lines: ['Content-Type', 'application/x-unknown'] },
  'a body that is too large': { body: '"'.padEnd(2_000_000, 'x'), lines: json }
}
for (const [name, sent] of Object.entries(bodies))
  void t.test(`BEARER-21: the guard answers before ${name} is looked at`, async (t) => {
    const write = { method: 'POST', path: '/documents', ...sent }
    assertNoCredentials(t, await call(write), 'no token', 'documents:write')
    const answer = await call({ ...write, token })
    assertInsufficientScope(t, answer, 'no scope', 'documents:write')
  })

void t.test('no line of the log holds a token that was sent', async (t) =>
  assertCleanLog(t, guarded)
)

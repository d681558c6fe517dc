import { generateKeyPairSync } from 'node:crypto'
import { join } from 'node:path'
import { jwtVerify } from 'jose'
import t from 'tap'
import { startTestIssuer } from '../../src/testing.ts'
import { startApi } from '../support/api.ts'
import { startGuardedApp } from '../support/guarded-app.ts'
import * as hostile from '../support/hostile-issuer.ts'
import { assertStepUp } from '../support/outcomes.ts'
import { client, opaqueToken, startScene } from '../support/introspection-scene.ts'

function nested(levels: number): unknown {
  return levels === 0 ? {} : { act: nested(levels - 1) }
}

const now = (): number => Math.floor(Date.now() / 1000)

t.test(
  'INT-1, INT-2: the token is asked about in a form, by an authenticated client',
  async (t) => {
    const { api, calls, issuer } = await startScene(t)
    const answer = await api.ask('2Yotn+/~.-_==')
    t.equal(answer.status, 200)
    t.match(answer.json, { iss: issuer.issuer, sub: 'ada', client_id: 'app' })
    t.strictSame(answer.json?.['scopes'], ['openid', 'documents:read'])
    t.equal(calls.length, 1)
    const [{ method, url, headers, form } = { headers: {}, form: new URLSearchParams() }] = calls
    t.equal(method, 'POST')
    t.equal(url, '/introspect')
    t.equal(headers['content-type'], 'application/x-www-form-urlencoded')
    t.equal(headers.accept, 'application/json')
    const credentials = Buffer.from('the+api:keep+it%3A+to+yourself').toString('base64')
    t.equal(headers.authorization, `Basic ${credentials}`)
    t.strictSame(Object.fromEntries(form), {
      token: '2Yotn+/~.-_==',
      token_type_hint: 'access_token'
    })
  }
)

t.test('INT-2: the client authenticates in the form, its secret out of a file', async (t) => {
  const dir = t.testdir({ secret: 'from a file\n' })
  const { api, calls } = await startScene(t, {
    introspection: {
      clientId: 'api',
      clientSecretFile: join(dir, 'secret'),
      authMethod: 'client_secret_post'
    }
  })
  t.equal((await api.ask(opaqueToken)).status, 200)
  t.equal(calls[0]?.headers.authorization, undefined)
  t.match(Object.fromEntries(calls[0]?.form ?? []), {
    client_id: 'api',
    client_secret: 'from a file'
  })
})

for (const [name, pair, form] of [
  ['an RSA key in PEM', generateKeyPairSync('rsa', { modulusLength: 2048 }), 'pem'],
  ['an EC key as JWK', generateKeyPairSync('ec', { namedCurve: 'P-256' }), 'jwk'],
  ['an Ed25519 key in PEM', generateKeyPairSync('ed25519'), 'pem']
] as const) {
  t.test(`INT-2: the client authenticates with ${name}`, async (t) => {
    const key =
      form === 'pem'
        ? String(pair.privateKey.export({ format: 'pem', type: 'pkcs8' }))
        : JSON.stringify({ ...pair.privateKey.export({ format: 'jwk' }), kid: 'k1' })
    const dir = t.testdir({ key })
    const { api, calls, issuer } = await startScene(t, {
      introspection: { clientId: 'api', privateKeyFile: join(dir, 'key') }
    })
    t.equal((await api.ask(opaqueToken)).status, 200)
    t.equal((await api.ask('another')).status, 200)
    const assertions = calls.map(({ form }) => form.get('client_assertion') ?? '')
    const { payload, protectedHeader } = await jwtVerify(assertions[0] ?? '', pair.publicKey, {
      issuer: 'api',
      subject: 'api',
      audience: issuer.issuer,
      maxTokenAge: 10
    })
    t.equal(protectedHeader.kid, form === 'jwk' ? 'k1' : undefined)
    t.ok((payload.exp ?? 0) - now() <= 60)
    t.not(assertions[0], assertions[1], 'an assertion is used once')
    t.equal(
      calls[0]?.form.get('client_assertion_type'),
      'urn:ietf:params:oauth:client-assertion-type:jwt-bearer'
    )
  })
}

t.test('INT-3: only the boolean true lets in', async (t) => {
  const { api, active, answerWith } = await startScene(t)
  for (const value of [false, 'true', 1, null, undefined, [true]]) {
    answerWith(hostile.json({ ...active, active: value }))
    const answer = await api.ask(`${opaqueToken}-${String(value)}`)
    t.equal(answer.status, 401, String(value))
    t.match(answer.challenges[0]?.params, { error: 'invalid_token' })
    t.match(answer.json, { detail: 'The issuer says that the access token is not active.' })
  }
})

t.test('INT-4, INT-8: an active answer is judged by the policy of JWTs', async (t) => {
  const { api, active, answerWith, calls } = await startScene(t)
  const changes: [string, object, RegExp][] = [
    ['another issuer', { iss: 'https://other.example' }, /issuer .* is not trusted/],
    ['another audience', { aud: 'https://other.example' }, /not meant for this API/],
    ['no audience', { aud: undefined }, /required claim/],
    ['no subject', { sub: undefined }, /required claim/],
    ['a past exp', { exp: now() - 60 }, /expired/],
    ['an exp that is null', { exp: null }, /required claim/],
    ['a future nbf', { nbf: now() + 60 }, /not valid yet/],
    ['a refresh token', { token_use: 'refresh_token' }, /not an access token/],
    ['a key', { cnf: { jkt: '0ZcOCORZNYy' } }, /bound to a key/],
    ['a certificate', { cnf: { 'x5t#S256': '0ZcOCORZNYy' } }, /bound to a key/],
    ['a DPoP token without cnf', { token_type: 'DPoP' }, /bound to a key/]
  ]
  for (const [name, change, detail] of changes) {
    answerWith(hostile.json({ ...active, ...change }))
    const answer = await api.ask(name.replaceAll(' ', '-'))
    t.equal(answer.status, 401, name)
    t.match(answer.challenges[0]?.params, { error: 'invalid_token' }, name)
    t.match(answer.json?.['detail'], detail, name)
  }
  t.equal(calls.length, changes.length)
})

t.test('INT-4: the scope of the answer is the scope of the token', async (t) => {
  const { api, active, answerWith } = await startScene(t)
  answerWith(hostile.json({ ...active, scope: 'documents:read' }))
  const answer = await api.ask(opaqueToken, '/me')
  t.equal(answer.status, 403)
  t.match(answer.challenges[0]?.params, { error: 'insufficient_scope', scope: 'openid' })
})

t.test('an answer like that of Ory Hydra, or without iss and exp, lets in', async (t) => {
  const { api, active, answerWith, issuer } = await startScene(t)
  answerWith(hostile.json({ ...active, token_use: 'access_token', token_type: 'Bearer' }))
  t.equal((await api.ask('hydra')).status, 200)
  answerWith(hostile.json({ ...active, exp: undefined }))
  const answer = await api.ask('unlimited')
  t.equal(answer.status, 200)
  t.match(answer.json, { iss: issuer.issuer })
  t.ok(Number(answer.json?.['exp']) <= now() + 31)
})

t.test(
  'INT-7: an issuer that fails or refuses this API is not the fault of the caller',
  async (t) => {
    const { api, active, answerWith, calls } = await startScene(t)
    const elsewhere = await hostile.startHostileIssuer()
    t.teardown(() => elsewhere.close())
    const failures: [string, hostile.Behaviour, string][] = [
      ['refuses our credentials', hostile.status(401), '5'],
      ['refuses the request', hostile.status(400), '5'],
      ['forbids', hostile.status(403), '5'],
      ['fails', hostile.status(500), '5'],
      ['is overloaded', hostile.status(503, { 'Retry-After': '17' }), '17'],
      ['limits us', hostile.status(429, { 'Retry-After': '9' }), '9'],
      ['sends us elsewhere', hostile.redirect(`${elsewhere.issuer}/introspect`, 307), '5'],
      ['cuts the connection', hostile.reset, '5'],
      ['answers with a page', hostile.html, '5'],
      ['answers with half of JSON', hostile.badJson, '5'],
      ['answers with a list', hostile.json([active]), '5'],
      ['answers as plain text', hostile.json(active, { 'Content-Type': 'text/plain' }), '5'],
      ['answers nested JSON', hostile.json({ ...active, act: nested(33) }), '5'],
      ['answers without end', hostile.huge(1_000_000), '5'],
      ['never answers', hostile.hang, '5']
    ]
    for (const [name, behaviour, retryAfter] of failures) {
      answerWith(behaviour)
      const answer = await api.ask(opaqueToken)
      t.equal(answer.status, 503, name)
      t.equal(answer.headers.get('retry-after'), retryAfter, name)
      t.equal(answer.headers.get('www-authenticate'), null, name)
      t.match(answer.json, { type: 'urn:latchkey:problem:issuer-unavailable' }, name)
    }
    t.equal(elsewhere.requests().length, 0)
    t.equal(calls.length, failures.length, 'INT-6: no failure is remembered')
    answerWith(hostile.json(active))
    t.equal((await api.ask(opaqueToken)).status, 200)
    t.equal(api.logged('trouble with the issuer').length, failures.length)
  }
)

t.test('INT-7: an issuer whose metadata names no endpoint is unavailable', async (t) => {
  const sound = await startTestIssuer({ algorithms: ['ES256'] })
  t.teardown(() => sound.close())
  const api = await startApi(t, { ...sound.options, tokens: ['opaque'], introspection: client })
  const answer = await api.ask(opaqueToken)
  t.equal(answer.status, 503)
  t.equal(answer.headers.get('retry-after'), '5')
  t.match(api.log.join(''), /names no introspection_endpoint/)
})

t.test('INT-7: an issuer that is down from the start is unavailable', async (t) => {
  const down = { issuer: 'http://127.0.0.1:9', audience: 'api' }
  const api = await startApi(t, { ...down, tokens: ['opaque'], introspection: client })
  const answer = await api.ask(opaqueToken)
  t.equal(answer.status, 503)
  t.ok(Number(answer.headers.get('retry-after')) > 0)
})

t.test('INT-11: an introspection answer as JWT is never an access token', async (t) => {
  for (const tokens of [['jwt', 'opaque'], ['opaque']] as const) {
    const { api, issuer, sound, calls } = await startScene(t, { tokens })
    const token_introspection = { active: true, sub: 'ada' }
    for (const typ of ['token-introspection+jwt', 'JWT']) {
      const claims = { iss: issuer.issuer, token_introspection }
      const answer = await api.ask(await sound.mint(claims, { header: { typ } }))
      t.equal(answer.status, 401, typ)
      t.match(answer.challenges[0]?.params, { error: 'invalid_token' })
    }
    t.equal(calls.length, 0)
  }
})

t.test('INT-12: JWT and opaque on one route; a JWT is never asked about', async (t) => {
  const { api, issuer, mint, calls } = await startScene(t)
  const token = await mint()
  t.equal((await api.ask(token)).status, 200)
  const [header = '', claims = '', signature = ''] = token.split('.')
  const expired = await mint({ exp: now() - 3600 })
  const alien = await mint({ iss: 'https://other.example' })
  const bad = [
    `${header}.${claims}.${signature.slice(0, -4)}AAAA`,
    `${header}.${claims}.`,
    `${header}..${signature}`,
    `${header}.${claims}A.${signature}`,
    'a.b.c',
    '..',
    `!${token}`,
    'not+a+token+text"',
    expired,
    alien
  ]
  for (const [index, one] of bad.entries())
    t.equal((await api.ask(one)).status, 401, `bad token ${index}`)
  t.equal(calls.length, 0)
  t.equal((await api.ask(opaqueToken)).status, 200)
  t.equal((await api.ask(token)).json?.['iss'], issuer.issuer)
  t.equal(calls.length, 1)
})

t.test('INT-12: with opaque tokens alone, the JWTs of the issuer are asked about', async (t) => {
  const { api, mint, calls, answerWith } = await startScene(t, { tokens: ['opaque'] })
  // like the lightweight tokens of Keycloak: who they are for is in the answer only
  const token = await mint({ sub: undefined, aud: undefined })
  t.equal((await api.ask(token)).status, 200)
  t.equal(calls[0]?.form.get('token'), token)
  t.equal((await api.ask(await mint({ iss: 'https://other.example' }))).status, 401)
  t.equal((await api.ask(await mint({ nonce: 'n' }))).status, 401, 'an ID token')
  t.equal(calls.length, 1)
  answerWith(hostile.json({ active: false }))
  t.equal((await api.ask(await mint())).status, 401, 'a good signature alone does not let in')
})

t.test('INT-9: step-up asks no more of an opaque token than of a JWT', async (t) => {
  const { issuer, sound, active, answerWith } = await startScene(t)
  const options = { issuer: issuer.issuer, audience: sound.audience }
  const opaque = { tokens: ['opaque'], introspection: client } as const
  const guarded = await startGuardedApp(
    t,
    { ...options, ...opaque },
    { '/strong': { acr: ['gold'], maxAge: 300 } }
  )
  const call = (token: string) => guarded.call({ path: '/strong', token })
  assertStepUp(t, await call(opaqueToken), 'no acr', { acr_values: 'gold', max_age: '300' })
  answerWith(hostile.json({ ...active, acr: 'gold', auth_time: now() - 10 }))
  t.equal((await call('another')).status, 200)
})

t.test('/me forwards an opaque token as it is', async (t) => {
  const { api, issuer } = await startScene(t)
  issuer.on('/userinfo', hostile.json({ sub: 'ada', name: 'Ada' }))
  const answer = await api.ask(opaqueToken, '/me')
  t.equal(answer.status, 200)
  t.match(answer.json, { sub: 'ada', name: 'Ada' })
  t.match(issuer.requests('/userinfo'), [{ headers: { authorization: `Bearer ${opaqueToken}` } }])
})

t.test('nothing is asked about where opaque tokens are not accepted', async (t) => {
  const { api, calls } = await startScene(t, { tokens: undefined, introspection: undefined })
  const answer = await api.ask(opaqueToken)
  t.equal(answer.status, 401)
  t.match(answer.json, { detail: 'The access token is malformed.' })
  t.equal(calls.length, 0)
})

t.test('the log holds neither token nor secret, in good times and bad', async (t) => {
  const { api, answerWith, calls } = await startScene(t)
  const token = 'a-token-that-nobody-may-see'
  t.equal((await api.ask(token)).status, 200)
  answerWith(hostile.status(500))
  t.equal((await api.ask(`${token}2`)).status, 503)
  answerWith(hostile.json({ active: false }))
  t.equal((await api.ask(`${token}3`)).status, 401)
  answerWith((_request, response) => {
    response.writeHead(200, { 'Content-Type': 'application/json' }).end('Lovelace')
  })
  t.equal((await api.ask(`${token}4`)).status, 503)
  const log = api.log.join('')
  t.notMatch(log, token)
  t.notMatch(log, client.clientSecret)
  t.notMatch(log, 'Lovelace', 'nor what a broken answer says')
  for (const { headers } of calls) t.notMatch(log, headers.authorization?.slice('Basic '.length))
})

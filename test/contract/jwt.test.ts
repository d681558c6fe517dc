import t from 'tap'
import { startTestIssuer } from '../../src/testing.ts'
import { assertCleanLog, startGuardedApp } from '../support/guarded-app.ts'
import { keyFor } from '../support/malformed-tokens.ts'
import { assertInvalidToken } from '../support/outcomes.ts'
import { rawToken, signer } from '../support/raw-token.ts'

const issuer = await startTestIssuer({ audience: 'https://api.example.com/é' })
t.teardown(() => issuer.close())
const guarded = await startGuardedApp(t, issuer.options)
const { call } = guarded
const ours = issuer.audience
const now = Math.floor(Date.now() / 1000)

// The exact bounds of times are tested with a fixed clock, in test/src/token/verifier.test.ts.
const refused: Record<string, readonly object[]> = {
  'JWT-2, FJ-1: exp absent, of a wrong type or past': [
    { exp: undefined },
    ...[String(now + 60), null, [now + 60], {}, true, now - 6, 0, -1].map((exp) => ({ exp }))
  ],
  'JWT-3: nbf ahead or of a wrong type': [now + 60, String(now), null, [now], {}].map((nbf) => ({
    nbf
  })),
  'JWT-4, FJ-3: iat in the future or of a wrong type': [now + 86_400, 'x', null, [now], {}].map(
    (iat) => ({ iat })
  ),
  'JWT-5, FJ-2: aud absent, malformed or another': [
    { aud: undefined },
    ...['', [], ['x'], [5], null, 5, {}, { 0: ours }, [[ours]], [ours, 5], [null, ours]].map(
      (aud) => ({ aud })
    )
  ],
  'JWT-5: aud nearly ours': [
    ours.slice(0, -1),
    `${ours}/`,
    `${ours} `,
    `${ours} x`,
    ours.toUpperCase(),
    ours.replace('https', 'http'),
    [`${ours},x`]
  ].map((aud) => ({ aud })),
  'JWT-6, FJ-2: iss absent, malformed or nearly the configured one': [
    { iss: undefined },
    ...[null, 5, {}, [issuer.issuer], `${issuer.issuer}/`, `${issuer.issuer} `, ''].map((iss) => ({
      iss
    })),
    { iss: issuer.issuer.replace('http', 'HTTP') },
    { iss: issuer.issuer.replace('127.0.0.1', 'localhost') },
    { iss: 'https://id.example.com' },
    { iss: '__proto__' }
  ],
  'JWT-7, FJ-2: sub absent, empty or no string': [
    { sub: undefined },
    ...['', 5, null, {}, ['ada'], true].map((sub) => ({ sub }))
  ],
  'JWT-8: aud in another Unicode form': [{ aud: ours.normalize('NFD') }],
  'JWT-9, FJ-7: absurd times': [
    { exp: -1e300 },
    { exp: 1e300 },
    { exp: 8.64e12 + 1 },
    { nbf: 1e15 },
    { nbf: -1e300 },
    { iat: -1e300 },
    { iat: 1e300 }
  ],
  'FW-7: a token bound to a key or certificate': [
    { cnf: { jkt: 'x' } },
    { cnf: { 'x5t#S256': 'x' } },
    { cnf: { jkt: null } },
    { cnf: { kid: 'x', jkt: 'x' } },
    { cnf: 'x' },
    { cnf: null },
    { cnf: [] }
  ],
  'FW-7: a token bound in a way that nobody can prove here': [
    { cnf: { kid: 'x' } },
    { cnf: { jwk: {} } },
    { cnf: {} }
  ]
}
for (const [name, variants] of Object.entries(refused))
  void t.test(`${name}: refused`, async (t) => {
    for (const claims of variants) {
      const answer = await call({ token: await issuer.mint({ ...claims }) })
      assertInvalidToken(t, answer, JSON.stringify(claims) ?? 'absent')
    }
  })

const accepted: Record<string, object> = {
  'JWT-3: nbf past': { nbf: now - 60 },
  'JWT-5: aud ours among others': { aud: ['x', ours] },
  'JWT-5: aud ours, twice': { aud: [ours, ours] },
  'JWT-8: claims that are not understood': {
    foo: { bar: [1] },
    'https://x.example/y': null,
    '': 0
  },
  'JWT-9: times with a fraction': { exp: now + 60.5, nbf: now - 0.5, iat: now - 1.25 },
  'JWT-9: times long ago': { iat: 0, nbf: -1 },
  'AT-4: no jti, client_id, iat and nbf': {
    jti: undefined,
    client_id: undefined,
    iat: undefined,
    nbf: undefined
  },
  'AT-6: a client on its own behalf': { sub: 'service', client_id: 'service', azp: 'service' }
}
for (const [name, claims] of Object.entries(accepted))
  void t.test(`${name}: accepted`, async (t) => {
    const { status, text } = await call({ token: await issuer.mint({ ...claims }) })
    t.equal(status, 200, text)
  })

void t.test('JWT-5: an issuer can be held to audiences that are ours or known', async (t) => {
  const userinfo = 'https://id.example.com/userinfo'
  const otherAudiences = [userinfo]
  const strict = await startGuardedApp(t, { ...issuer.options, otherAudiences })
  const alone = await startGuardedApp(t, { ...issuer.options, otherAudiences: [] })
  const token = (aud: unknown) => issuer.mint({ aud })
  for (const aud of [ours, [ours], [ours, ours]])
    for (const app of [strict, alone])
      t.equal((await app.call({ token: await token(aud) })).status, 200, JSON.stringify(aud))
  t.equal((await strict.call({ token: await token([ours, userinfo]) })).status, 200)
  assertInvalidToken(t, await alone.call({ token: await token([ours, userinfo]) }), 'with UserInfo')
  for (const app of [strict, alone])
    assertInvalidToken(t, await app.call({ token: await token([ours, 'x']) }), 'with another')
  assertInvalidToken(t, await strict.call({ token: await token(userinfo) }), 'UserInfo alone')
  for (const wrong of ['x' as unknown as string[], ['']])
    await t.rejects(startGuardedApp(t, { ...issuer.options, otherAudiences: wrong }), {
      message: /^otherAudiences: found/
    })
})

void t.test('JWT-7: the subject is passed on as it is', async (t) => {
  for (const sub of ['Ada', 'ada ', 'a'.repeat(300), '😀', '__proto__', '"']) {
    const { text } = await call({ token: await issuer.mint({ sub }) })
    t.equal((JSON.parse(text) as { sub: string }).sub, sub)
  }
})

void t.test('AT-1, FJ-4: other types are refused', async (t) => {
  const types = ['logout+jwt', 'dpop+jwt', 'secevent+jwt', 'token-introspection+jwt', 'JOSE', 'id']
  for (const typ of [...types, 'at+jwtx', '', undefined, null, 5, ['at+jwt'], {}]) {
    const token = await issuer.mint({}, { header: { typ } })
    assertInvalidToken(t, await call({ token }), JSON.stringify(typ) ?? 'absent')
  }
})

void t.test('AT-1: an issuer can be held to at+jwt', async (t) => {
  const strict = await startGuardedApp(t, { ...issuer.options, typ: ['at+jwt'] })
  const typed = (typ: string) => issuer.mint({}, { header: { typ } })
  t.equal((await strict.call({ token: await typed('application/AT+jwt') })).status, 200)
  assertInvalidToken(t, await strict.call({ token: await typed('JWT') }), 'JWT')
})

const logout = { 'http://schemas.openid.net/event/backchannel-logout': {} }
const otherKinds: Record<string, [claims: object, typ: string]> = {
  'an ID token': [{ nonce: 'n', at_hash: 'h', azp: ours, scope: undefined }, 'JWT'],
  'an ID token with nonce alone': [{ nonce: 'n' }, 'JWT'],
  'an ID token with at_hash alone': [{ at_hash: 'h' }, 'JWT'],
  'an ID token with c_hash alone': [{ c_hash: 'h' }, 'JWT'],
  'an ID token with s_hash alone': [{ s_hash: 'h' }, 'JWT'],
  'a bare ID token': [{ azp: ours, scope: undefined }, 'JWT'],
  'a bare ID token with a list': [{ azp: ours, aud: [ours], scope: undefined }, 'JWT'],
  'an ID token for a client': [{ aud: 'client', azp: 'client' }, 'JWT'],
  'an ID token of Keycloak': [{ typ: 'ID' }, 'JWT'],
  'a refresh token of Keycloak': [{ typ: 'Refresh' }, 'JWT'],
  'an offline token of Keycloak': [{ typ: 'Offline' }, 'JWT'],
  'an ID token of Cognito': [{ token_use: 'id' }, 'JWT'],
  'a logout token': [{ events: logout, sid: 's' }, 'logout+jwt'],
  'a logout token typed JWT': [{ events: logout, sid: 's' }, 'JWT'],
  'a security event': [{ events: { 'urn:x': {} } }, 'secevent+jwt'],
  'a security event typed JWT': [{ events: { 'urn:x': {} } }, 'JWT'],
  'a DPoP proof': [{ htm: 'GET', htu: 'http://x', ath: 'h' }, 'dpop+jwt'],
  'an introspection answer': [{ token_introspection: { active: true } }, 'token-introspection+jwt'],
  'an introspection answer typed JWT': [{ token_introspection: { active: true } }, 'JWT'],
  'a UserInfo answer': [{ exp: undefined, iat: undefined, name: 'Ada' }, 'JWT'],
  'an authorization request': [{ response_type: 'code', aud: 'https://as.example.com' }, 'JWT']
}
for (const [name, [claims, typ]] of Object.entries(otherKinds))
  void t.test(`BCP-6, AT-2: ${name}, signed by the same key, is no access token`, async (t) => {
    const token = await issuer.mint({ ...claims }, { header: { typ } })
    assertInvalidToken(t, await call({ token }), name)
  })

void t.test('BCP-6: access tokens of Keycloak and Cognito are not mistaken', async (t) => {
  for (const claims of [
    { typ: 'Bearer', azp: 'client' },
    { token_use: 'access', azp: 'client' }
  ])
    t.equal((await call({ token: await issuer.mint(claims) })).status, 200)
})

void t.test('BCP-1: an issuer of PS256 is not believed in RS256 by the same key', async (t) => {
  const strict = await startGuardedApp(t, { ...issuer.options, algorithms: ['PS256'] })
  t.equal((await strict.call({ token: await issuer.mint({}, { alg: 'PS256' }) })).status, 200)
  const token = await issuer.mint({}, { alg: 'RS256' })
  assertInvalidToken(t, await strict.call({ token }), 'RS256')
})

void t.test('BCP-5: a hostile kid makes one clean line in the log', async (t) => {
  const kids = ["' OR 1=1 --", '../../etc/passwd', 'a\r\nb', '\u001B[31m', '%00', '{{7*7}}', '::']
  for (const kid of kids) {
    const before = guarded.log.length
    assertInvalidToken(t, await call({ token: await issuer.mint({}, { header: { kid } }) }), kid)
    const lines = guarded.log.slice(before)
    const refusals = lines.filter((line) => line.includes('access token refused'))
    t.equal(refusals.length, 1, kid)
    // oxlint-disable-next-line no-control-regex
    t.ok(lines.every((line) => /^\{[^\r\n\u001B]*\}\n$/.test(line)))
  }
})

void t.test('BCP-7: algorithms that are not on the list are refused', async (t) => {
  const { kid, privateKey } = keyFor(issuer, 'RS256')
  const claims = { iss: issuer.issuer, aud: ours, sub: 'ada', exp: now + 60 }
  const algorithms = ['HS512', 'RS1', 'RSA-OAEP', 'ES256K', 'Ed448', 'RS256 ', 'constructor', '']
  for (const alg of [...algorithms, 'RS257', 'dir', 'PS', 'RS256\u0000', ['RS256'], null]) {
    const token = rawToken({ alg, kid, typ: 'at+jwt' }, claims, signer('RS256', privateKey))
    assertInvalidToken(t, await call({ token }), JSON.stringify(alg))
  }
})

void t.test('no line of the log holds a token that was sent', async (t) =>
  assertCleanLog(t, guarded)
)

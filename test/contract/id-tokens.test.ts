import t from 'tap'
import type { IssuerOptions } from '../../src/issuer/issuer-options.ts'
import { startTestIssuer } from '../../src/testing.ts'
import { startApi } from '../support/api.ts'
import { assertCleanLog, createApp, startGuardedApp } from '../support/guarded-app.ts'
import { assertInvalidToken } from '../support/outcomes.ts'

const client = '407408718192.apps.googleusercontent.com'
const android = '407408718192-android.apps.googleusercontent.com'

const issuer = await startTestIssuer({ algorithms: ['RS256', 'ES256'] })
t.teardown(() => issuer.close())

/** As Google documents it (OpenID Connect, "An ID token's payload"). */
const google = {
  azp: client,
  aud: client,
  sub: '10769150350006150715113082367',
  at_hash: 'HK6E_P6Dh8Y93mRNtsDB1Q',
  hd: 'example.com',
  email: 'jsmith@example.com',
  email_verified: true,
  nonce: '0394852-3190485-2490358',
  client_id: undefined,
  scope: undefined,
  jti: undefined
}

type Claims = Readonly<Record<string, unknown>>

function mint(claims: Claims = {}, header: Claims = { typ: 'JWT' }): Promise<string> {
  return issuer.mint({ ...google, ...claims }, { header })
}

const trusted: IssuerOptions = { issuer: issuer.issuer, audience: issuer.audience }
const both = await startGuardedApp(
  t,
  { ...trusted, tokens: ['jwt', 'id'], idTokens: { clientId: [client, android] } },
  { '/mine': { clients: [client] } }
)
const only = await startGuardedApp(t, { ...trusted, audience: client, tokens: ['id'] })
/** As docs/providers/google.md configures it. */
const byPreset: IssuerOptions = {
  ...trusted,
  audience: [client, android],
  preset: 'google',
  tokens: ['id']
}
const preset = await startGuardedApp(t, byPreset, {
  '/company': { allow: ({ claims }) => claims['hd'] === 'example.com' }
})

void t.test('BCP-6: without the switch an ID token is refused', async (t) => {
  for (const audience of [issuer.audience, client]) {
    const { call } = await startGuardedApp(t, { ...trusted, audience })
    assertInvalidToken(t, await call({ token: await mint() }), audience)
  }
})

for (const [name, { call }] of Object.entries({ both, only, preset }))
  void t.test(`an ID token as Google makes it is accepted (${name})`, async (t) => {
    const token = await mint()
    for (const time of ['first', 'second', 'third']) {
      const { status, text } = await call({ token })
      t.equal(status, 200, `the ${time} time`)
      const { exp, ...caller } = JSON.parse(text) as Record<string, unknown>
      t.ok(exp)
      t.strictSame(caller, {
        iss: issuer.issuer,
        sub: google.sub,
        aud: client,
        client_id: client,
        scopes: []
      })
    }
    t.equal((await call({ token, path: '/documents' })).status, 403, 'it grants no scope')
  })

void t.test('with the preset google its ID tokens say all that is known of a caller', async (t) => {
  const path = '/company'
  t.equal((await preset.call({ token: await mint(), path })).status, 200)
  t.equal((await preset.call({ token: await mint({ hd: undefined }), path })).status, 403)
  t.equal((await preset.call({ token: await mint({ azp: android }) })).status, 200, 'another app')
  for (const aud of ['other', issuer.audience])
    assertInvalidToken(t, await preset.call({ token: await mint({ aud, azp: aud }) }), aud)

  const about = '/about'
  const { ask } = await startApi(t, byPreset, (app) => {
    app.get(about, (request) => app.latchkey.readUserInfo(request))
  })
  const { status, json } = await ask(await mint(), about)
  t.equal(status, 200)
  const { sub, email } = google
  t.match(json, { sub, email }, 'UserInfo, which ID tokens do not open, is not asked')
})

void t.test('an ID token as Apple makes it, without typ and azp, is accepted', async (t) => {
  const claims = { azp: undefined, at_hash: undefined, nonce: undefined, nonce_supported: true }
  for (const { call } of [both, only]) {
    const { status, text } = await call({ token: await mint(claims, { typ: undefined }) })
    t.equal(status, 200)
    t.match(JSON.parse(text), { sub: google.sub, client_id: client })
  }
  const token = await mint(claims, { typ: undefined })
  t.equal((await both.call({ token, path: '/mine' })).status, 200, 'its audience is its client')
})

void t.test('whatever claims an ID token has, it grants no scope', async (t) => {
  const { call } = await startGuardedApp(t, {
    ...trusted,
    audience: client,
    tokens: ['id'],
    claims: { scopes: 'permissions', roles: 'groups' }
  })
  const token = await mint({ permissions: ['documents:read'], groups: ['admin'] })
  t.match(JSON.parse((await call({ token })).text), { scopes: [] })
  t.equal((await call({ token, path: '/documents' })).status, 403)
})

const now = Math.floor(Date.now() / 1000)
const bad: Record<string, Claims> = {
  'item 2: another iss': { iss: `${issuer.issuer}/` },
  'item 3: the aud of another client': { aud: 'other', azp: 'other' },
  'item 3: an aud that is not trusted beside ours': { aud: [client, 'other'] },
  'item 3: an aud that is a number': { aud: 5 },
  'item 3: no aud': { aud: undefined },
  'item 3: an empty aud': { aud: [] },
  'item 4: several aud and no azp': { aud: [client, android], azp: undefined },
  'item 5: the azp of another client': { azp: 'other' },
  'item 5: an azp that is no text': { azp: [client] },
  'item 9: expired': { exp: now - 6, iat: now - 60 },
  'item 9: no exp': { exp: undefined },
  'item 10: no iat': { iat: undefined },
  'item 10: iat ahead': { iat: now + 3600 },
  'section 2: no sub': { sub: undefined },
  'nbf ahead': { nbf: now + 3600 },
  'a logout token': { events: { 'http://schemas.openid.net/event/backchannel-logout': {} } },
  'an introspection answer': { token_introspection: { active: true } },
  'a Keycloak refresh token': { typ: 'Refresh' },
  'a Cognito access token': { token_use: 'access' },
  'a token that is bound to a key': { cnf: { jkt: 'A'.repeat(43) } },
  'an access token for the client itself': { scope: 'openid', nonce: undefined },
  'an access token with scp': { scp: ['openid'], nonce: undefined }
}
for (const [name, claims] of Object.entries(bad))
  void t.test(`OpenID Connect Core 3.1.3.7, ${name}: refused`, async (t) => {
    for (const { call } of [both, only])
      assertInvalidToken(t, await call({ token: await mint(claims) }), name)
  })

void t.test('OpenID Connect Core 3.1.3.7, items 6 to 8: signature and algorithm', async (t) => {
  const strict = await startGuardedApp(t, {
    ...trusted,
    audience: client,
    tokens: ['id'],
    algorithms: ['RS256']
  })
  const token = await issuer.mint(google, { alg: 'ES256', header: { typ: 'JWT' } })
  t.equal((await only.call({ token })).status, 200)
  assertInvalidToken(t, await strict.call({ token }), 'an algorithm off the list')
  assertInvalidToken(t, await only.call({ token: `${token.slice(0, -4)}AAAA` }), 'forged')
})

void t.test('item 3: audiences that are all trusted', async (t) => {
  for (const aud of [[client], [client, android], [client, issuer.audience]])
    t.equal((await both.call({ token: await mint({ aud }) })).status, 200, aud.join(' '))
  const hybrid = await mint({ azp: android })
  t.equal((await both.call({ token: hybrid })).status, 200, 'asked for by the other app')
  assertInvalidToken(t, await only.call({ token: hybrid }), 'which was not named here')
})

void t.test('BCP-6: with both, each kind is judged by its own rules', async (t) => {
  const accepted = await issuer.mint({ scope: 'documents:read' })
  t.equal((await both.call({ token: accepted, path: '/documents' })).status, 200)
  const plain = await issuer.mint({}, { header: { typ: 'JWT' } })
  t.equal((await both.call({ token: plain })).status, 200)
  const wrong: Record<string, string> = {
    'an access token for the client': await issuer.mint({ aud: client }),
    'the same as JWT': await issuer.mint({ aud: client }, { header: { typ: 'JWT' } }),
    'an ID token for the API': await mint({ aud: issuer.audience, azp: issuer.audience }),
    'an ID token with the typ of access tokens': await mint({}, { typ: 'at+jwt' }),
    'an access token without typ': await issuer.mint({}, { header: { typ: undefined } }),
    'a logout token': await mint({}, { typ: 'logout+jwt' })
  }
  // headers that led to a key are known from here on, whatever kind they came with
  for (const typ of ['JWT', undefined])
    t.equal((await both.call({ token: await mint({}, { typ }) })).status, 200)
  for (const [name, token] of Object.entries(wrong))
    for (const time of ['first', 'second'])
      assertInvalidToken(t, await both.call({ token }), `${name}, the ${time} time`)
})

void t.test('BCP-6: with ID tokens alone, access tokens are refused', async (t) => {
  for (const typ of ['at+jwt', 'JWT', undefined])
    for (const aud of [client, issuer.audience]) {
      const token = await issuer.mint({ aud }, { header: { typ } })
      assertInvalidToken(t, await only.call({ token }), `${typ} for ${aud}`)
    }
})

void t.test('wrong settings stop the start in one line', async (t) => {
  const wrong: [object, RegExp][] = [
    [
      { idTokens: { clientId: client } },
      /^idTokens of .*: found a value, allowed: nothing, or "id"/
    ],
    [{ tokens: ['jwt', 'id'] }, /^idTokens of .*: found nothing, allowed: an object with clientId/],
    [
      { tokens: ['id'], idTokens: { clientId: [] } },
      /^idTokens.clientId of .*: found \[\], allowed/
    ],
    [{ tokens: ['id'], idTokens: { clientId: 5 } }, /^idTokens.clientId of .*: found 5, allowed/],
    [
      { tokens: ['id'], idTokens: { clientIds: 'x' } },
      /^idTokens.clientIds of .*allowed: clientId$/
    ],
    [
      { tokens: ['id'], requiredClaims: { hd: 'example.com' } },
      /^requiredClaims of .*: found a value, allowed: nothing, as tokens has "id" alone/
    ],
    [{ tokens: ['id_token'] }, /^tokens of .*: found \["id_token"\], allowed: .*jwt, opaque, id$/]
  ]
  for (const [more, message] of wrong)
    await t.rejects(createApp({ ...trusted, ...more }), { message })
})

for (const [name, guarded] of Object.entries({ both, only, preset }))
  void t.test(`no line of the log holds a token that was sent (${name})`, async (t) =>
    assertCleanLog(t, guarded)
  )

import t from 'tap'
import type { Test } from 'tap'
import type { IssuerOptions } from '../../src/issuer/issuer-options.ts'
import { startTestIssuer } from '../../src/testing.ts'
import { startApi } from '../support/api.ts'
import { startGuardedApp } from '../support/guarded-app.ts'
import { json, startHostileIssuer } from '../support/hostile-issuer.ts'
import { assertInvalidToken, assertUnavailable } from '../support/outcomes.ts'
import { mintLogoutToken, startRevocableApi } from '../support/revocable-api.ts'

const [ours, theirs] = [
  '3f2504e0-4f89-41d3-9a0c-0305e82c3301',
  '9188040d-6c67-4c5b-b112-36a304b66dad'
]
const sound = await startTestIssuer({ algorithms: ['RS256'] })
t.teardown(() => sound.close())

type KeyIssuer = (origin: string) => string | undefined
const ofEvery: KeyIssuer = (origin) => `${origin}/{tenantid}/v2.0`

/** A provider whose tenants share a key set. */
async function startTenants(t: Test, keyIssuer = ofEvery) {
  const provider = await startHostileIssuer()
  t.teardown(() => provider.close())
  const { issuer: origin } = provider
  const template = `${origin}/{tenantid}/v2.0`
  const document = {
    issuer: template,
    jwks_uri: `${origin}/common/keys`,
    userinfo_endpoint: `${origin}/me`
  }
  const keys = sound.jwks.keys.map((jwk) => ({ ...jwk, issuer: keyIssuer(origin) }))
  provider.on('/common/v2.0/.well-known/openid-configuration', json(document))
  provider.on('/common/keys', json({ keys }))
  const issOf = (tenant: string) => `${origin}/${tenant}/v2.0`
  return { provider, origin, template, issOf }
}

/** Beside it an API that trusts some of them. */
async function startProvider(t: Test, tenants: IssuerOptions['tenants'], keyIssuer?: KeyIssuer) {
  const scene = await startTenants(t, keyIssuer)
  const { audience } = sound
  const { call, app } = await startGuardedApp(t, { issuer: scene.template, audience, tenants })
  const send = async (iss: string) => call({ token: await sound.mint({ iss }) })
  return { ...scene, app, send }
}

t.test('META-11: only the tenants of the list are trusted, each by its own iss', async (t) => {
  const { send, issOf, template, app, provider } = await startProvider(t, [ours])
  const { status, text } = await send(issOf(ours))
  t.equal(status, 200)
  t.match(JSON.parse(text), { iss: issOf(ours) })
  assertInvalidToken(t, await send(issOf(theirs)), 'another tenant')
  assertInvalidToken(t, await send(template), 'the template itself')
  assertInvalidToken(t, await send(issOf('common')), 'the name of its metadata')
  t.strictSame(app.latchkey.issuers, [issOf(ours)])
  t.equal(provider.requests('/common/keys').length, 1)
})

t.test('META-11: any tenant is trusted if that is said, with one key set for all', async (t) => {
  const { send, issOf, template, app, origin, provider } = await startProvider(t, 'any')
  for (const tenant of [ours, theirs, ours]) {
    const { status, text } = await send(issOf(tenant))
    t.equal(status, 200)
    t.match(JSON.parse(text), { iss: issOf(tenant) })
  }
  for (const iss of [template, issOf('common'), `${issOf(ours)}/`, `${origin}/x/${ours}/v2.0`])
    assertInvalidToken(t, await send(iss), iss)
  t.strictSame(app.latchkey.issuers, [issOf('common')])
  t.equal(provider.requests('/common/keys').length, 1)
})

t.test(
  'JWT-6: an iss that can not even be turned into text is a defect of the token',
  async (t) => {
    const { app } = await startProvider(t, 'any')
    const nested = `${'['.repeat(5500)}${']'.repeat(5500)}`
    const encode = (text: string) => Buffer.from(text).toString('base64url')
    for (const iss of [
      '{"toString":1,"valueOf":1}',
      '[[{"toString":null}]]',
      nested,
      '7',
      'null'
    ]) {
      const token = `${encode('{"alg":"RS256","typ":"at+jwt"}')}.${encode(`{"iss":${iss}}`)}.AAAA`
      const headers = { authorization: `Bearer ${token}` }
      const { statusCode } = await app.inject({ url: '/whoami', headers })
      t.equal(statusCode, 401, iss.slice(0, 30))
    }
  }
)

t.test('BCP-3: a key that belongs to one tenant signs for no other', async (t) => {
  const { send, issOf } = await startProvider(t, 'any', (origin) => `${origin}/${theirs}/v2.0`)
  t.equal((await send(issOf(theirs))).status, 200)
  assertInvalidToken(t, await send(issOf(ours)), 'signed by a key of another tenant')
})

t.test('BCP-3: keys that say nothing of their issuer sign for all tenants', async (t) => {
  const { send, issOf } = await startProvider(t, 'any', () => undefined)
  t.equal((await send(issOf(ours))).status, 200)
})

t.test('BCP-3: a key of another tenant does not sign for a single issuer either', async (t) => {
  const provider = await startHostileIssuer()
  t.teardown(() => provider.close())
  provider.impersonate(sound)
  const keys = sound.jwks.keys.map((jwk) => ({
    ...jwk,
    issuer: `https://id.example.com/${theirs}`
  }))
  provider.on('/jwks', json({ keys }))
  const { audience } = sound
  const { call } = await startGuardedApp(t, { issuer: provider.issuer, audience })
  const token = await sound.mint({ iss: provider.issuer })
  assertInvalidToken(t, await call({ token }), 'signed by a key of another issuer')
})

t.test('BCP-3, BCL-3: a logout token is signed by a key of its own tenant', async (t) => {
  const { template, issOf } = await startTenants(t, (origin) => `${origin}/${ours}/v2.0`)
  const { ask, logout } = await startRevocableApi(t, {
    issuer: template,
    audience: sound.audience,
    tenants: 'any',
    backchannelLogout: { clientId: 'app' }
  })
  const token = await sound.mint({ iss: issOf(ours) })
  t.equal((await ask(token)).status, 200)
  t.equal((await logout(await mintLogoutToken(sound, { iss: issOf(theirs) }))).status, 400)
  t.equal((await logout(await mintLogoutToken(sound, { iss: issOf(ours) }))).status, 200)
  t.equal((await ask(token)).status, 401)
})

t.test('META-3: metadata of one tenant is not that of the template', async (t) => {
  const { provider, send, issOf, origin } = await startProvider(t, 'any')
  const document = { issuer: issOf(ours), jwks_uri: `${origin}/common/keys` }
  provider.on('/common/v2.0/.well-known/openid-configuration', json(document))
  assertUnavailable(t, await send(issOf(ours)), 'a tenant')
  t.equal(provider.requests('/common/keys').length, 0)
})

const template = 'https://id.example.com/{tenantid}/v2.0'
for (const [name, options, message] of [
  ['no tenants', { issuer: template }, /^tenants: found nothing, allowed: .* or "any"/],
  ['a tenant that is none', { issuer: template, tenants: ['x'] }, /^tenants: found \["x"\]/],
  ['an empty list', { issuer: template, tenants: [] }, /^tenants: found \[\]/],
  ['a tenant twice', { issuer: template, tenants: [ours, ours] }, /^tenants: found a tenant twice/],
  [
    'tenants without a template',
    { issuer: 'https://id.example.com', tenants: [ours] },
    /^tenants: /
  ],
  ['another placeholder', { issuer: 'https://id.example.com/{id}', tenants: 'any' }, /^issuer: /],
  ['opaque tokens', { issuer: template, tenants: 'any', tokens: ['opaque'] }, /^tokens: /],
  [
    'security events, which name no tenant',
    { issuer: template, tenants: 'any', securityEvents: { audience: 'events' } },
    /^securityEvents: found a value, allowed: nothing/
  ]
] as const)
  t.test(`a template with ${name} is refused at the start`, async (t) => {
    const start = startGuardedApp(t, { audience: 'a', ...options })
    await t.rejects(start, { name: 'TypeError', message })
  })

t.test('UI-5: what UserInfo signs is for the tenant of the token, and no other', async (t) => {
  const { provider, template, issOf } = await startTenants(t)
  const { audience } = sound
  const api = await startApi(t, { issuer: template, audience, tenants: [ours, theirs] })
  const ask = async (tenant: string, signedFor: string) => {
    const claims = { iss: issOf(signedFor), aud: 'test-client', sub: 'ada', scope: undefined }
    const text = await sound.mint(claims, { header: { typ: 'JWT' } })
    provider.on('/me', (_request, response) => {
      response.writeHead(200, { 'Content-Type': 'application/jwt' }).end(text)
    })
    return api.ask(await sound.mint({ iss: issOf(tenant), jti: tenant + signedFor }), '/me')
  }
  t.equal((await ask(ours, ours)).status, 200)
  t.equal((await ask(theirs, theirs)).status, 200)
  t.equal((await ask(ours, theirs)).status, 502)
})

import t from 'tap'
import type { IssuerOptions } from '../../src/issuer/issuer-options.ts'
import type { Principal } from '../../src/token/principal.ts'
import { startTestIssuer } from '../../src/testing.ts'
import type { TestIssuer } from '../../src/testing/issuer.ts'
import { assertCleanLog, startGuardedApp } from '../support/guarded-app.ts'
import { assertInvalidToken } from '../support/outcomes.ts'
import {
  type ProviderToken,
  type ProviderTokens,
  providerTokens
} from '../support/provider-tokens.ts'

/** An issuer in the place of each provider. */
const providers = await Promise.all(
  Object.entries(providerTokens).map(async ([preset, tokens]) => ({
    preset: preset as keyof typeof providerTokens,
    ...tokens,
    issuer: await startTestIssuer({ algorithms: ['ES256'], audience: tokens.audience })
  }))
)
for (const { issuer } of providers) t.teardown(() => issuer.close())

const guarded = await startGuardedApp(
  t,
  { issuers: providers.map(({ preset, issuer }) => ({ ...issuer.options, preset })) },
  Object.fromEntries([
    ['/owner', { roles: ['owner'] }],
    ...providers.flatMap(({ preset, understood }) => Object.entries(guardsFor(preset, understood)))
  ])
)

/** A route for each thing that is to be understood of a provider's token. */
function guardsFor(
  preset: string,
  { client, scopes, roles, tokenId }: ProviderTokens['understood']
) {
  return {
    [`/${preset}/client`]: { clients: [client] },
    ...(tokenId !== undefined && {
      [`/${preset}/token-id`]: { allow: (caller: Principal) => caller.tokenId === tokenId }
    }),
    ...(scopes.length > 0 && { [`/${preset}/scopes`]: { scopes } }),
    ...(roles.length > 0 && { [`/${preset}/roles`]: { roles } })
  }
}

function mint(issuer: TestIssuer, { typ, claims }: ProviderToken): Promise<string> {
  return issuer.mint(claims, { header: { typ } })
}

for (const { preset, issuer, access, understood, variants = {}, others } of providers) {
  const forms: Readonly<Record<string, ProviderToken>> = { 'as documented': access, ...variants }

  void t.test(`AT-5: an access token of ${preset} is understood`, async (t) => {
    for (const [form, { typ, claims }] of Object.entries(forms)) {
      const token = await mint(issuer, { typ, claims: { ...access.claims, ...claims } })
      const { status, text } = await guarded.call({ token })
      t.equal(status, 200, `${form}: ${text}`)
      const { aud, client_id, scopes } = JSON.parse(text) as Record<string, unknown>
      const said = { aud: issuer.audience, ...access.claims, ...claims }.aud
      const expected = { aud: said, client_id: understood.client, scopes: understood.scopes }
      t.strictSame({ aud, client_id, scopes }, expected, form)
      for (const path of Object.keys(guardsFor(preset, understood)))
        t.equal((await guarded.call({ path, token })).status, 200, `${form}: ${path}`)
      const elsewhere = await guarded.call({ path: '/owner', token })
      t.equal(elsewhere.status, 403, `${form}: a role for another API is none here`)
    }
  })

  void t.test(`BCP-6: other tokens of ${preset} are refused`, async (t) => {
    for (const [name, token] of Object.entries(others)) {
      const answer = await guarded.call({ token: await mint(issuer, token) })
      assertInvalidToken(t, answer, name)
      const description = answer.challenges[0]?.params['error_description']
      t.match(description, /accepted type|required claim|not meant for/, name)
    }
  })
}

void t.test('what an issuer says itself wins over its preset', async (t) => {
  const issuer = await startTestIssuer({ algorithms: ['ES256'] })
  t.teardown(() => issuer.close())
  const options: IssuerOptions = {
    ...issuer.options,
    preset: 'entra',
    requiredClaims: { ver: ['1.0', '2.0'] },
    claims: { roles: ['roles', 'groups'], scopes: 'scope', client: undefined },
    clockTolerance: undefined
  }
  const own = await startGuardedApp(t, options, { '/group': { roles: ['g1'] } })
  const token = await issuer.mint({ ver: '2.0', scp: 'a b', groups: ['g1'], azp: 'app' })
  const { text } = await own.call({ token })
  t.match(
    JSON.parse(text),
    { client_id: 'app', scopes: ['openid'] },
    'client from the preset, scopes not'
  )
  t.equal((await own.call({ path: '/group', token })).status, 200)
  assertInvalidToken(t, await own.call({ token: await issuer.mint({ azp: 'app' }) }), 'without ver')
})

void t.test('AT-1: typ can be absent where an issuer says so, and then has to be', async (t) => {
  const issuer = await startTestIssuer({ algorithms: ['ES256'] })
  t.teardown(() => issuer.close())
  const own = await startGuardedApp(t, { ...issuer.options, typ: ['absent'] })
  const withType = async (typ: unknown) =>
    own.call({ token: await issuer.mint({}, { header: { typ } }) })
  t.equal((await withType(undefined)).status, 200)
  for (const typ of ['absent', 'ABSENT', '', 'application/', 'at+jwt', null, 5])
    assertInvalidToken(t, await withType(typ), JSON.stringify(typ))
})

void t.test(
  'roles can count as scopes, where an issuer puts no scopes into its tokens',
  async (t) => {
    const issuer = await startTestIssuer({ algorithms: ['ES256'], audience: '2837' })
    t.teardown(() => issuer.close())
    const roles = 'urn:zitadel:iam:org:project:{audience}:roles.*'
    const options: IssuerOptions = {
      ...issuer.options,
      preset: 'zitadel',
      claims: { scopes: ['scope', roles] }
    }
    const own = await startGuardedApp(t, options)
    const token = await issuer.mint({
      'urn:zitadel:iam:org:project:2837:roles': { 'documents:read': {}, revoked: false }
    })
    t.match(JSON.parse((await own.call({ token })).text), { scopes: ['openid', 'documents:read'] })
    t.equal((await own.call({ path: '/documents', token })).status, 200)
  }
)

void t.test('no token is in the log', async (t) => assertCleanLog(t, guarded))

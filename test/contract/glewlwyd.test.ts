import t, { type Test } from 'tap'
import { startDevelopmentIssuer } from '../../src/development/issuer.ts'
import { mintUserToken } from '../../src/development/mint-token.ts'
import { startApi } from '../support/api.ts'
import { appUnderTest } from '../support/app.ts'
import { type Glewlwyd, noGlewlwyd, startGlewlwyd } from '../support/glewlwyd.ts'
import { until } from '../support/until.ts'

// Debian's glewlwyd: an issuer written in C, by none of those whose libraries check its tokens here.

const scope = 'openid documents:read'

void t.test('glewlwyd, an issuer with a path', { skip: noGlewlwyd }, async (t) => {
  const glewlwyd = await startGlewlwyd(t)
  const { issuer, audience: resource } = glewlwyd
  const trusted = { issuer, audience: resource }

  await t.test('its access token opens the API, and UserInfo with it', async (t) => {
    const api = await startApi(t, { ...trusted, typ: ['at+jwt'] })
    const { accessToken } = await glewlwyd.signIn({ scope, resource })
    t.match(await api.ask(accessToken), {
      status: 200,
      json: {
        iss: issuer,
        sub: 'ada',
        aud: resource,
        client_id: 'app',
        scopes: ['openid', 'documents:read']
      }
    })
    t.match(await api.ask(accessToken, '/me'), {
      status: 200,
      json: { sub: 'ada', name: 'Ada Lovelace' }
    })
  })

  await t.test('AT-2: its ID token, signed by the same key, opens nothing', async (t) => {
    const { idToken } = await glewlwyd.signIn({ scope, resource })
    // where the ID token names an audience of the API, only its kind can give it away
    const api = await startApi(t, { issuer, audience: [resource, glewlwyd.client.clientId] })
    t.match(await api.ask(idToken), {
      status: 401,
      json: { detail: 'The token is not an access token of an accepted type.' },
      challenges: [{ params: { error: 'invalid_token' } }]
    })
  })

  await t.test('a token that was not asked for the API is not for it (RFC 8707)', async (t) => {
    const api = await startApi(t, trusted)
    const { accessToken } = await glewlwyd.signIn({ scope })
    t.match(await api.ask(accessToken), {
      status: 401,
      json: { detail: 'The access token is not meant for this API.' }
    })
  })

  await t.test('BEARER-8: its scopes are those of the guards', async (t) => {
    const api = await startApi(t, trusted)
    const token = await glewlwyd.mintForClient('documents:read')
    t.match(await api.ask(token), { status: 200, json: { sub: 'app', client_id: 'app' } })
    t.match(await api.ask(token, '/me'), {
      status: 403,
      challenges: [{ params: { error: 'insufficient_scope', scope: 'openid' } }]
    })
  })

  await t.test('INT-3: revoked there, a token that is introspected opens nothing', async (t) => {
    const introspection = { ...glewlwyd.client, cacheSeconds: 0 }
    const api = await startApi(t, { ...trusted, tokens: ['opaque'], introspection })
    const { accessToken } = await glewlwyd.signIn({ scope, resource })
    t.match(await api.ask(accessToken), { status: 200, json: { sub: 'ada', client_id: 'app' } })
    await glewlwyd.revoke(accessToken)
    t.match(await api.ask(accessToken), {
      status: 401,
      json: { detail: 'The issuer says that the access token is not active.' }
    })
  })

  await t.test('beside oidc-provider: the same subject at both is two owners', async (t) => {
    const service = await startService(t, glewlwyd)
    const [here, there] = [await service.tokenOfOidcProvider(), await service.tokenOfGlewlwyd()]
    const subjects = await Promise.all([here, there].map((token) => service.call(token, '/me')))
    t.match(
      subjects.map((answer) => answer.json()),
      [{ sub: 'ada' }, { sub: 'ada' }]
    )

    const created = await service.call(here, '/documents', { data: { title: 'mine' } })
    t.equal(created.statusCode, 201)
    const { location } = created.headers
    const path = new URL(String(location)).pathname
    t.equal((await service.call(here, path)).statusCode, 200)
    t.equal((await service.call(there, path)).statusCode, 404)
    t.match((await service.call(there, '/documents')).json(), { items: [] })
  })
})

void t.test('glewlwyd signs with RSA as well', { skip: noGlewlwyd }, async (t) => {
  const { issuer, audience, signIn } = await startGlewlwyd(t, 'RS256')
  const { accessToken } = await signIn({ scope, resource: audience })
  for (const [algorithm, status] of [
    ['RS256', 200],
    ['ES256', 401]
  ] as const) {
    const api = await startApi(t, { issuer, audience, algorithms: [algorithm] })
    t.match(await api.ask(accessToken), { status }, `an API that accepts ${algorithm}`)
  }
})

/** The whole service, for the tokens of both issuers. */
async function startService(t: Test, { issuer, audience, signIn }: Glewlwyd) {
  const scopes = ['documents:read', 'documents:write']
  const other = await startDevelopmentIssuer({ audience, scopes })
  t.teardown(() => other.close())
  const { app } = await appUnderTest(t, {
    issuers: [
      { issuer, audience },
      { issuer: other.issuer, audience }
    ]
  })
  await until(() => app.latchkey.isReady())
  const scope = ['openid', ...scopes].join(' ')
  return {
    tokenOfGlewlwyd: async () => (await signIn({ scope, resource: audience })).accessToken,
    tokenOfOidcProvider: () => mintUserToken({ issuer: other.issuer, scope, user: 'ada' }),
    call: (token: string, url: string, payload?: object) =>
      app.inject({
        method: payload === undefined ? 'GET' : 'POST',
        url,
        headers: { authorization: `Bearer ${token}` },
        ...(payload && { payload })
      })
  }
}

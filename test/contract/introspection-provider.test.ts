import { join } from 'node:path'
import t from 'tap'
import { startApi } from '../support/api.ts'
import { startIntrospectingProvider } from '../support/introspecting-provider.ts'

t.test('an opaque token of oidc-provider opens the API until it is revoked', async (t) => {
  const { issuer, audience, secretClient, mint } = await startIntrospectingProvider(t)
  const introspection = { ...secretClient, cacheSeconds: 0 }
  const api = await startApi(t, { issuer, audience, tokens: ['jwt', 'opaque'], introspection })
  const { token, kept } = await mint()
  t.notMatch(token, '.', 'it is opaque')
  const answer = await api.ask(token)
  t.equal(answer.status, 200)
  t.match(answer.json, {
    iss: issuer,
    sub: 'ada',
    aud: audience,
    client_id: 'app',
    scopes: ['openid', 'documents:read']
  })
  await kept.destroy()
  const refused = await api.ask(token)
  t.equal(refused.status, 401)
  t.match(refused.challenges[0]?.params, { error: 'invalid_token' })
  t.match(refused.json, { detail: 'The issuer says that the access token is not active.' })
})

t.test(
  'a token of oidc-provider for another API, or of its own making, opens nothing',
  async (t) => {
    const { issuer, audience, secretClient, mint } = await startIntrospectingProvider(t)
    const options = { issuer, audience, tokens: ['opaque'], introspection: secretClient } as const
    const api = await startApi(t, options)
    const { token } = await mint('https://other.example.com')
    t.match(await api.ask(token), {
      status: 401,
      json: { detail: 'The access token is not meant for this API.' }
    })
    t.match(await api.ask(`${token.slice(1)}A`), { status: 401 })
  }
)

t.test('INT-2: oidc-provider knows the API by its key', async (t) => {
  const { issuer, audience, keyClient, mint } = await startIntrospectingProvider(t)
  const { clientId, privateKey } = keyClient
  const introspection = { clientId, privateKeyFile: join(t.testdir({ key: privateKey }), 'key') }
  const api = await startApi(t, { issuer, audience, tokens: ['opaque'], introspection })
  t.match(await api.ask((await mint()).token), { status: 200, json: { sub: 'ada' } })
})

t.test(
  'INT-7: oidc-provider refusing the credentials of the API is answered with 503',
  async (t) => {
    const { issuer, audience, secretClient, mint } = await startIntrospectingProvider(t)
    const introspection = { ...secretClient, clientSecret: 'wrong' }
    const api = await startApi(t, { issuer, audience, tokens: ['opaque'], introspection })
    const answer = await api.ask((await mint()).token)
    t.equal(answer.status, 503)
    t.ok(Number(answer.headers.get('retry-after')) > 0)
    t.match(api.log.join(''), /answered with status 401/)
  }
)

t.test('INT-10: oidc-provider signs its answer, and is believed for that', async (t) => {
  const { issuer, audience, secretClient, mint } = await startIntrospectingProvider(t)
  const introspection = { ...secretClient, signedAnswers: true }
  const api = await startApi(t, { issuer, audience, tokens: ['opaque'], introspection })
  t.match(await api.ask((await mint()).token), { status: 200, json: { sub: 'ada' } })
  t.match(await api.ask('made-up'), { status: 401 })
})

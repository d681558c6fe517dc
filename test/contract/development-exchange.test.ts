import { createRemoteJWKSet, jwtVerify } from 'jose'
import t from 'tap'
import type { Test } from 'tap'
import type { LatchkeyOptions } from '../../plugins/latchkey.ts'
import { startDevelopmentIssuer } from '../../src/development/issuer.ts'
import { mintUserToken } from '../../src/development/mint-token.ts'
import type { ExchangedToken, ExchangeTarget } from '../../src/issuer/token-exchange.ts'
import { startApi } from '../support/api.ts'

const audience = 'https://api.example.com'
const other = 'https://billing.example.com'
const scopes = ['documents:read', 'documents:write']
const development = await startDevelopmentIssuer({ audience, scopes })
t.teardown(() => development.close())
const { issuer, clientSecret } = development
const tokenExchange = { clientId: 'latchkey-api', clientSecret }
const keys = createRemoteJWKSet(new URL(`${issuer}/jwks`))

function mint(scope = 'openid profile email documents:read', user = 'ada'): Promise<string> {
  return mintUserToken({ issuer, user, scope })
}

/** An API whose `/billing` exchanges its caller's token, and what it got. */
async function startBilling(
  t: Test,
  target: ExchangeTarget,
  options: Partial<LatchkeyOptions> = {}
) {
  const got: ExchangedToken[] = []
  const trusted = { issuer, audience, tokenExchange, ...options }
  const api = await startApi(t, trusted, (app) => {
    app.get('/billing', async (request) => {
      got.push(await request.exchangeToken(target))
      return 'done'
    })
    app.get('/open', { config: { auth: false } }, async (request) => {
      await request.exchangeToken(target)
    })
  })
  return { ...api, got }
}

async function post(form: Record<string, string>, client = `latchkey-api:${clientSecret}`) {
  const credentials = Buffer.from(client).toString('base64')
  const answer = await fetch(`${issuer}/token`, {
    method: 'POST',
    body: new URLSearchParams({
      grant_type: 'urn:ietf:params:oauth:grant-type:token-exchange',
      subject_token_type: 'urn:ietf:params:oauth:token-type:access_token',
      ...form
    }),
    headers: { authorization: `Basic ${credentials}` }
  })
  return { status: answer.status, json: (await answer.json()) as Record<string, unknown> }
}

t.test('UI-12: /me of the development issuer, by token exchange', async (t) => {
  const api = await startApi(t, { issuer, audience, tokenExchange, userinfo: 'exchange' })
  const answer = await api.ask(await mint(), '/me')
  t.equal(answer.status, 200)
  t.match(answer.json, { sub: 'ada', name: 'Ada Lovelace', email: 'ada@example.com' })
  t.strictSame((await api.ask(await mint('openid'), '/me')).json, { sub: 'ada' })
  t.match((await api.ask(await mint('openid', 'grace'), '/me')).json, { sub: 'grace' })
})

t.test('TX-1, TX-3: a handler gets a token of its caller for another API', async (t) => {
  const { ask, got, logged } = await startBilling(t, {
    audience: other,
    scopes: ['documents:read']
  })
  for (let round = 0; round < 2; round++) t.equal((await ask(await mint(), '/billing')).status, 200)
  const [first] = got
  const { payload } = await jwtVerify(first?.token ?? '', keys, { issuer, audience: other })
  t.match(payload, { sub: 'ada', client_id: 'latchkey-api', scope: 'documents:read' })
  t.equal(payload.exp, first?.expiresAt)
  t.strictSame(first?.scopes, ['documents:read'])
  t.match(logged('token exchanged'), [
    { subject: 'ada', clientId: 'latchkey-cli', audience: other }
  ])
  t.equal((await ask(first?.token ?? '')).status, 401, 'it does not open this API')
})

t.test('TX-5: a handler sees what was not granted', async (t) => {
  const wanted = ['documents:read', 'documents:write']
  const { ask, got } = await startBilling(t, { audience: other, scopes: wanted })
  t.equal((await ask(await mint('openid documents:read'), '/billing')).status, 200)
  t.strictSame(got[0]?.scopes, ['documents:read'])
})

t.test('without tokenExchange a handler that asks for it is answered with 501', async (t) => {
  const target = { audience: other, scopes: [] }
  const { ask } = await startBilling(t, target, { tokenExchange: undefined })
  const answer = await ask(await mint(), '/billing')
  t.equal(answer.status, 501)
  t.match(answer.text, /Token exchange is not set up for the issuer of the access token/)
})

for (const [name, target, path] of [
  ['two targets', { audience: 'x', resource: 'urn:x', scopes: [] }, '/billing'],
  ['a scope with a space', { audience: 'x', scopes: ['a b'] }, '/billing'],
  ['no scopes', { audience: 'x' }, '/billing'],
  ['a public route', { audience: 'x', scopes: [] }, '/open']
] as const) {
  t.test(`a handler that exchanges with ${name} is an internal error, nobody asked`, async (t) => {
    const { ask, logged } = await startBilling(t, target as ExchangeTarget)
    t.equal((await ask(await mint(), path)).status, 500)
    t.strictSame(logged('token exchanged'), [])
  })
}

t.test(
  'the development issuer exchanges live tokens of users only, and gives no more',
  async (t) => {
    const token = await mint('openid documents:read')
    const userinfo = await post({ subject_token: token })
    t.match(userinfo, { status: 200, json: { scope: 'openid', token_type: 'Bearer' } })
    const exchanged = String(userinfo.json['access_token'])
    t.match((await jwtVerify(exchanged, keys)).payload, { aud: `${issuer}/me`, sub: 'ada' })
    for (const [name, form, error] of [
      ['no token', {}, 'invalid_grant'],
      ['garbage', { subject_token: 'garbage' }, 'invalid_grant'],
      ['an exchanged token', { subject_token: exchanged }, 'invalid_grant'],
      ['another kind', { subject_token: token, subject_token_type: 'x' }, 'invalid_request'],
      ['another wish', { subject_token: token, requested_token_type: 'x' }, 'invalid_request'],
      ['an actor', { subject_token: token, actor_token: token }, 'invalid_request']
    ] as const) {
      t.match(await post(form), { status: 400, json: { error } }, name)
    }
    const wider = await post({ subject_token: token, audience: other, scope: 'documents:write' })
    t.equal(wider.json['scope'], '')
    const machine = await post({ subject_token: token }, `latchkey-machine:${clientSecret}`)
    t.match(machine, { status: 400, json: { error: 'invalid_request' } })
    t.equal((await post({ subject_token: token }, 'latchkey-api:wrong')).status, 401)
  }
)

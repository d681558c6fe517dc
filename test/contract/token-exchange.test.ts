import t from 'tap'
import type { Test } from 'tap'
import { createDpopClient, publicUrl } from '../support/dpop-client.ts'
import { callOrigin } from '../support/http-call.ts'
import * as hostile from '../support/hostile-issuer.ts'
import type { Behaviour } from '../support/hostile-issuer.ts'
import {
  client,
  exchangedToken,
  failure,
  goodAnswer,
  startScene
} from '../support/token-exchange-scene.ts'

const urn = 'urn:ietf:params:oauth'
const accessToken = `${urn}:token-type:access_token`

t.test(
  'UI-12, TX-1, TX-3: /me asks UserInfo with a token exchanged for the caller’s',
  async (t) => {
    const tokenExchange = { ...client, audience: 'userinfo' }
    const { api, issuer, mint, calls } = await startScene(t, { tokenExchange })
    const token = await mint({ scope: 'openid profile documents:read' })
    const answer = await api.ask(token, '/me')
    t.equal(answer.status, 200)
    t.strictSame(answer.json, { sub: 'ada', name: 'Ada Lovelace' })
    const [call, ...more] = calls
    t.strictSame(more, [])
    t.match(call, { method: 'POST', url: '/token' })
    t.equal(call?.headers['content-type'], 'application/x-www-form-urlencoded')
    t.strictSame(Object.fromEntries(call?.form ?? []), {
      grant_type: `${urn}:grant-type:token-exchange`,
      subject_token: token,
      subject_token_type: accessToken,
      requested_token_type: accessToken,
      audience: 'userinfo',
      scope: 'openid profile'
    })
    const [asked] = issuer.requests('/userinfo')
    t.equal(asked?.headers.authorization, `Bearer ${exchangedToken}`)
  }
)

t.test('UI-12: /me of a caller whose token is bound to a key, by exchange only', async (t) => {
  const bound = await createDpopClient()
  const options = { dpop: 'optional', publicUrl } as const
  for (const [userinfo, status] of [
    ['exchange', 200],
    ['forward', 501]
  ] as const) {
    const tokenExchange = userinfo === 'exchange' ? client : undefined
    const { api, issuer, mint } = await startScene(t, { ...options, userinfo, tokenExchange })
    const token = await mint({ scope: 'openid', cnf: bound.cnf })
    const sent = bound.call(token, { claims: { htu: `${publicUrl}/me` } })
    const answer = await callOrigin(api.origin, { ...sent, path: '/me' })
    t.equal(answer.status, status, answer.text)
    t.strictSame(
      issuer.requests('/userinfo').map(({ headers }) => headers.authorization),
      userinfo === 'exchange' ? [`Bearer ${exchangedToken}`] : []
    )
    const asBearer = await callOrigin(api.origin, { path: '/me', token })
    t.equal(asBearer.status, 401)
  }
})

t.test('TX-1, TX-3: without a target none is sent; a resource is sent as one', async (t) => {
  const { api, mint, calls } = await startScene(t)
  await api.ask(await mint(), '/me')
  t.notOk(calls[0]?.form.has('audience') || calls[0]?.form.has('resource'))
  const resource = 'https://id.example.com/me'
  const other = await startScene(t, { tokenExchange: { ...client, resource } })
  await other.api.ask(await other.mint(), '/me')
  t.strictSame(other.calls[0]?.form.getAll('resource'), [resource])
  t.notOk(other.calls[0]?.form.has('audience'))
})

t.test('TX-2: the API authenticates itself as a client', async (t) => {
  const { api, mint, calls } = await startScene(t)
  await api.ask(await mint(), '/me')
  const [scheme, credentials = ''] = calls[0]?.headers.authorization?.split(' ') ?? []
  t.equal(scheme, 'Basic')
  const pair = Buffer.from(credentials, 'base64').toString()
  t.equal(pair, 'the+api:keep+it%3A+to+yourself')
  const posting = { ...client, authMethod: 'client_secret_post' } as const
  const other = await startScene(t, { tokenExchange: posting })
  await other.api.ask(await other.mint(), '/me')
  const { client_id, client_secret } = Object.fromEntries(other.calls[0]?.form ?? [])
  t.strictSame(
    { client_id, client_secret },
    { client_id: 'the api', client_secret: client.clientSecret }
  )
})

const unusable: [string, Behaviour][] = [
  ['no token', hostile.json({ ...goodAnswer, access_token: undefined })],
  ['a token that no header can carry', hostile.json({ ...goodAnswer, access_token: 'a\r\nb' })],
  ['N_A', hostile.json({ ...goodAnswer, token_type: 'N_A' })],
  ['a token bound to a key', hostile.json({ ...goodAnswer, token_type: 'DPoP' })],
  ['no token_type', hostile.json({ ...goodAnswer, token_type: undefined })],
  ['an ID token', hostile.json({ ...goodAnswer, issued_token_type: `${urn}:token-type:id_token` })],
  ['no issued_token_type', hostile.json({ ...goodAnswer, issued_token_type: undefined })],
  ['a list', hostile.json([goodAnswer])],
  ['HTML', hostile.html],
  ['an endless answer', hostile.huge()],
  ['a redirect', hostile.redirect('http://127.0.0.1:1/token')]
]

const failures: [string, Behaviour, number][] = [
  ...unusable.map(([name, behaviour]) => [name, behaviour, 502] as [string, Behaviour, number]),
  ['invalid_request', failure(400, { error: 'invalid_request' }), 502],
  ['invalid_client', failure(401, { error: 'invalid_client' }), 502],
  ['unauthorized_client', failure(400, { error: 'unauthorized_client' }), 502],
  ['an unknown error', failure(400, { error: 'a secret' }), 502],
  ['404', hostile.status(404), 502],
  ['500', hostile.status(500), 502],
  ['503', hostile.status(503, { 'Retry-After': '42' }), 503],
  ['429', hostile.status(429), 503],
  ['a connection cut', hostile.reset, 503],
  ['invalid_grant', failure(400, { error: 'invalid_grant' }), 403],
  ['invalid_scope', failure(400, { error: 'invalid_scope' }), 403],
  ['invalid_target', failure(400, { error: 'invalid_target' }), 403],
  ['access_denied', failure(403, { error: 'access_denied' }), 403]
]

/** Asserts that neither answer nor log hold one of these texts. */
function hidden(t: Test, lines: readonly string[], ...secrets: string[]): void {
  t.strictSame(
    lines.filter((line) => secrets.some((secret) => line.includes(secret))),
    []
  )
}

for (const [name, behaviour, status] of failures) {
  t.test(`TX-4, TX-7: ${name} is ${status}, and UserInfo is not asked`, async (t) => {
    const { api, issuer, mint, answerWith, calls } = await startScene(t)
    answerWith(behaviour)
    const token = await mint()
    const answer = await api.ask(token, '/me')
    t.equal(answer.status, status)
    t.strictSame(answer.challenges, [])
    t.equal(answer.headers.has('retry-after'), status === 503)
    t.equal(issuer.requests('/userinfo').length, 0)
    t.equal(api.logged('trouble with the issuer').length, 1, 'the operator is told')
    hidden(t, [answer.text, ...api.log], token.slice(-20), 'a secret', exchangedToken)
    await api.ask(token, '/me')
    t.equal(calls.length, 2, 'and it is not kept')
  })
}

t.test('TX-5: a token that was granted no openid is not sent to UserInfo', async (t) => {
  for (const scope of ['profile', '', ['profile']]) {
    const { api, issuer, mint, answerWith } = await startScene(t)
    answerWith(hostile.json({ ...goodAnswer, scope }))
    const answer = await api.ask(await mint(), '/me')
    t.equal(answer.status, 403)
    t.match(answer.text, 'does not let this API read the UserInfo of the caller')
    t.equal(issuer.requests('/userinfo').length, 0)
  }
})

t.test(
  'TX-6: one exchange for a token, also of 50 at once; another token has its own',
  async (t) => {
    const { api, mint, calls } = await startScene(t)
    const token = await mint()
    const answers = await Promise.all(Array.from({ length: 50 }, () => api.ask(token, '/me')))
    t.ok(answers.every(({ status }) => status === 200))
    t.equal(calls.length, 1)
    await api.ask(await mint(), '/me')
    t.equal(calls.length, 2)
  }
)

t.test(
  'TX-9: the caller never gets the exchanged token, nor does any line of the log',
  async (t) => {
    const { api, issuer, mint } = await startScene(t)
    const token = await mint()
    const answer = await api.ask(token, '/me')
    t.equal(answer.status, 200)
    const fields = JSON.stringify([...answer.headers])
    hidden(t, [answer.text, fields, ...api.log], exchangedToken, token.slice(-20))
    const sent = issuer.requests().filter(({ headers }) => headers.authorization?.includes(token))
    t.strictSame(sent, [], 'the received token goes to the token endpoint alone')
  }
)

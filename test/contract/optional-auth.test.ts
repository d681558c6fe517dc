import Fastify, { type FastifyInstance, type FastifyRequest } from 'fastify'
import t, { type Test } from 'tap'
import latchkey from '../../plugins/latchkey.ts'
import { startTestIssuer } from '../../src/testing.ts'
import type { Principal } from '../../src/token/principal.ts'
import { startApi } from '../support/api.ts'
import { appUnderTest, linesOfRequests } from '../support/app.ts'
import { createDpopClient, publicUrl } from '../support/dpop-client.ts'
import { type Answer, type Call, callOrigin } from '../support/http-call.ts'
import {
  assertAccessDenied,
  assertInsufficientScope,
  assertInvalidRequest,
  assertInvalidToken,
  assertNoCredentials,
  assertUnavailable
} from '../support/outcomes.ts'
import { until } from '../support/until.ts'

const issuer = await startTestIssuer({ algorithms: ['ES256'] })
t.teardown(() => issuer.close())
const optional = true
const api = await startApi(t, issuer.options, addFeeds)
const good = await issuer.mint({ scope: 'feed:read' })
const plain = await issuer.mint({ client_id: 'app' })
const expired = await issuer.mint({ exp: 1 })

function addFeeds(app: FastifyInstance): void {
  for (const [path, auth] of Object.entries({
    '/feed': { optional },
    '/scoped': { optional, scopes: ['feed:read'] },
    '/clients': { optional, clients: ['backend'] },
    '/never': { optional, allow: () => false },
    '/needed': { optional: false, scopes: ['feed:read'] }
  }))
    app.get(path, { config: { auth } }, answerCaller)
  app.get('/userinfo', { config: { auth: { optional } } }, async (request) =>
    app.latchkey.readUserInfo(request)
  )
  app.get('/exchange', { config: { auth: { optional } } }, async (request) =>
    request.exchangeToken({ audience: 'https://other.example.com', scopes: [] })
  )
}

/** What a handler sees of its caller. */
async function answerCaller({ principal }: FastifyRequest): Promise<object> {
  return { caller: (principal as Principal | null) && principal.subject }
}

function ask(path: string, call: Call = {}): Promise<Answer> {
  return callOrigin(api.origin, { path, ...call })
}

function assertCaller(t: Test, answer: Answer, caller: string | null, name: string): void {
  t.equal(answer.status, 200, name)
  t.strictSame(JSON.parse(answer.text), { caller }, name)
  t.strictSame(answer.challenges, [], name)
}

void t.test('without a token the handler is reached, and the principal is null', async (t) => {
  for (const path of ['/feed', '/scoped', '/clients', '/never'])
    assertCaller(t, await ask(path), null, path)
})

void t.test('with a token the handler sees its caller', async (t) => {
  for (const path of ['/feed', '/scoped'])
    assertCaller(t, await ask(path, { token: good }), 'ada', path)
  assertCaller(t, await ask('/feed', { token: plain }), 'ada', 'without scopes')
})

void t.test('a bad token is refused, and never taken for none', async (t) => {
  for (const token of ['x', 'x.y.z', expired, `${good}x`, await issuer.mint({ aud: 'other' })])
    for (const path of ['/feed', '/scoped'])
      assertInvalidToken(t, await ask(path, { token }), `${path} ${token.slice(-5)}`)
})

void t.test('a malformed or doubled Authorization field is refused as anywhere', async (t) => {
  for (const [name, lines] of Object.entries({
    'two fields': ['Authorization', `Bearer ${good}`, 'authorization', `Bearer ${good}`],
    'two fields, one of them Basic': ['Authorization', 'Basic YTpi', 'Authorization', 'Bearer x'],
    'an empty field': ['Authorization', ''],
    'no token': ['Authorization', 'Bearer'],
    'two tokens': ['Authorization', `Bearer ${good} ${good}`],
    'no scheme': ['Authorization', '=']
  }))
    assertInvalidRequest(t, await ask('/feed', { lines }), name)
  const both = await ask('/feed?access_token=x', { token: good })
  assertInvalidRequest(t, both, 'field and query')
})

void t.test('known callers have to meet the rest of the declaration', async (t) => {
  assertInsufficientScope(t, await ask('/scoped', { token: plain }), 'scope', 'feed:read')
  const client = 'This operation is not open to the client of the access token.'
  assertAccessDenied(t, await ask('/clients', { token: plain }), 'client', client)
  const caller = 'This operation is not open to this caller.'
  assertAccessDenied(t, await ask('/never', { token: plain }), 'predicate', caller)
})

void t.test('a token in the query alone is never read: the request is anonymous', async (t) => {
  for (const token of [good, expired])
    assertCaller(t, await ask(`/feed?access_token=${token}`), null, 'query')
})

void t.test('a scheme that is not accepted counts as no credentials, as anywhere', async (t) => {
  for (const field of ['Basic YTpi', `DPoP ${good}`])
    assertCaller(t, await ask('/feed', { lines: ['Authorization', field] }), null, field)
})

void t.test('optional: false, and a route that says nothing, need a token', async (t) => {
  assertNoCredentials(t, await ask('/needed'), 'false', 'feed:read')
  assertNoCredentials(t, await ask('/whoami'), 'nothing')
})

void t.test('HEAD is as optional as GET', async (t) => {
  const head = async (call: Call = {}) => (await ask('/scoped', { method: 'HEAD', ...call })).status
  t.strictSame(
    [await head(), await head({ token: good }), await head({ token: 'x' })],
    [200, 200, 401]
  )
  t.equal(await head({ token: plain }), 403)
})

void t.test('RFC 9111: no cache takes an anonymous answer for that of a caller', async (t) => {
  t.equal((await ask('/feed')).headers.vary, 'Authorization')
  t.equal((await ask('/feed', { token: good })).headers.vary, 'Authorization', 'nor the other way')
  t.equal((await ask('/whoami', { token: good })).headers.vary, undefined, 'another route')
  const app = Fastify()
  t.teardown(() => app.close())
  app.addHook('onRequest', async (_request, reply) => void reply.header('vary', 'Origin'))
  await app.register(latchkey, issuer.options)
  app.get('/feed', { config: { auth: { optional } } }, answerCaller)
  t.equal((await app.inject('/feed')).headers.vary, 'Origin, Authorization')
})

void t.test('what only a caller can ask for is a defect of the handler, and says so', async (t) => {
  for (const [path, asked] of [
    ['/userinfo', 'readUserInfo'],
    ['/exchange', 'exchangeToken']
  ] as const) {
    const answer = await ask(path)
    t.equal(answer.status, 500, path)
    t.match(answer.text, `${asked}: found a request without a principal`)
  }
})

void t.test('RFC 9728: the scopes of optional routes are published', async (t) => {
  t.strictSame(api.app.latchkey.scopes(), ['feed:read', 'openid'])
})

void t.test('an outage of the issuer concerns known callers alone', async (t) => {
  const unreachable = { issuer: 'http://127.0.0.1:9', audience: issuer.audience }
  const { origin } = await startApi(t, unreachable, addFeeds)
  assertCaller(t, await callOrigin(origin, { path: '/feed' }), null, 'anonymous')
  const token = await issuer.mint({ iss: unreachable.issuer })
  assertUnavailable(t, await callOrigin(origin, { path: '/feed', token }), 'known')
})

void t.test(
  'senderConstrained: no token will do, and a token that is not bound will not',
  async (t) => {
    const options = { ...issuer.options, publicUrl, dpop: 'optional' } as const
    const { origin } = await startApi(t, options, (app) => {
      app.get('/bound', { config: { auth: { optional, senderConstrained: true } } }, answerCaller)
    })
    const call = (sent: Call) => callOrigin(origin, { ...sent, path: '/bound' })
    const client = await createDpopClient()
    const token = await issuer.mint({ cnf: client.cnf })
    const claims = { htu: `${publicUrl}/bound` }
    assertCaller(t, await call({}), null, 'anonymous')
    assertCaller(t, await call({ lines: ['DPoP', client.prove(token)] }), null, 'a proof alone')
    assertCaller(t, await call(client.call(token, { claims })), 'ada', 'bound')
    for (const [sent, error] of [
      [{ token: plain }, 'invalid_token'],
      [{ token }, 'invalid_token'],
      [{ lines: ['Authorization', `DPoP ${token}`] }, 'invalid_dpop_proof'],
      [client.call(token), 'invalid_dpop_proof']
    ] as const) {
      const { status, challenges } = await call(sent)
      t.equal(status, 401)
      t.ok(
        challenges.some(({ params }) => params['error'] === error),
        error
      )
    }
  }
)

void t.test(
  'anonymous requests count as not judged, and their log line names nobody',
  async (t) => {
    const { app, log } = await appUnderTest(t, { issuers: [issuer.options], logLevel: 'info' })
    app.get('/feed', { config: { auth: { optional } } }, answerCaller)
    const origin = await app.listen({ host: '127.0.0.1', port: 0 })
    const call = async (token?: string) =>
      (await callOrigin(origin, { path: '/feed', ...(token !== undefined && { token }) })).status
    t.strictSame(
      [await call(), await call(), await call(good), await call(expired)],
      [200, 200, 200, 401]
    )
    const lines = () => linesOfRequests(log).filter(({ msg }) => msg === 'request finished')
    await until(() => lines().length === 4)
    t.strictSame(
      lines().map(({ route, status, subject }) => [route, status, subject]),
      [
        ['/feed', 200, undefined],
        ['/feed', 200, undefined],
        ['/feed', 200, 'ada'],
        ['/feed', 401, undefined]
      ]
    )
    const { text } = await callOrigin(origin, { path: '/metrics' })
    for (const [outcome, times] of Object.entries({ not_judged: 2, accepted: 1, expired: 1 }))
      t.match(text, `latchkey_requests_total{outcome="${outcome}"} ${times}\n`)
    t.notMatch(text, 'no_credentials')
  }
)

void t.test('another value than true or false fails at registration', async (t) => {
  const app = Fastify()
  t.teardown(() => app.close())
  await app.register(latchkey, issuer.options)
  for (const value of ['yes', 'true', 1, null, {}]) {
    const auth = { optional: value as unknown as boolean }
    t.throws(() => app.get('/feed', { config: { auth } }, answerCaller), {
      name: 'TypeError',
      message: /^config\.auth\.optional: found .*, allowed: true or false$/
    })
  }
})

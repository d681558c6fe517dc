import t from 'tap'
import { startTestIssuer } from '../../src/testing.ts'
import { assertCleanLog, startGuardedApp } from '../support/guarded-app.ts'
import { assertAccessDenied, assertInsufficientScope, assertStepUp } from '../support/outcomes.ts'

const [home, partner] = [
  await startTestIssuer({ algorithms: ['ES256'] }),
  await startTestIssuer({ algorithms: ['ES256'] })
]
for (const issuer of [home, partner]) t.teardown(() => issuer.close())
const guarded = await startGuardedApp(
  t,
  { issuers: [home.options, partner.options] },
  {
    '/home': { issuers: [home.issuer] },
    '/backend': { clients: ['backend', 'batch'] },
    '/everything': { issuers: [home.issuer], clients: ['batch'], acr: ['gold'], scopes: ['s'] },
    '/ada': { scopes: ['s'], allow: ({ subject }) => subject === 'ada' },
    '/broken': { allow: ({ claims }) => (claims['missing'] as { deep: boolean }).deep },
    '/promise': { allow: (() => Promise.resolve(true)) as unknown as () => boolean },
    '/truthy': { allow: (() => 'yes') as unknown as () => boolean }
  }
)
const { call } = guarded

async function ask(path: string, claims: object = {}, issuer = home) {
  return call({ path, token: await issuer.mint({ ...claims }) })
}

void t.test('a route is open to the tokens of the issuers it names', async (t) => {
  t.equal((await ask('/home')).status, 200)
  const detail = 'This operation is not open to the issuer of the access token.'
  assertAccessDenied(t, await ask('/home', {}, partner), 'another trusted issuer', detail)
})

void t.test('a route is open to the clients it names, compared exactly', async (t) => {
  for (const client_id of ['backend', 'batch'])
    t.equal((await ask('/backend', { client_id })).status, 200)
  const detail = 'This operation is not open to the client of the access token.'
  for (const client_id of ['app', 'Backend', 'backend ', undefined])
    assertAccessDenied(t, await ask('/backend', { client_id }), `client ${client_id}`, detail)
})

void t.test('TX-8: an actor, an actor of an actor, or one who may act, is no client', async (t) => {
  const act = { sub: 'batch', client_id: 'batch', act: { sub: 'backend', client_id: 'backend' } }
  for (const claims of [{ act }, { may_act: act }, { act: { sub: 'app', act } }]) {
    const answer = await ask('/backend', { client_id: 'app', ...claims })
    t.equal(answer.status, 403)
    t.equal((await ask('/backend', { client_id: 'batch', ...claims })).status, 200)
  }
})

void t.test('a caller learns first what no new token would mend', async (t) => {
  const claims = { client_id: 'batch', acr: 'gold', scope: 's' }
  t.equal((await ask('/everything', claims)).status, 200)
  const lacking = { client_id: 'app', acr: 'bronze', scope: '' }
  const issuer = 'This operation is not open to the issuer of the access token.'
  assertAccessDenied(t, await ask('/everything', lacking, partner), 'issuer', issuer)
  const client = 'This operation is not open to the client of the access token.'
  assertAccessDenied(t, await ask('/everything', lacking), 'client', client)
  const signIn = { acr_values: 'gold', scope: 's' }
  assertStepUp(
    t,
    await ask('/everything', { ...claims, ...lacking, client_id: 'batch' }),
    'acr',
    signIn
  )
  assertInsufficientScope(t, await ask('/everything', { ...claims, scope: '' }), 'scope', 's')
})

void t.test('a predicate decides, once all else is met', async (t) => {
  t.equal((await ask('/ada', { scope: 's' })).status, 200)
  const mallory = await ask('/ada', { scope: 's', sub: 'mallory' })
  assertAccessDenied(t, mallory, 'mallory', 'This operation is not open to this caller.')
  assertInsufficientScope(t, await ask('/ada', { sub: 'mallory' }), 'scope first', 's')
})

for (const path of ['/broken', '/promise', '/truthy'])
  void t.test(`the predicate of ${path} is at fault: 500, and never open`, async (t) => {
    const token = await home.mint()
    for (let sight = 0; sight < 3; sight++) t.equal((await call({ path, token })).status, 500)
  })

void t.test('a predicate is not asked about strangers', async (t) => {
  for (const token of ['x', await home.mint({ exp: 1 })])
    t.equal((await call({ path: '/broken', token })).status, 401)
  t.equal((await call({ path: '/broken' })).status, 401)
})

void t.test('a refusal is logged with who it was, and without a token', async (t) => {
  const line = guarded.log.find((line) => line.includes('client_not_allowed')) ?? '{}'
  t.match(JSON.parse(line), { issuer: home.issuer, subject: 'ada', clientId: 'app' })
  assertCleanLog(t, guarded)
})

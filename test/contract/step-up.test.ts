import t from 'tap'
import { startTestIssuer } from '../../src/testing.ts'
import { assertCleanLog, startGuardedApp } from '../support/guarded-app.ts'
import {
  assertInsufficientScope,
  assertInvalidToken,
  assertNoCredentials,
  assertStepUp
} from '../support/outcomes.ts'

const issuer = await startTestIssuer({ algorithms: ['ES256'] })
t.teardown(() => issuer.close())
const guarded = await startGuardedApp(t, issuer.options, {
  '/strong': { acr: ['gold', 'silver'] },
  '/recent': { maxAge: 300 },
  '/vault': { scopes: ['vault'], acr: ['gold'], maxAge: 300 }
})
const { call } = guarded

const secondsAgo = (seconds: number) => Math.floor(Date.now() / 1000) - seconds

/** The answer to a token with these claims. */
async function ask(path: string, claims: object) {
  return call({ path, token: await issuer.mint({ ...claims }) })
}

void t.test('STEP-1: a sign-in of another class is answered with a challenge', async (t) => {
  for (const acr of ['bronze', 'GOLD', 'gold silver', ''])
    assertStepUp(t, await ask('/strong', { acr }), acr, { acr_values: 'gold silver' })
  for (const acr of ['gold', 'silver']) t.equal((await ask('/strong', { acr })).status, 200, acr)
})

void t.test('STEP-2: the challenge says class and age, when only one falls short', async (t) => {
  const needed = { acr_values: 'gold', max_age: '300' }
  const good = { scope: 'vault', acr: 'gold', auth_time: secondsAgo(10) }
  assertStepUp(t, await ask('/vault', { ...good, acr: 'silver' }), 'class', needed)
  assertStepUp(t, await ask('/vault', { ...good, auth_time: secondsAgo(999) }), 'age', needed)
  t.equal((await ask('/vault', good)).status, 200)
})

void t.test('STEP-3: a scope that is missing as well is named in the same challenge', async (t) => {
  const needed = { acr_values: 'gold', max_age: '300', scope: 'vault' }
  const answer = await ask('/vault', { acr: 'silver' })
  assertStepUp(t, answer, 'both', needed)
  const signedIn = { acr: 'gold', auth_time: secondsAgo(10) }
  assertInsufficientScope(t, await ask('/vault', signedIn), 'the scope alone', 'vault')
})

void t.test('STEP-4: what the token does not say is not met', async (t) => {
  assertStepUp(t, await ask('/strong', {}), 'no acr', { acr_values: 'gold silver' })
  assertStepUp(t, await ask('/recent', {}), 'no auth_time', { max_age: '300' })
})

void t.test('STEP-5: the age of the sign-in counts', async (t) => {
  assertStepUp(t, await ask('/recent', { auth_time: secondsAgo(301) }), '301 s', { max_age: '300' })
  t.equal((await ask('/recent', { auth_time: secondsAgo(290) })).status, 200)
})

const nonsense: Record<string, object> = {
  'auth_time as text': { auth_time: 'x' },
  'auth_time as digits in text': { auth_time: String(secondsAgo(10)) },
  'auth_time null': { auth_time: null },
  'auth_time out of all times': { auth_time: 1e300 },
  'auth_time in the future': { auth_time: secondsAgo(-3000) }
}
for (const [name, claims] of Object.entries(nonsense))
  void t.test(`STEP-5: ${name} makes a bad token, where it matters`, async (t) => {
    assertInvalidToken(t, await ask('/recent', claims), name)
    t.equal((await ask('/strong', { ...claims, acr: 'gold' })).status, 200)
  })

void t.test('STEP-5: an acr that is not text makes a bad token, where it matters', async (t) => {
  for (const acr of [1, null, ['gold'], {}]) {
    assertInvalidToken(t, await ask('/strong', { acr }), JSON.stringify(acr))
    t.equal((await ask('/recent', { acr, auth_time: secondsAgo(1) })).status, 200)
  }
})

void t.test('STEP-5: clocks may differ as much as the issuer is allowed', async (t) => {
  t.equal((await ask('/recent', { auth_time: secondsAgo(-3) })).status, 200)
  assertInvalidToken(t, await ask('/recent', { auth_time: secondsAgo(-8) }), 'beyond it')
})

void t.test('STEP-6: strangers do not learn what is demanded', async (t) => {
  assertInvalidToken(t, await ask('/vault', { exp: 1 }), 'an expired token')
  assertInvalidToken(t, await call({ path: '/vault', token: 'x' }), 'no token at all')
  assertNoCredentials(t, await call({ path: '/vault' }), 'no credentials', 'vault')
})

void t.test('no token is in the log', async (t) => assertCleanLog(t, guarded))

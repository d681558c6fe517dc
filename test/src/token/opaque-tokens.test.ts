import { mock } from 'node:test'
import t from 'tap'
import { longestWait } from '../../../src/issuer/deadline.ts'
import { IntrospectionFailedError } from '../../../src/issuer/introspection.ts'
import { plainMapping } from '../../../src/token/claim-mapping.ts'
import { createOpaqueTokens } from '../../../src/token/opaque-tokens.ts'
import type { TokenPolicy } from '../../../src/token/policy.ts'
import { refusals } from '../../../src/token/refusal.ts'
import { idTokenMarks } from '../../../src/token/token-type.ts'
import { IssuerUnavailable, type Verdict } from '../../../src/token/verdict.ts'
import { withResolver } from '../../support/promise.ts'

const issuer = 'https://id.example.com'
const start = 1_800_000_000
const policy: TokenPolicy = {
  issuer,
  audiences: new Set(['api']),
  audienceClaim: 'aud',
  requiredClaims: [],
  idTokenMarks,
  algorithms: new Set(),
  types: new Set(),
  clockTolerance: 5
}
const active = { sub: 'ada', aud: 'api', exp: start + 3600 }

/** A judge in a time that tests set, and the tokens that the issuer was asked about. */
function createJudge(cacheSeconds = 30) {
  const asked: string[] = []
  const troubles: unknown[] = []
  const scene = {
    /** Seconds since the epoch. */
    now: start,
    answer: active as object | undefined | Error,
    wait: undefined as Promise<void> | undefined,
    isRetired: false
  }
  const judge = createOpaqueTokens({
    policy,
    mapping: plainMapping,
    cacheSeconds,
    clock: () => scene.now * 1000,
    isRetired: () => scene.isRetired,
    introspect: async (token) => {
      asked.push(token)
      // what the issuer knows when it is asked, however long its answer takes
      const { answer, wait } = scene
      await wait
      if (answer instanceof Error) throw answer
      return answer as Record<string, unknown> | undefined
    },
    observer: {
      keySetReplaced() {},
      keySkipped() {},
      issuerTrouble: ({ cause }) => void troubles.push(cause)
    }
  })
  return { scene, asked, troubles, judge }
}

function subjectOf(verdict: Verdict): string | undefined {
  return 'subject' in verdict ? verdict.subject : undefined
}

void t.test('INT-5: a revoked token is refused once its answer is used up', async (t) => {
  const { scene, judge, asked } = createJudge()
  t.equal(subjectOf(await judge('token')), 'ada')
  scene.answer = undefined
  scene.now = start + 29.9
  const kept = judge('token')
  t.notOk(kept instanceof Promise, 'a known token is answered at once')
  t.equal(subjectOf(await kept), 'ada')
  scene.now = start + 30
  t.equal(await judge('token'), refusals.inactive)
  t.equal(judge('token'), refusals.inactive)
  t.equal(asked.length, 2)
})

void t.test('INT-5: an answer is never used past exp', async (t) => {
  const { scene, judge, asked } = createJudge(60)
  scene.answer = { ...active, exp: start + 2 }
  await judge('token')
  scene.now = start + 1.9
  t.equal(subjectOf(await judge('token')), 'ada')
  t.equal(asked.length, 1)
  scene.now = start + 2
  scene.answer = undefined
  t.equal(await judge('token'), refusals.inactive)
  scene.now = start + 10
  scene.answer = { ...active, exp: start + 2 }
  t.equal(await judge('token'), refusals.expired, 'whatever the issuer says')
})

void t.test('INT-5: a token without exp counts as long as its answer is kept', async (t) => {
  const { scene, judge } = createJudge(20)
  const { exp: _, ...unlimited } = active
  scene.answer = unlimited
  const verdict = await judge('token')
  t.ok('expiresAt' in verdict && verdict.expiresAt === start + 20)
  scene.answer = undefined
  scene.now = start + 20
  t.equal(await judge('token'), refusals.inactive)
})

void t.test('INT-5: with cacheSeconds 0 nothing good is kept', async (t) => {
  const { scene, judge, asked } = createJudge(0)
  const { exp: _, ...unlimited } = active
  for (const answer of [active, unlimited]) {
    scene.answer = answer
    t.equal(subjectOf(await judge('token')), 'ada')
  }
  t.equal(asked.length, 2)
})

void t.test('a refusal is kept for five seconds', async (t) => {
  for (const [answer, refusal] of [
    [undefined, refusals.inactive],
    [{ ...active, aud: 'other' }, refusals.wrong_audience]
  ] as const) {
    const { scene, judge, asked } = createJudge()
    scene.answer = answer
    t.equal(await judge('token'), refusal)
    scene.answer = active
    scene.now = start + 4.9
    t.equal(judge('token'), refusal)
    scene.now = start + 5
    t.equal(subjectOf(await judge('token')), 'ada')
    t.equal(asked.length, 2)
  }
})

void t.test('INT-6: a hundred requests with one token make one call', async (t) => {
  const { judge, asked } = createJudge()
  const verdicts = await Promise.all(Array.from({ length: 100 }, async () => judge('token')))
  t.ok(verdicts.every((verdict) => subjectOf(verdict) === 'ada'))
  t.strictSame(asked, ['token'])
})

void t.test('INT-6, INT-7: a failure is not kept, and not the fault of the token', async (t) => {
  const { scene, judge, asked, troubles } = createJudge()
  scene.answer = new IntrospectionFailedError(issuer, 17, 'the cause')
  const verdict = await judge('token')
  t.ok(verdict instanceof IssuerUnavailable && verdict.retryAfterSeconds === 17)
  t.strictSame(troubles, ['the cause'])
  scene.answer = active
  t.equal(subjectOf(await judge('token')), 'ada')
  t.equal(asked.length, 2)
  scene.answer = new TypeError('our own bug')
  await t.rejects(Promise.resolve(judge('another')), { message: 'our own bug' })
})

void t.test(
  'INT-7: a good token stays good through an outage while its answer is kept',
  async (t) => {
    const { scene, judge } = createJudge()
    await judge('token')
    scene.answer = new IntrospectionFailedError(issuer, 5, 'the cause')
    scene.now = start + 29
    t.equal(subjectOf(await judge('token')), 'ada')
    scene.now = start + 31
    t.ok((await judge('token')) instanceof IssuerUnavailable)
  }
)

void t.test('INT-9: what the answer says more comes along as claims', async (t) => {
  const { scene, judge } = createJudge()
  const more = {
    acr: 'urn:example:mfa',
    auth_time: start - 60,
    authorization_details: [{ type: 'payment' }],
    act: { sub: 'agent' }
  }
  scene.answer = { ...active, ...more, client_id: 'app', scope: 'a b' }
  const principal = await judge('token')
  t.match(principal, { issuer, subject: 'ada', clientId: 'app', scopes: ['a', 'b'] })
  t.match('claims' in principal && principal.claims, more)
})

for (const [name, before] of [
  ['says that the token is active', active],
  ['fails', new IntrospectionFailedError(issuer, 5, 'the cause')],
  ['breaks', new TypeError('our own bug')]
] as const)
  void t.test(`uncached: an earlier call that ${name} does not count`, async (t) => {
    const { scene, judge, asked } = createJudge()
    const { promise, resolve } = withResolver()
    Object.assign(scene, { answer: before, wait: promise })
    const ordinary = Promise.resolve(judge('token')).catch(() => 'broken')
    Object.assign(scene, { answer: undefined, wait: undefined })
    const later = [judge('token', true), judge('token', true)]
    const ordinaryToo = Promise.resolve(judge('token')).catch(() => 'broken')
    t.strictSame(asked, ['token'], 'one call at a time')
    resolve()
    t.equal(await ordinaryToo, await ordinary)
    for (const verdict of later) t.equal(await verdict, refusals.inactive)
    t.strictSame(asked, ['token', 'token'], 'one more for all that waited')
    t.equal(await judge('token'), refusals.inactive)
  })

void t.test('uncached: a call that takes too long is not waited for', async (t) => {
  mock.timers.enable({ apis: ['setTimeout'] })
  t.teardown(() => mock.timers.reset())
  const { scene, judge } = createJudge()
  scene.wait = new Promise(() => undefined)
  void judge('token')
  const verdict = judge('token', true)
  mock.timers.tick(longestWait)
  t.ok((await verdict) instanceof IssuerUnavailable)
})

void t.test('META-11: an issuer that is gone is not asked by those who waited', async (t) => {
  const { scene, judge, asked } = createJudge()
  const { promise, resolve } = withResolver()
  scene.wait = promise
  const waiting = [judge('token'), judge('token', true)]
  scene.isRetired = true
  resolve()
  for (const verdict of waiting) t.ok((await verdict) instanceof IssuerUnavailable)
  t.strictSame(asked, ['token'])
  scene.isRetired = false
  t.ok(judge('token') instanceof Promise, 'nothing is kept')
})

void t.test('calls at a time are bounded; those on top are told to try again', async (t) => {
  const { scene, judge, asked } = createJudge()
  let release = () => {}
  scene.wait = new Promise((resolve) => {
    release = resolve
  })
  const waiting = Array.from({ length: 100 }, async (_, index) => judge(`token-${index}`))
  const refused = judge('one-more')
  t.ok(refused instanceof IssuerUnavailable && refused.retryAfterSeconds === 1)
  t.equal(asked.length, 100)
  release()
  await Promise.all(waiting)
  t.equal(subjectOf(await judge('one-more')), 'ada')
})

void t.test('text that can not be a token is refused without a call', async (t) => {
  const { judge, asked } = createJudge()
  for (const token of ['', 'ümlaut', 'two\u00a0words', 'a"b', '=', 'a=b', 'a&b'])
    t.equal(judge(token), refusals.malformed, token)
  t.strictSame(asked, [])
})

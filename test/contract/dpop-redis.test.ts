import { Redis } from 'ioredis'
import t, { type Test } from 'tap'
import { startTestIssuer } from '../../src/testing.ts'
import { appUnderTest } from '../support/app.ts'
import { createDpopClient, publicUrl } from '../support/dpop-client.ts'
import { assertInvalidProof } from '../support/dpop-outcomes.ts'
import { startGuardedApp } from '../support/guarded-app.ts'
import { type Answer, problemOf } from '../support/http-call.ts'
import { noRedis, startRedis } from '../support/redis.ts'
import { until } from '../support/until.ts'

void t.test('with Redis', { skip: noRedis }, async (t) => {
  const redis = await startRedis(t)
  const issuer = await startTestIssuer({ algorithms: ['RS256'] })
  t.teardown(() => issuer.close())
  const options = { ...issuer.options, publicUrl, dpop: 'optional' } as const
  const [one, two] = await Promise.all([
    startGuardedApp(t, { ...options, redisUrl: redis.url }),
    startGuardedApp(t, { ...options, redisUrl: redis.url })
  ])
  const client = await createDpopClient()
  const token = await issuer.mint({ cnf: client.cnf })
  const plain = await issuer.mint()

  await t.test('DPOP-15: a proof is used once over all instances', async (t) => {
    const used = client.call(token)
    t.equal((await one.call(used)).status, 200)
    assertInvalidProof(t, await two.call(used), 'another instance')
    const answers = await Promise.all(
      [one, two, one, two].map(({ call }) => call(client.call(token)))
    )
    t.strictSame(
      answers.map(({ status }) => status),
      [200, 200, 200, 200]
    )
    const again = client.call(token)
    const raced = await Promise.all([one, two, one, two].map(({ call }) => call(again)))
    t.equal(raced.filter(({ status }) => status === 200).length, 1)
  })

  await t.test(
    'DPOP-16: Redis holds digests, and each for little more than its minute',
    async (t) => {
      const reader = new Redis(redis.url)
      t.teardown(() => reader.disconnect())
      const keys = await reader.keys('*')
      t.ok(keys.length > 0)
      for (const key of keys) {
        t.match(key, /^latchkey:proof:[\w-]{43}$/)
        const life = await reader.pttl(key)
        t.ok(life > 0 && life <= 80_000, `${life} ms`)
      }
    }
  )

  for (const [name, breakIt, mendIt] of [
    ['hangs', redis.freeze, redis.thaw],
    ['is gone', redis.stop, redis.start]
  ] as const)
    await t.test(`DPOP-16: while Redis ${name}, proofs are answered with 503`, async (t) => {
      await breakIt()
      const started = performance.now()
      for (let count = 0; count < 3; count += 1)
        assertUnavailable(t, await one.call(client.call(token)))
      t.ok(performance.now() - started < 5000, 'at once, or after a second')
      t.equal((await one.call({ token: plain })).status, 200, 'bearer tokens need no Redis')
      await mendIt()
      await until(async () => (await one.call(client.call(token))).status === 200)
    })

  await t.test('a start without Redis waits for it no longer than two seconds', async (t) => {
    await redis.stop()
    const late = await startGuardedApp(t, { ...options, redisUrl: redis.url })
    assertUnavailable(t, await late.call(client.call(token)))
    await redis.start()
    await until(async () => (await late.call(client.call(token))).status === 200)
    t.ok(late.log.some((line) => line.includes('trouble with Redis')))
    for (const { log } of [one, two, late])
      t.notOk(log.some((line) => line.includes('secret-of-redis')))
  })
})

function assertUnavailable(t: Test, answer: Answer): void {
  t.equal(answer.status, 503, answer.text)
  t.equal(problemOf(answer).type, 'urn:latchkey:problem:service-unavailable')
  t.equal(answer.headers['retry-after'], '1')
  t.strictSame(answer.challenges, [])
}

for (const [dpop, rateLimit, lines] of [
  ['off', 'off', 1],
  ['off', 'principal=9/9', 0],
  ['optional', 'off', 0]
] as const)
  void t.test(
    `a service with redisUrl, DPoP ${dpop} and limits ${rateLimit}: ${lines} lines say that it is not used`,
    async (t) => {
      const issuers = [{ issuer: 'http://127.0.0.1:9', audience: 'https://api.example.com', dpop }]
      const { log } = await appUnderTest(t, { issuers, redisUrl: 'redis://127.0.0.1:9', rateLimit })
      t.equal(log.filter((line) => line.includes('redisUrl is not used')).length, lines)
    }
  )

import { Redis } from 'ioredis'
import t from 'tap'
import Fastify, { type FastifyInstance } from 'fastify'
import latchkey from '../../plugins/latchkey.ts'
import type { Config } from '../../src/config/schema.ts'
import { startTestIssuer } from '../../src/testing.ts'
import { appUnderTest } from '../support/app.ts'
import { createDpopClient, publicUrl } from '../support/dpop-client.ts'
import { exchange } from '../support/raw-request.ts'
import { noRedis, startRedis } from '../support/redis.ts'
import { until } from '../support/until.ts'

const issuer = await startTestIssuer({ algorithms: ['RS256'] })
t.teardown(() => issuer.close())

type Test = Parameters<typeof appUnderTest>[0]

async function service(t: Test, rateLimit: string, settings: Partial<Config> = {}) {
  const { app, log } = await appUnderTest(t, { issuers: [issuer.options], rateLimit, ...settings })
  await until(() => app.latchkey.isReady())
  return { app, log }
}

const mint = (sub: string) => issuer.mint({ sub, scope: 'openid documents:read' })

interface From {
  readonly url?: string
  readonly address?: string
  readonly forwarded?: string
}

async function ask(app: FastifyInstance, token: string | undefined, from: From = {}) {
  const { url = '/whoami', address = '192.0.2.1', forwarded } = from
  const headers = {
    ...(token !== undefined && { authorization: `Bearer ${token}` }),
    ...(forwarded !== undefined && { 'x-forwarded-for': forwarded })
  }
  return app.inject({ url, headers, remoteAddress: address })
}

/** How many of so many requests, one after the other, get each status. */
async function statuses(count: number, request: () => ReturnType<typeof ask>) {
  const found: Record<number, number> = {}
  for (let index = 0; index < count; index++) {
    const { statusCode } = await request()
    found[statusCode] = (found[statusCode] ?? 0) + 1
  }
  return found
}

void t.test('STAT-2, RATE-3: one request too many is told when to come back', async (t) => {
  const { app, log } = await service(t, 'principal=3/60')
  const ada = await mint('ada')
  t.strictSame(await statuses(3, () => ask(app, ada)), { 200: 3 })
  const answer = await ask(app, ada)
  t.equal(answer.statusCode, 429)
  t.equal(answer.headers['content-type'], 'application/problem+json')
  t.equal(answer.headers['cache-control'], 'no-store')
  t.equal(answer.headers['www-authenticate'], undefined)
  t.match(answer.json(), {
    type: 'urn:latchkey:problem:too-many-requests',
    detail: 'More than 3 requests of one caller in 60 seconds.'
  })
  const [, left, seconds] =
    /^"principal";r=(\d+);t=(\d+)$/.exec(String(answer.headers['ratelimit'])) ?? []
  t.equal(left, '0')
  t.equal(answer.headers['retry-after'], seconds)
  t.ok(Number(seconds) > 0)
  t.ok(log.some((line) => line.includes('"reason":"rate_limited","policy":"principal"')))
  const metrics = await app.inject('/metrics')
  t.match(metrics.body, 'latchkey_requests_total{outcome="rate_limited"} 1\n')
})

void t.test('RATE-5: the burst of one caller is not felt by another', async (t) => {
  const { app } = await service(t, 'principal=3/60')
  t.strictSame(await statuses(5, async () => ask(app, await mint('ada'))), { 200: 3, 429: 2 })
  t.equal((await ask(app, await mint('grace'))).statusCode, 200)
})

void t.test('RATE-5, BCP-4: one name at two issuers is two callers', async (t) => {
  const other = await startTestIssuer({ algorithms: ['RS256'] })
  t.teardown(() => other.close())
  const issuers = [issuer.options, other.options]
  const { app } = await service(t, 'principal=2/60', { issuers })
  const [here, there] = [await mint('ada'), await other.mint({ sub: 'ada' })]
  t.strictSame(await statuses(3, () => ask(app, here)), { 200: 2, 429: 1 })
  t.strictSame(await statuses(3, () => ask(app, there)), { 200: 2, 429: 1 })
})

void t.test('RATE-1, RATE-2: each answer says what is allowed and what is left', async (t) => {
  const { app } = await service(t, 'principal=5/60,address=10/30,failed=off')
  const open = await ask(app, undefined, { url: '/openapi.json' })
  t.equal(open.headers['ratelimit-policy'], '"principal";q=5;w=60, "address";q=10;w=30')
  t.equal(open.headers['ratelimit'], '"address";r=9;t=30')
  const ada = await ask(app, await mint('ada'))
  t.equal(ada.headers['ratelimit'], '"principal";r=4;t=60')
})

void t.test('RATE-5: an address is counted before its token is looked at', async (t) => {
  const { app } = await service(t, 'address=4/60')
  const ada = await mint('ada')
  t.strictSame(await statuses(3, () => ask(app, undefined)), { 401: 3 })
  t.strictSame(await statuses(3, () => ask(app, ada)), { 200: 1, 429: 2 })
  t.equal((await ask(app, undefined, { url: '/absent' })).statusCode, 429)
  t.equal((await ask(app, ada, { address: '192.0.2.2' })).statusCode, 200)
  t.strictSame(await statuses(9, () => ask(app, undefined, { url: '/livez' })), { 200: 9 })
})

void t.test('RATE-5: all addresses of an IPv6 network are one', async (t) => {
  const { app } = await service(t, 'address=2/60')
  const from = (address: string) => ask(app, undefined, { url: '/openapi.json', address })
  await from('2001:db8::1')
  await from('2001:db8::2')
  t.equal((await from('2001:db8::3')).statusCode, 429)
  t.equal((await from('2001:db8:0:1::1')).statusCode, 200)
})

void t.test('RATE-5, FY-7: only a trusted proxy says whose request it is', async (t) => {
  const url = '/openapi.json'
  const { app } = await service(t, 'address=2/60')
  let client = 1
  const forged = () => ask(app, undefined, { url, forwarded: `198.51.100.${client++}` })
  t.strictSame(await statuses(4, forged), { 200: 2, 429: 2 })

  const { app: behind } = await service(t, 'address=2/60', { trustProxy: ['192.0.2.1'] })
  const told = () => ask(behind, undefined, { url, forwarded: `198.51.100.${client++}` })
  t.strictSame(await statuses(4, told), { 200: 4 })
})

void t.test('RATE-6: after too many refused tokens none is verified any more', async (t) => {
  const { app, log } = await service(t, 'failed=20/60')
  const known = await mint('ada')
  t.strictSame(await statuses(3, () => ask(app, known)), { 200: 3 })
  const [header, claims] = known.split('.')
  const bad = `${header}.${claims}.${'A'.repeat(342)}`
  t.strictSame(await statuses(1000, () => ask(app, bad)), { 401: 20, 429: 980 })
  const answer = await ask(app, bad)
  t.match(answer.json().detail, /^More than 20 refused access tokens from one address/)
  t.match(answer.headers['ratelimit'], /^"failed";r=0;t=\d+$/)
  t.equal((await ask(app, await mint('ada'))).statusCode, 429, 'a good token that is new')
  t.equal((await ask(app, known)).statusCode, 200, 'a token that is known')
  t.equal((await ask(app, undefined)).statusCode, 401, 'no token at all')
  t.equal((await ask(app, await mint('ada'), { address: '192.0.2.2' })).statusCode, 200)
  t.notOk(log.some((line) => line.includes('eyJ')))
})

void t.test(
  'RATE-6, DPOP-11: bad proofs are counted, a nonce that is asked for is not',
  async (t) => {
    const issuers = [{ ...issuer.options, dpop: 'optional' as const }]
    const dpopProofs = { nonces: true }
    const { app } = await service(t, 'failed=2/60', { issuers, dpopProofs, publicUrl })
    const client = await createDpopClient()
    const token = async () => issuer.mint({ cnf: client.cnf })
    const prove = (token: string, claims = {}) => {
      const headers = { authorization: `DPoP ${token}`, dpop: client.prove(token, { claims }) }
      return app.inject({ url: '/whoami', headers })
    }
    t.strictSame(await statuses(4, async () => prove(await token())), { 401: 4 })
    const nonce = (await prove(await token())).headers['dpop-nonce']
    t.equal((await prove(await token(), { nonce })).statusCode, 200)
    const wrong = { nonce, htm: 'POST' }
    t.strictSame(await statuses(3, async () => prove(await token(), wrong)), { 401: 2, 429: 1 })
  }
)

void t.test('a caller is not forgotten for those that came after', async (t) => {
  const { app } = await service(t, 'address=2/600')
  const from = (address: string) => ask(app, undefined, { url: '/openapi.json', address })
  const ada = () => from('192.0.2.1')
  t.strictSame(await statuses(3, ada), { 200: 2, 429: 1 })
  for (let index = 0; index < 5001; index++) await from(`10.0.${index >> 8}.${index & 255}`)
  t.equal((await ada()).statusCode, 429)
})

void t.test('without limits nothing is counted and nothing said', async (t) => {
  const { app } = await service(t, 'off')
  const { headers } = await ask(app, await mint('ada'))
  t.equal(headers['ratelimit'], undefined)
  t.equal(headers['ratelimit-policy'], undefined)
})

void t.test('whatever the limits, 16 requests of a connection are worked on', async (t) => {
  const page = 'https://app.example.com'
  const { app, log } = await service(t, 'off', { corsOrigins: [page] })
  await app.listen({ port: 0, host: '127.0.0.1' })
  const head = `GET /livez HTTP/1.1\r\nHost: api.example.com\r\nOrigin: ${page}\r\n`
  const text = await exchange(
    app.server,
    `${head}\r\n`.repeat(16) + `${head}Connection: close\r\n\r\n`
  )
  const answers = text.split(/(?=HTTP\/1\.1 )/)
  t.equal(answers.length, 17)
  const refusal = answers.pop() ?? ''
  for (const answer of answers) t.match(answer, /^HTTP\/1\.1 200 /)
  t.match(refusal, /^HTTP\/1\.1 429 /)
  t.match(refusal, /\r\naccess-control-allow-origin: https:\/\/app\.example\.com\r\n/i)
  t.match(refusal, /\r\naccess-control-expose-headers: .*Retry-After/i)
  t.match(refusal, /\r\nretry-after: 1\r\n/i)
  t.match(refusal, '16 requests of this connection are not finished yet.')
  t.ok(log.some((line) => line.includes('"reason":"rate_limited","policy":"connection"')))
  const metrics = await app.inject('/metrics')
  t.match(metrics.body, 'latchkey_requests_total{outcome="rate_limited"} 1\n')
})

void t.test('RATE-5: instances count together in Redis', { skip: noRedis }, async (t) => {
  const redis = await startRedis(t)
  const settings = { redisUrl: redis.url }
  const { app: one, log } = await service(t, 'principal=4/60,failed=2/60', settings)
  const { app: two } = await service(t, 'principal=4/60,failed=2/60', settings)
  const ada = await mint('ada')
  t.strictSame(await statuses(2, () => ask(one, ada)), { 200: 2 })
  t.strictSame(await statuses(4, () => ask(two, ada)), { 200: 2, 429: 2 })
  t.strictSame(await statuses(3, () => ask(one, 'bad')), { 401: 2, 429: 1 })
  t.strictSame(await statuses(1, () => ask(two, 'bad')), { 429: 1 })

  const client = new Redis(redis.url)
  t.teardown(() => client.disconnect())
  await client.config('SET', 'maxmemory', '1')
  const failing = await ask(one, ada)
  t.equal(failing.statusCode, 200, 'nor is anybody by a Redis that can not count')
  t.equal(failing.headers['ratelimit'], undefined, 'and nothing is made up')
  t.ok(log.some((line) => line.includes('limit is off')))
  await client.config('SET', 'maxmemory', '0')
  t.equal((await ask(one, ada)).statusCode, 429)

  await redis.stop()
  t.strictSame(await statuses(9, () => ask(one, ada)), { 200: 9 }, 'nobody is limited without it')
  await until(() => log.some((line) => line.includes('trouble with Redis')))
  await redis.start()
  await until(async () => (await ask(one, ada)).statusCode === 429)
})

void t.test('RATE-5: a request waits once for a Redis that hangs', { skip: noRedis }, async (t) => {
  const redis = await startRedis(t)
  const limits = 'principal=1/60,address=9/60,failed=9/60'
  const { app, log } = await service(t, limits, { redisUrl: redis.url })
  const ada = await mint('ada')
  redis.freeze()
  const answer = await ask(app, ada)
  t.equal(answer.statusCode, 200)
  t.equal(answer.headers['ratelimit'], undefined)
  const gaveUp = log.filter((line) => line.includes('limit is off'))
  t.equal(gaveUp.length, 1, 'one limit waited in vain, the others did not ask')
  redis.thaw()
  await until(async () => (await ask(app, ada)).statusCode === 429)
})

for (const thrown of [undefined, null, 0, '', 'no', new Error('no')])
  void t.test(`what beforeVerification throws, ${String(thrown)}, opens no route`, async (t) => {
    const beforeVerification = async () => {
      throw thrown
    }
    const app = Fastify()
    t.teardown(() => app.close())
    await app.register(latchkey, { ...issuer.options, beforeVerification })
    app.get('/open', async () => 'handled')
    const answer = await ask(app, await mint('ada'), { url: '/open' })
    t.equal(answer.statusCode, 500)
    t.notMatch(answer.body, /handled/)
  })

import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import type { Test } from 'tap'
import { startTestIssuer, type TestIssuer, type TestIssuerOptions } from '../../src/testing.ts'
import { type Answer, startApi } from '../support/api.ts'
import * as hostile from '../support/hostile-issuer.ts'
import type { HostileIssuer } from '../support/hostile-issuer.ts'
import { startJudge } from '../support/issuer-judge.ts'
import { encode } from '../support/raw-token.ts'
import { until } from '../support/until.ts'

const audience = 'https://api.example.com'

async function startIssuer(t: Test, options: TestIssuerOptions = {}): Promise<TestIssuer> {
  const issuer = await startTestIssuer({ algorithms: ['ES256'], ...options })
  t.teardown(() => issuer.close())
  return issuer
}

/** An issuer whose endpoints can be made to fail, and what mints its tokens. */
async function startMoodyIssuer(t: Test) {
  const sound = await startIssuer(t)
  const issuer = await hostile.startHostileIssuer()
  t.teardown(() => issuer.close())
  issuer.impersonate(sound)
  const mint: TestIssuer['mint'] = (claims, options) =>
    sound.mint({ iss: issuer.issuer, ...claims }, options)
  return { issuer, sound, mint, options: { issuer: issuer.issuer, audience } }
}

function strangers(issuer: Pick<TestIssuer, 'mint'>, count: number): Promise<string[]> {
  const kids = Array.from({ length: count }, (_, index) => `stranger-${index}-${Math.random()}`)
  return Promise.all(kids.map((kid) => issuer.mint({}, { header: { kid } })))
}

function fail(issuer: HostileIssuer): void {
  issuer.on('/.well-known/openid-configuration', hostile.status(500))
  issuer.on('/jwks', hostile.status(500))
}

/** How many requests came, once the last one of a start is in: that for the second document (META-12). */
async function calm(issuer: TestIssuer): Promise<number> {
  await until(() => issuer.requests('/.well-known/oauth-authorization-server') === 1)
  return issuer.requests()
}

function isUnavailable(t: Test, answer: Answer): void {
  t.match(answer.json, { type: 'urn:latchkey:problem:issuer-unavailable', status: 503 })
  t.equal(answer.status, 503)
  t.match(answer.headers.get('content-type'), /^application\/problem\+json(;|$)/)
  t.equal(answer.headers.get('cache-control'), 'no-store')
  t.match(answer.headers.get('retry-after'), /^[1-9]\d?$/)
  t.strictSame(answer.challenges, [], 'an outage is no fault of the token')
}

function isRefused(t: Test, answer: Answer): void {
  t.equal(answer.status, 401)
  t.match(answer.challenges, [{ scheme: 'Bearer', params: { error: 'invalid_token' } }])
}

void t.test('META-6: a new key is accepted with its first token', async (t) => {
  const issuer = await startIssuer(t)
  const { ask } = await startApi(t, issuer.options)
  t.equal((await ask(await issuer.mint())).status, 200)
  await issuer.rotate()
  t.equal((await ask(await issuer.mint())).status, 200)
  t.equal(issuer.requests('/jwks'), 2)
})

void t.test(
  'META-7, GJ-7: a withdrawn key ends with the next set, its cached tokens too',
  async (t) => {
    const issuer = await startIssuer(t)
    const { ask } = await startApi(t, issuer.options)
    const old = issuer.keys[0]?.kid ?? ''
    const token = await issuer.mint()
    for (let sight = 0; sight < 4; sight++) t.equal((await ask(token)).status, 200)

    await issuer.rotate()
    issuer.withdraw(old)
    const statuses: number[] = []
    const end = new AbortController()
    const traffic = (async () => {
      while (!end.signal.aborted) statuses.push((await ask(token)).status)
    })()
    await sleep(100)
    t.equal((await ask(await issuer.mint())).status, 200)
    isRefused(t, await ask(token))
    isRefused(t, await ask(await issuer.mint({}, { kid: old })))
    await sleep(100)
    end.abort()
    await traffic
    t.strictSame([...new Set(statuses)], [200, 401], 'nothing in between')
    t.ok(statuses.lastIndexOf(200) < statuses.indexOf(401), 'and no way back')
    t.equal(issuer.requests('/jwks'), 2)
  }
)

void t.test(
  'META-6, GJ-3, GJ-5: 2,000 random kids cause one download and push no key out',
  async (t) => {
    const issuer = await startIssuer(t)
    const { ask, app } = await startApi(t, issuer.options)
    const tokens = await strangers(issuer, 2000)
    isRefused(t, await ask(tokens[0] ?? ''))
    for (let from = 0; from < tokens.length; from += 200) {
      const answers = await Promise.all(
        tokens
          .slice(from, from + 200)
          .map((token) =>
            app.inject({ url: '/whoami', headers: { authorization: `Bearer ${token}` } })
          )
      )
      t.ok(answers.every(({ statusCode }) => statusCode === 401))
      t.equal((await ask(await issuer.mint())).status, 200)
    }
    t.ok(issuer.requests('/jwks') <= 2)
    t.equal(issuer.requests('/.well-known/openid-configuration'), 1)
  }
)

void t.test('META-6, GJ-3: so it is while the issuer fails, and all are 503', async (t) => {
  const { issuer, mint, options } = await startMoodyIssuer(t)
  const { judge } = await startJudge(t, options)
  t.equal(await judge(await mint()), 'ada')
  const tokens = await strangers({ mint }, 2000)
  fail(issuer)
  const before = issuer.requests().length
  const verdicts = new Set(await Promise.all(tokens.map(judge)))
  t.strictSame([...verdicts], ['unavailable'])
  t.ok(issuer.requests().length - before <= 2)
  t.equal(await judge(await mint()), 'ada')
})

void t.test('GJ-3: the same unknown kid, again and again', async (t) => {
  const issuer = await startIssuer(t)
  const { ask } = await startApi(t, issuer.options)
  for (let round = 0; round < 50; round++) {
    isRefused(t, await ask(await issuer.mint({}, { header: { kid: 'stranger' } })))
  }
  t.ok(issuer.requests('/jwks') <= 2)
})

void t.test(
  'GJ-4, JWS-7: a known kid with 50 invented algorithms causes no download',
  async (t) => {
    const issuer = await startIssuer(t)
    const { ask } = await startApi(t, issuer.options)
    const [header = '', ...rest] = (await issuer.mint()).split('.')
    const { kid } = JSON.parse(Buffer.from(header, 'base64url').toString()) as { kid: string }
    await ask(await issuer.mint())
    const before = await calm(issuer)
    for (let index = 0; index < 50; index++) {
      isRefused(t, await ask([encode({ alg: `X${index}`, typ: 'at+jwt', kid }), ...rest].join('.')))
    }
    t.equal(issuer.requests(), before)
  }
)

void t.test(
  'GJ-14, JWS-12, JWS-13: malformed kids cause no download; none is fine with one key',
  async (t) => {
    const issuer = await startIssuer(t)
    const { ask } = await startApi(t, issuer.options)
    t.equal((await ask(await issuer.mint({}, { header: { kid: undefined } }))).status, 200)
    const before = await calm(issuer)
    for (const kid of ['\uD800', '', 5, {}, ['a'], null, 'k'.repeat(257)]) {
      isRefused(t, await ask(await issuer.mint({}, { header: { kid } })))
    }
    t.equal(issuer.requests(), before)
  }
)

void t.test('META-6: 200 first tokens at once wait for one download', async (t) => {
  const { issuer, sound, mint, options } = await startMoodyIssuer(t)
  issuer.on('/jwks', (request, response) => {
    setTimeout(() => hostile.json(sound.jwks)(request, response), 500)
  })
  const { ask } = await startApi(t, options)
  const tokens = await Promise.all(Array.from({ length: 200 }, () => mint()))
  const answers = await Promise.all(tokens.map((token) => ask(token)))
  t.ok(answers.every(({ status }) => status === 200))
  t.equal(issuer.requests('/.well-known/openid-configuration').length, 1)
  t.equal(issuer.requests('/jwks').length, 1)
})

void t.test('META-8, GJ-6: no token of a known key waits for a slow download', async (t) => {
  const { issuer, sound, mint, options } = await startMoodyIssuer(t)
  const { ask } = await startApi(t, options)
  t.equal((await ask(await mint())).status, 200)
  issuer.on('/jwks', (request, response) => {
    setTimeout(() => hostile.json(sound.jwks)(request, response), 2000)
  })
  const [stranger = ''] = await strangers({ mint }, 1)
  const waiting = ask(stranger)
  await until(() => issuer.requests('/jwks').length === 2)
  const before = performance.now()
  for (let round = 0; round < 10; round++) t.equal((await ask(await mint())).status, 200)
  t.ok(performance.now() - before < 1500)
  isRefused(t, await waiting)
})

void t.test(
  'META-9, GJ-8: in an outage known keys go on, others get 503, and it heals',
  async (t) => {
    const { issuer, sound, mint, options } = await startMoodyIssuer(t)
    const { ask } = await startApi(t, options)
    const seen = await mint()
    t.equal((await ask(seen)).status, 200)
    fail(issuer)
    await sound.rotate()
    const newest = await mint()
    const [stranger = ''] = await strangers({ mint }, 1)
    for (const answer of await Promise.all([ask(newest), ask(newest), ask(stranger)]))
      isUnavailable(t, answer)
    t.equal((await ask(seen)).status, 200)
    t.equal((await ask(await mint({}, { kid: sound.keys[1]?.kid ?? '' }))).status, 200)

    issuer.impersonate(sound)
    await until(async () => (await ask(newest)).status === 200)
    isRefused(t, await ask(stranger))
  }
)

void t.test(
  'META-9: after 24 hours of outage the known keys end as well, cached tokens too',
  async (t) => {
    const { issuer, sound, mint, options } = await startMoodyIssuer(t)
    const judge = await startJudge(t, options)
    const token = await mint({ exp: Math.floor(Date.now() / 1000) + 3 * 86_400 })
    for (let sight = 0; sight < 4; sight++) t.equal(await judge.judge(token), 'ada')
    fail(issuer)
    const short = 10_000
    judge.ahead = 86_400_000 - short
    t.equal(await judge.judge(token), 'ada')
    t.ok(judge.keySet.isUsable)
    judge.ahead += short
    t.equal(await judge.judge(token), 'unavailable')
    t.equal(await judge.judge(await mint()), 'expired', 'what needs no key is still told')
    t.notOk(judge.keySet.isUsable)
    issuer.impersonate(sound)
    await until(async () => (await judge.judge(token)) === 'ada')
  }
)

void t.test(
  'META-11, GJ-10, GJ-11: a token of another issuer is refused and nobody is asked',
  async (t) => {
    const issuer = await startIssuer(t)
    const other = await startIssuer(t)
    const { ask } = await startApi(t, issuer.options)
    t.equal((await ask(await issuer.mint())).status, 200)
    const before = await calm(issuer)
    isRefused(t, await ask(await other.mint()))
    for (const iss of [
      `${issuer.issuer}/`,
      issuer.issuer.replace('http', 'HTTP'),
      [issuer.issuer],
      undefined
    ]) {
      isRefused(t, await ask(await issuer.mint({ iss })))
    }
    t.equal(other.requests(), 0)
    t.equal(issuer.requests(), before)
  }
)

void t.test(
  'META-11, BCP-3: of two issuers each has its own keys and its own trouble',
  async (t) => {
    const sound = await startIssuer(t, { path: '/a' })
    const moody = await startMoodyIssuer(t)
    fail(moody.issuer)
    const { ask, app } = await startApi(t, { issuers: [sound.options, moody.options] })
    t.equal((await ask(await sound.mint())).status, 200)
    isUnavailable(t, await ask(await moody.mint()))
    t.notOk(app.latchkey.isReady())
    moody.issuer.impersonate(moody.sound)
    await until(async () => (await ask(await moody.mint())).status === 200)
    t.ok(app.latchkey.isReady())
    isRefused(t, await ask(await sound.mint({ iss: moody.issuer.issuer })))
    isRefused(t, await ask(await moody.mint({ iss: sound.issuer })))
  }
)

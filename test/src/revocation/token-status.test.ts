import t from 'tap'
import { createStatusListMemory } from '../../../src/revocation/token-status.ts'
import { startJudge } from '../../support/issuer-judge.ts'
import { hang, status } from '../../support/hostile-issuer.ts'
import { withResolver } from '../../support/promise.ts'
import { listOf, startStatusListScene } from '../../support/status-lists.ts'
import { until } from '../../support/until.ts'

const scene = await startStatusListScene(t)
const { mint, serve, server, downloads } = scene
const options = { ...scene.options, statusList: 'optional' as const }
const second = 1000
/** Seconds since the epoch, so many from now. */
const inSeconds = (seconds: number) => Math.floor(Date.now() / 1000) + seconds

/** A token that lives for a day, so that its status is all that changes. */
const mintLong = (path: string, index: number) => mint(path, index, { exp: inSeconds(86_400) })

for (const [name, ttl, seconds] of [
  ['as it says', 60, 60],
  ['at the soonest after 10 s', 1, 10],
  ['after an hour at the latest', 1e9, 3600],
  ['after five minutes if it does not say', undefined, 300]
] as const)
  void t.test(`a list is read again ${name}`, async (t) => {
    const path = `/ttl/${seconds}`
    const judge = await startJudge(t, options)
    const token = await mintLong(path, 0)
    serve(path, listOf([0]), { claims: { ttl } })
    for (let round = 0; round < 3; round++) t.equal(await judge.judge(token), 'ada')
    serve(path, listOf([1]), { claims: { ttl } })
    judge.ahead = (seconds - 5) * second
    t.equal(await judge.judge(token), 'ada', 'just before')
    t.equal(downloads(path), 1)
    judge.ahead = (seconds + 1) * second
    t.equal(await judge.judge(token), 'invalid_status')
    serve(path, listOf([0]), { claims: { ttl } })
    judge.ahead = (2 * seconds + 5) * second
    t.equal(await judge.judge(token), 'ada', 'a token that was suspended')
    t.equal(downloads(path), 3)
  })

void t.test('an expiry ends a list sooner', async (t) => {
  const judge = await startJudge(t, options)
  serve('/exp', listOf([0]), { claims: { ttl: 600, exp: inSeconds(60) } })
  const token = await mintLong('/exp', 0)
  t.equal(await judge.judge(token), 'ada')
  serve('/exp', listOf([1]))
  judge.ahead = 70 * second
  t.equal(await judge.judge(token), 'invalid_status')
})

void t.test('an outage: a known list counts until it expires, then nobody can tell', async (t) => {
  const judge = await startJudge(t, options)
  serve('/outage', listOf([0, 1]), { claims: { ttl: 60, exp: inSeconds(600) } })
  const [good, bad] = [await mintLong('/outage', 0), await mintLong('/outage', 1)]
  t.equal(await judge.judge(good), 'ada')
  server.on('/outage', status(503))
  for (const ahead of [61, 62, 69, 75, 300, 601]) {
    judge.ahead = ahead * second
    t.equal(await judge.judge(good), 'ada', `${ahead} s later`)
    t.equal(await judge.judge(bad), 'invalid_status', `${ahead} s later`)
  }
  t.ok(downloads('/outage') <= 5, 'one download in ten seconds at most')
  judge.ahead = 608 * second
  t.equal(await judge.judge(good), 'unavailable')
  serve('/outage', listOf([0, 1]), { claims: { exp: inSeconds(86_400) } })
  judge.ahead = 613 * second
  t.equal(await judge.judge(good), 'unavailable', 'asked again after ten seconds')
  judge.ahead = 622 * second
  t.equal(await judge.judge(good), 'ada')
})

void t.test('an outage: a list without an expiry counts for its ttl', async (t) => {
  const judge = await startJudge(t, options)
  serve('/brief', listOf([0]), { claims: { ttl: 60 } })
  const token = await mintLong('/brief', 0)
  t.equal(await judge.judge(token), 'ada')
  server.on('/brief', status(503))
  judge.ahead = 61 * second
  t.equal(await judge.judge(token), 'unavailable')
})

void t.test('a list that has grown is read again for a token beyond its end', async (t) => {
  const judge = await startJudge(t, options)
  const short = Array.from({ length: 8 }, () => 0)
  serve('/grows', listOf(short, 1), { claims: { ttl: 3600, exp: inSeconds(7200) } })
  const [first, later] = [await mintLong('/grows', 0), await mintLong('/grows', 8)]
  t.equal(await judge.judge(first), 'ada')
  t.equal(await judge.judge(later), 'invalid_claims')
  t.equal(downloads('/grows'), 1, 'not at once')
  server.on('/grows', status(503))
  judge.ahead = 11 * second
  t.equal(await judge.judge(later), 'unavailable', 'nobody can tell now')
  t.equal(await judge.judge(first), 'ada', 'what is known stays')
  serve('/grows', listOf([...short, 0], 1))
  judge.ahead = 22 * second
  await until(async () => (await judge.judge(later)) === 'ada')
  t.equal(downloads('/grows'), 3)
})

void t.test('a token is remembered no longer than it lives', async (t) => {
  const judge = await startJudge(t, options)
  serve('/short', listOf([0]), { claims: { ttl: 3600 } })
  const token = await mint('/short', 0, { exp: inSeconds(60) })
  for (let round = 0; round < 3; round++) t.equal(await judge.judge(token), 'ada')
  judge.ahead = 70 * second
  t.equal(await judge.judge(token), 'expired')
})

void t.test('clocks may differ by the tolerance of the issuer', async (t) => {
  const judge = await startJudge(t, { ...options, clockTolerance: 30 })
  serve('/tolerant', listOf([0]), { claims: { exp: inSeconds(-20) } })
  t.equal(await judge.judge(await mintLong('/tolerant', 0)), 'ada')
  serve('/too-late', listOf([0]), { claims: { exp: inSeconds(-40) } })
  t.equal(await judge.judge(await mintLong('/too-late', 0)), 'unavailable')
})

void t.test('a known list is used while its host hangs, and nobody waits again', async (t) => {
  const judge = await startJudge(t, options)
  serve('/hangs', listOf([0]), { claims: { ttl: 60, exp: inSeconds(86_400) } })
  const token = await mintLong('/hangs', 0)
  t.equal(await judge.judge(token), 'ada')
  server.on('/hangs', hang)
  judge.ahead = 61 * second
  t.equal(await judge.judge(token), 'ada')
  t.equal(downloads('/hangs'), 2)
  judge.ahead = 75 * second
  const pending = judge.judge(token)
  const first = await Promise.race([pending, until(() => false, 2000).catch(() => 'waits')])
  t.equal(first, 'ada')
  await until(() => downloads('/hangs') === 3)
})

void t.test('an older copy does not undo a newer one', async (t) => {
  const judge = await startJudge(t, options)
  serve('/replayed', listOf([1]), { claims: { ttl: 60, exp: inSeconds(600) } })
  const token = await mintLong('/replayed', 0)
  t.equal(await judge.judge(token), 'invalid_status')
  serve('/replayed', listOf([0]), {
    claims: { ttl: 60, exp: inSeconds(600), iat: inSeconds(-100) }
  })
  judge.ahead = 61 * second
  t.equal(await judge.judge(token), 'invalid_status')
  t.equal(downloads('/replayed'), 2)
})

void t.test('a list that can not be read anew counts for a day at most', async (t) => {
  const judge = await startJudge(t, options)
  serve('/decade', listOf([0]), { claims: { exp: inSeconds(315_360_000) } })
  const token = await mint('/decade', 0, { exp: inSeconds(315_360_000) })
  t.equal(await judge.judge(token), 'ada')
  server.on('/decade', status(503))
  for (const [hours, verdict] of [
    [23, 'ada'],
    [25, 'unavailable']
  ] as const) {
    judge.ahead = hours * 3600 * second
    await judge.keySet.refresh()
    t.equal(await judge.judge(token), verdict, `${hours} h`)
  }
})

void t.test('a list ends with the key that signed it, if it can not be read anew', async (t) => {
  const own = await startStatusListScene(t)
  const judge = await startJudge(t, { ...own.options, statusList: 'optional' })
  own.serve('/key', listOf([0]), { claims: { exp: inSeconds(86_400) } })
  const token = await own.mint('/key', 0, { exp: inSeconds(86_400) }, { alg: 'ES256' })
  t.equal(await judge.judge(token), 'ada')
  own.server.on('/key', status(503))
  const { kid = '' } = own.sound.keys.find(({ alg }) => alg === 'RS256') ?? {}
  own.sound.withdraw(kid)
  judge.ahead = 400 * second
  await judge.keySet.refresh()
  t.equal(await judge.judge(token), 'unavailable')
})

void t.test('a token that ends while its list is read is refused', async (t) => {
  const judge = await startJudge(t, options)
  const { promise, resolve } = withResolver()
  serve('/ends', listOf([0]), { wait: promise })
  const verdict = judge.judge(await mint('/ends', 0, { exp: inSeconds(60) }))
  await until(() => downloads('/ends') === 1)
  judge.ahead = 70 * second
  resolve()
  t.equal(await verdict, 'expired')
})

void t.test('a key that is withdrawn while a list is read verifies nothing', async (t) => {
  const own = await startStatusListScene(t)
  const judge = await startJudge(t, { ...own.options, statusList: 'optional' })
  await until(() => judge.keySet.isUsable)
  const { promise, resolve } = withResolver()
  own.serve('/withdrawn', listOf([0]), { wait: promise, sign: { alg: 'ES256' } })
  const verdict = judge.judge(await own.mint('/withdrawn', 0))
  await until(() => own.downloads('/withdrawn') === 1)
  const { kid = '' } = own.sound.keys.find(({ alg }) => alg === 'RS256') ?? {}
  own.sound.withdraw(kid)
  await judge.keySet.refresh()
  resolve()
  t.equal(await verdict, 'unknown_key')
})

void t.test('an attempt that fails shortly before the end does not put it off', async (t) => {
  const judge = await startJudge(t, options)
  serve('/nearly', listOf([0]), { claims: { ttl: 97, exp: inSeconds(100) } })
  const token = await mintLong('/nearly', 0)
  t.equal(await judge.judge(token), 'ada')
  server.on('/nearly', status(503))
  judge.ahead = 98 * second
  t.equal(await judge.judge(token), 'ada')
  judge.ahead = 107 * second
  t.equal(await judge.judge(token), 'unavailable')
})

void t.test('an attempt that failed is no reason to use a list after a long pause', async (t) => {
  const judge = await startJudge(t, options)
  serve('/pause', listOf([0]), { claims: { ttl: 60, exp: inSeconds(86_400) } })
  const token = await mintLong('/pause', 0)
  t.equal(await judge.judge(token), 'ada')
  server.on('/pause', status(503))
  judge.ahead = 61 * second
  t.equal(await judge.judge(token), 'ada')
  serve('/pause', listOf([1]), { claims: { ttl: 60, exp: inSeconds(86_400) } })
  judge.ahead = 3600 * second
  t.equal(await judge.judge(token), 'invalid_status')
})

void t.test('an older copy is better than none', async (t) => {
  const judge = await startJudge(t, options)
  serve('/restored', listOf([0]), { claims: { ttl: 60 } })
  const token = await mintLong('/restored', 0)
  t.equal(await judge.judge(token), 'ada')
  serve('/restored', listOf([0]), { claims: { ttl: 60, iat: inSeconds(-100) } })
  judge.ahead = 61 * second
  t.equal(await judge.judge(token), 'ada')
})

void t.test('long names of lists count as what is kept of them does', async (t) => {
  const memory = createStatusListMemory()
  for (let index = 0; index < 10_000; index++)
    memory.set(`${'x'.repeat(12_000)}${index}`, { value: 'unavailable', usableUntil: 0, since: 0 })
  t.ok(memory.size * 2 * 12_000 <= 64 * 1024 * 1024, `${memory.size} are kept`)
})

import t from 'tap'
import { startJudge } from '../../support/issuer-judge.ts'
import { status } from '../../support/hostile-issuer.ts'
import { listOf, startStatusListScene } from '../../support/status-lists.ts'

const scene = await startStatusListScene(t)
const { mint, serve, server, downloads } = scene
const options = { ...scene.options, statusList: 'optional' as const }
const second = 1000
const now = Math.floor(Date.now() / 1000)

/** A token that lives for a day, so that its status is all that changes. */
const mintLong = (path: string, index: number) => mint(path, index, { exp: now + 86_400 })

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
    serve(path, listOf([0]), { ttl })
    for (let round = 0; round < 3; round++) t.equal(await judge.judge(token), 'ada')
    serve(path, listOf([1]), { ttl })
    judge.ahead = (seconds - 5) * second
    t.equal(await judge.judge(token), 'ada', 'just before')
    t.equal(downloads(path), 1)
    judge.ahead = (seconds + 1) * second
    t.equal(await judge.judge(token), 'invalid_status')
    serve(path, listOf([0]), { ttl })
    judge.ahead = (2 * seconds + 5) * second
    t.equal(await judge.judge(token), 'ada', 'a token that was suspended')
    t.equal(downloads(path), 3)
  })

void t.test('an expiry ends a list sooner', async (t) => {
  const judge = await startJudge(t, options)
  serve('/exp', listOf([0]), { ttl: 600, exp: now + 60 })
  const token = await mintLong('/exp', 0)
  t.equal(await judge.judge(token), 'ada')
  serve('/exp', listOf([1]))
  judge.ahead = 70 * second
  t.equal(await judge.judge(token), 'invalid_status')
})

void t.test('an outage: a known list counts until it expires, then nobody can tell', async (t) => {
  const judge = await startJudge(t, options)
  serve('/outage', listOf([0, 1]), { ttl: 60, exp: now + 600 })
  const [good, bad] = [await mintLong('/outage', 0), await mintLong('/outage', 1)]
  t.equal(await judge.judge(good), 'ada')
  server.on('/outage', status(503))
  for (const ahead of [61, 62, 69, 75, 300, 590]) {
    judge.ahead = ahead * second
    t.equal(await judge.judge(good), 'ada', `${ahead} s later`)
    t.equal(await judge.judge(bad), 'invalid_status', `${ahead} s later`)
  }
  t.equal(downloads('/outage'), 5, 'one download in ten seconds')
  judge.ahead = 610 * second
  t.equal(await judge.judge(good), 'unavailable')
  serve('/outage', listOf([0, 1]), { exp: now + 86_400 })
  judge.ahead = 615 * second
  t.equal(await judge.judge(good), 'unavailable', 'asked again after ten seconds')
  judge.ahead = 622 * second
  t.equal(await judge.judge(good), 'ada')
})

void t.test('an outage: a list without an expiry counts for its ttl', async (t) => {
  const judge = await startJudge(t, options)
  serve('/brief', listOf([0]), { ttl: 60 })
  const token = await mintLong('/brief', 0)
  t.equal(await judge.judge(token), 'ada')
  server.on('/brief', status(503))
  judge.ahead = 61 * second
  t.equal(await judge.judge(token), 'unavailable')
})

void t.test('a list that has grown is read again for a token beyond its end', async (t) => {
  const judge = await startJudge(t, options)
  const short = Array.from({ length: 8 }, () => 0)
  serve('/grows', listOf(short, 1), { ttl: 3600, exp: now + 7200 })
  const [first, later] = [await mintLong('/grows', 0), await mintLong('/grows', 8)]
  t.equal(await judge.judge(first), 'ada')
  t.equal(await judge.judge(later), 'invalid_claims')
  t.equal(downloads('/grows'), 1, 'not at once')
  server.on('/grows', status(503))
  judge.ahead = 11 * second
  t.equal(await judge.judge(later), 'invalid_claims')
  t.equal(await judge.judge(first), 'ada', 'what is known stays')
  serve('/grows', listOf([...short, 0], 1))
  judge.ahead = 22 * second
  t.equal(await judge.judge(later), 'ada')
  t.equal(downloads('/grows'), 3)
})

void t.test('a token is remembered no longer than it lives', async (t) => {
  const judge = await startJudge(t, options)
  serve('/short', listOf([0]), { ttl: 3600 })
  const token = await mint('/short', 0, { exp: now + 60 })
  for (let round = 0; round < 3; round++) t.equal(await judge.judge(token), 'ada')
  judge.ahead = 70 * second
  t.equal(await judge.judge(token), 'expired')
})

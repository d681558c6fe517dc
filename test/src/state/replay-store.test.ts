import t from 'tap'
import { createMemoryReplayStore, StateUnavailableError } from '../../../src/state/replay-store.ts'

t.test('DPOP-15: a name is free once, until its time is over', async (t) => {
  let now = 0
  const store = createMemoryReplayStore(10, () => now)
  t.equal(await store.take('a', 70_000), true)
  t.equal(await store.take('a', 70_000), false)
  t.equal(await store.take('a', 20_000), false, 'also if another time is said')
  now = 69_999
  t.equal(await store.take('a', 139_999), false)
  now = 80_000
  t.equal(await store.take('a', 150_000), true)
})

t.test('DPOP-16: full, it takes no more, and forgets none before its time', async (t) => {
  let now = 0
  const store = createMemoryReplayStore(3, () => now)
  for (const name of ['a', 'b', 'c']) t.equal(await store.take(name, 60_000), true)
  await t.rejects(store.take('d', 60_000), StateUnavailableError)
  t.equal(await store.take('a', 60_000), false)
  now = 70_000
  t.equal(await store.take('d', 130_000), true)
})

t.test('DPOP-16: proofs whose time is over make room for others, without end', async (t) => {
  let now = 0
  // a thousand a second for five minutes; those of 70 seconds count, and go by tens of seconds
  const store = createMemoryReplayStore(81_000, () => now)
  for (; now < 300_000; now += 1)
    if (!(await store.take(`${now}`, now + 70_000))) t.fail(`${now} was free`)
})

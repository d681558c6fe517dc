import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import type { KeySetSnapshot, KeySetStore } from '../../src/issuer/key-set.ts'
import { appUnderTest } from '../support/app.ts'
import { startFleet } from '../support/fleet.ts'
import { startGuardedApp } from '../support/guarded-app.ts'
import { assertInvalidToken, assertUnavailable } from '../support/outcomes.ts'
import { until } from '../support/until.ts'

const names = Array.from({ length: 10_000 }, (_, index) => `tenant-${index}`)

/** A store that counts what is asked of it, and how much of that at a time. */
function countingStore() {
  const kept = new Map<string, KeySetSnapshot>()
  const counts = { loads: 0, running: 0, most: 0 }
  const store: KeySetStore = {
    load: async (issuer) => {
      counts.loads++
      counts.most = Math.max(counts.most, ++counts.running)
      await sleep(1)
      counts.running--
      return kept.get(issuer)
    },
    save: async (issuer, snapshot) => void kept.set(issuer, snapshot)
  }
  return { store, counts, kept }
}

t.test('META-11: of 10,000 issuers only those in use are read', async (t) => {
  const fleet = await startFleet(t)
  const { store, counts } = countingStore()
  const issuers = names.map(fleet.optionsOf)
  const { app, call } = await startGuardedApp(t, { issuers, keySetStore: store })
  t.ok(app.latchkey.isReady(), 'no issuer of a long list is required')
  t.strictSame([fleet.asked.length, counts.loads], [0, 0])

  for (const name of ['tenant-0', 'tenant-9999', 'tenant-9999'])
    t.equal((await call({ token: await fleet.mint(name) })).status, 200)
  assertInvalidToken(t, await call({ token: await fleet.mint('tenant-10000') }), 'a stranger')
  t.strictSame(fleet.downloads, ['tenant-0', 'tenant-9999'])
  t.equal(counts.loads, 2)
  t.strictSame(app.latchkey.issuers, [], 'clients are not told of thousands')
})

t.test(
  'META-13: the required issuers of a long list are read at the start, some at a time',
  async (t) => {
    const fleet = await startFleet(t)
    const { store, counts } = countingStore()
    fleet.answers = (name) => name !== 'tenant-1'
    const issuers = names
      .slice(0, 200)
      .map((name, index) => ({ ...fleet.optionsOf(name), required: index < 50 }))
    const { app } = await startGuardedApp(t, { issuers, keySetStore: store })
    await until(() => fleet.downloads.length === 49)
    t.equal(counts.loads, 50)
    t.ok(counts.most > 1 && counts.most <= 20, `${counts.most} at a time`)
    t.notOk(app.latchkey.isReady(), 'one is missing')
    fleet.answers = () => true
    await until(() => app.latchkey.isReady())
    t.equal(app.latchkey.issuers.length, 50)
  }
)

t.test(
  'META-13: an issuer that is not required does not keep the API from being ready',
  async (t) => {
    const fleet = await startFleet(t)
    fleet.answers = (name) => name === 'a'
    const issuers = [fleet.optionsOf('a'), { ...fleet.optionsOf('b'), required: false }]
    const { app, call } = await startGuardedApp(t, { issuers })
    await until(() => app.latchkey.isReady())
    t.strictSame(fleet.asked, ['a'])
    t.equal(app.latchkey.issuers.length, 2)
    assertUnavailable(t, await call({ token: await fleet.mint('b') }), 'the issuer that is down')
    t.equal((await call({ token: await fleet.mint('a') })).status, 200)
  }
)

t.test('META-13: the service is ready once all required keys were read', async (t) => {
  const fleet = await startFleet(t)
  fleet.answers = (name) => name === 'a'
  const { audience } = fleet
  const issuers = ['a', 'b'].map((name) => ({ issuer: fleet.optionsOf(name).issuer, audience }))
  const { app } = await appUnderTest(t, { issuers })
  await until(() => app.latchkey.keySets().some(({ isUsable }) => isUsable))
  t.equal((await app.inject('/livez')).statusCode, 200)
  const answer = await app.inject('/readyz')
  t.equal(answer.statusCode, 503)
  t.match(answer.json(), { detail: /issuer keys/ })
  fleet.answers = () => true
  await until(async () => (await app.inject('/readyz')).statusCode === 200)
})

t.test('META-13: up to 100 issuers are all required unless they say otherwise', async (t) => {
  const fleet = await startFleet(t)
  fleet.answers = () => false
  const isReadyWith = async (count: number) => {
    const issuers = names.slice(0, count).map(fleet.optionsOf)
    return (await startGuardedApp(t, { issuers })).app.latchkey.isReady()
  }
  t.strictSame([await isReadyWith(100), await isReadyWith(101)], [false, true])
})

t.test('META-9: keys that were kept open the first token of an issuer that is down', async (t) => {
  const fleet = await startFleet(t)
  const { store, kept } = countingStore()
  const options = { issuers: [{ ...fleet.optionsOf('a'), required: false }], keySetStore: store }
  const before = await startGuardedApp(t, options)
  t.equal((await before.call({ token: await fleet.mint('a') })).status, 200)
  await until(() => kept.size === 1)
  fleet.answers = () => false
  const { call } = await startGuardedApp(t, options)
  t.equal((await call({ token: await fleet.mint('a') })).status, 200)
})

t.test('an issuer that nobody needs is not asked again while it is down', async (t) => {
  const fleet = await startFleet(t)
  fleet.answers = () => false
  const { call } = await startGuardedApp(t, {
    issuers: [{ ...fleet.optionsOf('a'), required: false }]
  })
  const token = await fleet.mint('a')
  const answers = await Promise.all([1, 2, 3, 4].map(() => call({ token })))
  for (const answer of answers) assertUnavailable(t, answer, 'while it is down')
  const asked = fleet.asked.length
  await sleep(1200)
  t.equal(fleet.asked.length, asked, 'nobody asks by himself')
  fleet.answers = () => true
  t.equal((await call({ token })).status, 200, 'the next token does')
})

t.test('OWASP-8: a fault among several issuers says whose it is', async (t) => {
  const good = { issuer: 'https://a.example', audience: 'api' }
  for (const [entry, message] of [
    [
      { issuer: 'https://b.example' },
      /^issuers\[1\] \(https:\/\/b\.example\): audience: found nothing/
    ],
    [
      { ...good, issuer: 'https://b.example', typ: [] },
      /^issuers\[1\] \(https:\/\/b\.example\): typ: /
    ],
    [{ ...good, issuer: 'b' }, /^issuers\[1\].* issuer: found "b", allowed: an https URL/],
    [
      { ...good, issuer: 'https://b.example', scopes: 1 },
      /^issuers\[1\] \(.*b\.example\): scopes: /
    ],
    [
      { ...good, issuer: 'https://b.example', required: 1 },
      /^issuers\[1\] \(.*\): required: found 1/
    ],
    [null, /^issuers\[1\].*: issuers: found null, allowed: objects/],
    [good, /^issuers: https:\/\/a\.example is listed twice/]
  ] as const) {
    const start = startGuardedApp(t, { issuers: [good, entry] as (typeof good)[] })
    await t.rejects(start, { name: 'TypeError', message })
  }
})

import { mock } from 'node:test'
import t from 'tap'
import {
  a,
  b,
  createKeySet,
  day,
  keyA,
  metadata,
  pass,
  second,
  settled,
  start
} from '../../support/key-set-in-time.ts'

for (const [says, maxAge, interval] of [
  ['nothing', undefined, 300],
  ['60 s', 60, 60],
  ['0 s, which is raised to 30 s', 0, 30],
  ['a year, which is cut to an hour', 31_536_000, 3600]
] as const) {
  void t.test(
    `META-8, GJ-6: an issuer that says ${says} is asked again in the background`,
    async (t) => {
      const { keySet, seen, answer } = createKeySet(t)
      if (maxAge !== undefined) answer.maxAge = maxAge
      await keySet.start()
      await settled()
      t.equal(seen.downloads, 1)
      await pass((interval - 1) * second)
      t.equal(seen.downloads, 1)
      await pass(second)
      t.equal(seen.downloads, 2)
    }
  )
}

void t.test('META-8: known keys are there while the next set is on its way', async (t) => {
  const { keySet, answer } = createKeySet(t)
  await keySet.start()
  await settled()
  answer.wait = new Promise(() => undefined)
  await pass(301 * second)
  t.ok(keyA(keySet))
  t.notOk(keySet.isFailing)
})

void t.test('without keys the issuer is asked after 1, 2, 4 s, then every 5 s', async (t) => {
  const { keySet, seen, answer } = createKeySet(t)
  delete answer.jwks
  await keySet.start()
  t.strictSame(await attempts(seen, 25), [1, 3, 7, 12, 17, 22])
  t.ok(keySet.isFailing)
  answer.jwks = [a]
  await pass(5 * second)
  t.ok(keyA(keySet), 'healed by itself')
  t.notOk(keySet.isFailing)
})

void t.test('with keys a failing issuer is asked less and less, every 30 s at last', async (t) => {
  const { keySet, seen, answer } = createKeySet(t)
  await keySet.start()
  await settled()
  delete answer.jwks
  await pass(300 * second)
  t.strictSame(await attempts(seen, 130), [1, 3, 7, 15, 31, 61, 91, 121])
  t.ok(keyA(keySet))
})

void t.test('META-6: unknown keys do not ask an issuer that never gave keys again', async (t) => {
  const { keySet, seen, answer } = createKeySet(t)
  delete answer.jwks
  await keySet.refreshForUnknownKey()
  for (let times = 0; times < 50; times++) await keySet.refreshForUnknownKey()
  t.equal(seen.downloads, 1)
})

void t.test('keys that arrive after their issuer was dismissed do not count', async (t) => {
  const { keySet, answer } = createKeySet(t)
  await keySet.start()
  await settled()
  let arrive = (): void => undefined
  answer.wait = new Promise((resolve) => (arrive = resolve))
  const download = keySet.refresh()
  keySet.retire()
  arrive()
  await download
  t.notOk(keyA(keySet))
})

void t.test('kept keys that are found after their issuer was dismissed do not count', async (t) => {
  let find = (): void => undefined
  const found = new Promise<void>((resolve) => (find = resolve))
  const { keySet } = createKeySet(t, {
    load: () => found.then(() => ({ jwks: [a], metadata, fetchedAt: start })),
    save: async () => undefined
  })
  const restored = keySet.restore()
  keySet.retire()
  find()
  await restored
  t.notOk(keyA(keySet))
})

/** The seconds, of those that follow, at which there was a download. */
async function attempts(seen: { downloads: number }, seconds: number): Promise<number[]> {
  const found: number[] = []
  await settled()
  for (let now = 1; now <= seconds; now++) {
    const before = seen.downloads
    await pass(second)
    if (seen.downloads > before) found.push(now)
  }
  return found
}

for (const [name, jwks] of Object.entries({ succeeds: [a], fails: undefined })) {
  void t.test(
    `META-6, GJ-3: a download for an unknown key that ${name} starts the cool-down`,
    async (t) => {
      const { keySet, seen, answer } = createKeySet(t)
      answer.maxAge = 3600
      await keySet.start()
      await settled()
      if (jwks === undefined) delete answer.jwks
      await keySet.refreshForUnknownKey()
      t.equal(seen.downloads, 2)
      t.equal(keySet.isFailing, jwks === undefined)
      const scheduled = (await attempts(seen, 29)).length
      const strangers = Array.from({ length: 1000 }, () => keySet.refreshForUnknownKey())
      t.ok(strangers.every((download) => download === undefined))
      t.equal(seen.downloads, 2 + scheduled)
      await pass(second)
      t.ok(keySet.refreshForUnknownKey())
    }
  )
}

void t.test('META-6: one download at a time, whoever asks', async (t) => {
  const { keySet, seen, answer } = createKeySet(t)
  let finish = (): void => undefined
  answer.wait = new Promise((resolve) => {
    finish = resolve
  })
  await keySet.start()
  const waiting = Array.from({ length: 200 }, () => keySet.refreshForUnknownKey())
  t.equal(new Set(waiting).size, 1)
  finish()
  await waiting[0]
  t.equal(seen.downloads, 1)
  t.ok(keyA(keySet))
})

void t.test(
  'META-9: known keys are served for a day without a good download, and no longer',
  async (t) => {
    const { keySet, answer } = createKeySet(t)
    await keySet.start()
    await settled()
    const key = keyA(keySet)
    t.equal(key?.validUntil, start + day)
    delete answer.jwks
    mock.timers.setTime(start + day - 1)
    await settled()
    t.equal(keyA(keySet), key)
    t.ok(keySet.isUsable)
    mock.timers.setTime(start + day)
    await settled()
    t.equal(keyA(keySet), undefined)
    t.notOk(keySet.isUsable)
    t.ok(keySet.isFailing)
    answer.jwks = [a]
    await pass(31 * second)
    t.equal(keyA(keySet), key, 'the same key counts again')
  }
)

void t.test('META-7, GJ-7: a new set ends the keys that it lacks, at once', async (t) => {
  const { keySet, answer } = createKeySet(t)
  await keySet.start()
  await settled()
  const key = keyA(keySet)
  answer.jwks = [b]
  await keySet.refreshForUnknownKey()
  t.equal(keyA(keySet), undefined)
  t.equal(key?.validUntil, 0)
  t.ok(keySet.find('EdDSA', 'b'))
})

void t.test('META-7: another key under a known kid takes its place', async (t) => {
  const { keySet, answer } = createKeySet(t)
  await keySet.start()
  await settled()
  const key = keyA(keySet)
  answer.jwks = [{ ...b, kid: 'a' }]
  await keySet.refreshForUnknownKey()
  t.equal(key?.validUntil, 0)
  t.ok(keyA(keySet))
})

void t.test('JP-2: a key is prepared once, however often it is downloaded', async (t) => {
  const { keySet, seen, answer } = createKeySet(t)
  await keySet.start()
  await settled()
  const key = keyA(keySet)
  answer.jwks = [b, a]
  await pass(900 * second)
  t.equal(seen.downloads, 4)
  t.strictSame(seen.prepared, ['a', 'b'])
  t.equal(keyA(keySet), key, 'so that the tokens it verified stay verified')
})

for (const [name, jwks] of Object.entries({
  'an empty set': [],
  'a set without a usable key': [null, { kty: 'oct', k: 'AAAA' }, { ...a, use: 'enc' }]
})) {
  void t.test(`META-9: ${name} is an outage, not a withdrawal`, async (t) => {
    const { keySet, seen, answer } = createKeySet(t)
    await keySet.start()
    await settled()
    answer.jwks = jwks
    await keySet.refreshForUnknownKey()
    t.ok(keyA(keySet))
    t.ok(keySet.isFailing)
    t.equal(seen.skipped, jwks.length)
    t.strictSame(seen.troubles, ['downloading the key set'])
  })
}

void t.test('JWK-3: an entry that is of no use is reported once while it stays', async (t) => {
  const { keySet, seen, answer } = createKeySet(t)
  const octet = { kty: 'oct', kid: 'o', k: 'AAAA' }
  answer.jwks = [octet, a]
  await keySet.start()
  await settled()
  await pass(3600 * second)
  t.equal(seen.downloads, 13)
  t.equal(seen.skipped, 1)
  answer.jwks = [a, octet, { ...octet, kid: 'p' }]
  await pass(600 * second)
  t.equal(seen.skipped, 2, 'another one beside it')
  answer.jwks = [a]
  await pass(300 * second)
  answer.jwks = [octet, a]
  await pass(600 * second)
  t.equal(seen.skipped, 3, 'once more when it comes back')
  answer.jwks = [octet]
  await pass(600 * second)
  t.ok(keySet.isFailing)
  t.equal(seen.skipped, 3, 'nor at each attempt while nothing is left beside it')
})

void t.test('META-9: says in how many seconds the issuer is asked again', async (t) => {
  const { keySet, answer } = createKeySet(t)
  delete answer.jwks
  await keySet.start()
  await settled()
  t.equal(keySet.retryAfterSeconds, 1)
  await pass(12 * second)
  t.equal(keySet.retryAfterSeconds, 5)
  answer.wait = new Promise(() => undefined)
  await pass(9 * second)
  t.equal(keySet.retryAfterSeconds, 1, 'never zero or less')
})

void t.test('close ends the downloads, also what a running one would have started', async (t) => {
  const { keySet, seen, answer } = createKeySet(t)
  let finish = (): void => undefined
  answer.wait = new Promise((resolve) => {
    finish = resolve
  })
  delete answer.jwks
  await keySet.start()
  keySet.close()
  finish()
  await pass(600 * second)
  t.equal(seen.downloads, 1)
  t.equal(keySet.refreshForUnknownKey(), undefined)
  t.strictSame(seen.troubles, [], 'a download that was cut off by close is no trouble')
})

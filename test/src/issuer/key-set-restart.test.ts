import { mock } from 'node:test'
import t from 'tap'
import type { KeySetSnapshot, KeySetStore } from '../../../src/issuer/key-set.ts'
import {
  a,
  b,
  createKeySet,
  day,
  issuer,
  keyA,
  metadata,
  pass,
  second,
  settled,
  start
} from '../../support/key-set-in-time.ts'

function memoryStore(snapshot?: unknown) {
  const kept = new Map<string, KeySetSnapshot>()
  if (snapshot !== undefined) kept.set(issuer, snapshot as KeySetSnapshot)
  const store: KeySetStore = {
    load: async (name) => kept.get(name),
    save: async (name, snapshot) => void kept.set(name, snapshot)
  }
  return { store, kept }
}

void t.test('a good set is kept, and used after a restart while the issuer is down', async (t) => {
  const { store, kept } = memoryStore()
  const first = createKeySet(t, store)
  await first.keySet.start()
  await settled()
  t.strictSame(kept.get(issuer), { jwks: [a], metadata, fetchedAt: start })
  first.keySet.close()
  mock.timers.reset()

  const { keySet, answer } = createKeySet(t, store)
  delete answer.jwks
  await keySet.start()
  await settled()
  t.equal(keyA(keySet)?.validUntil, start + day, 'its day goes on, it does not begin anew')
  t.same(keySet.metadata, metadata)
  t.ok(keySet.isUsable)
  t.ok(keySet.isFailing)
})

void t.test('the kept set is there before the first download ends, and ends with it', async (t) => {
  const { store } = memoryStore({ jwks: [b], metadata, fetchedAt: start - 1000 })
  const { keySet } = createKeySet(t, store)
  await keySet.start()
  t.ok(keySet.find('EdDSA', 'b'))
  await settled()
  t.notOk(keySet.find('EdDSA', 'b'))
  t.ok(keyA(keySet))
})

for (const [name, snapshot] of Object.entries<unknown>({
  'of another issuer': {
    jwks: [a],
    metadata: { ...metadata, issuer: `${issuer}/` },
    fetchedAt: start
  },
  'that names a forbidden jwks_uri': {
    jwks: [a],
    metadata: { ...metadata, jwks_uri: 'http://id.example.com' },
    fetchedAt: start
  },
  'without keys': { metadata, fetchedAt: start },
  'with keys of the wrong form': { jwks: 'x', metadata, fetchedAt: start },
  'with an empty set': { jwks: [], metadata, fetchedAt: start },
  'with more than 100 keys': {
    jwks: Array.from({ length: 101 }, () => a),
    metadata,
    fetchedAt: start
  },
  'without metadata': { jwks: [a], fetchedAt: start },
  'that is null': null,
  'that is text': 'x'
})) {
  void t.test(`a kept set ${name} is ignored, and said so`, async (t) => {
    const { keySet, seen, answer } = createKeySet(t, memoryStore(snapshot).store)
    delete answer.jwks
    await keySet.start()
    t.notOk(keySet.isUsable)
    t.equal(keyA(keySet), undefined)
    t.strictSame(seen.troubles, ['restoring the kept key set'])
    await settled()
    answer.jwks = [a]
    await pass(second)
    t.ok(keyA(keySet), 'and the issuer is asked as ever')
  })
}

for (const [name, fetchedAt] of Object.entries({
  'more than a day old': start - day,
  'of an unknown time': Number.NaN,
  'without a time': undefined
})) {
  void t.test(`a kept set ${name} opens nothing`, async (t) => {
    const { keySet, answer } = createKeySet(
      t,
      memoryStore({ jwks: [a], metadata, fetchedAt }).store
    )
    delete answer.jwks
    await keySet.start()
    t.notOk(keySet.isUsable)
    t.equal(keyA(keySet), undefined)
  })
}

void t.test('a kept set from the future gets a day from now, no more', async (t) => {
  const { store } = memoryStore({ jwks: [a], metadata, fetchedAt: start + 10 * day })
  const { keySet, answer } = createKeySet(t, store)
  delete answer.jwks
  await keySet.start()
  t.equal(keyA(keySet)?.validUntil, start + day)
})

void t.test('a store that fails is trouble for the log and for nobody else', async (t) => {
  const broken = async (): Promise<never> => {
    throw new Error('disk full')
  }
  const { keySet, seen } = createKeySet(t, { load: broken, save: broken })
  await keySet.start()
  await settled()
  t.ok(keyA(keySet))
  t.strictSame(seen.troubles, ['restoring the kept key set', 'keeping the key set'])
})

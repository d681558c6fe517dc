import { setTimeout as sleep } from 'node:timers/promises'
import t, { type Test } from 'tap'
import type { Mark } from '../../../src/revocation/mark.ts'
import { RevocationList } from '../../../src/revocation/revocation-list.ts'
import type { RevocationStore, StoredMark } from '../../../src/revocation/revocation-store.ts'
import { openDatabase } from '../../../src/storage/database.ts'
import { createRevocationStore } from '../../../src/storage/revocations.ts'
import { createPrincipal } from '../../../src/token/principal.ts'
import { VerifiedTokens } from '../../../src/token/verified-tokens.ts'
import { startDatabases } from '../../support/databases.ts'
import { until } from '../../support/until.ts'

const issuer = 'https://id.example.com'
const start = 1_800_000_000
const day = 86_400

const principal = (claims: object = {}) =>
  createPrincipal({ iss: issuer, sub: 'ada', aud: 'x', exp: start + 3600, iat: start, ...claims })
const mark = (value: string, issuedUntil = start): Mark => ({
  kind: 'subject',
  issuer,
  value,
  issuedUntil
})

interface Told {
  failed: number
  answers: number
  folded: Mark[]
}

interface Setting {
  readonly clock?: () => number
  readonly maxMarks?: number
}

async function startList(t: Test, store: RevocationStore, { clock, maxMarks }: Setting = {}) {
  const told: Told = { failed: 0, answers: 0, folded: [] }
  const list = new RevocationList({
    store,
    maxTokenLifetime: 30 * day,
    observer: {
      storeFailed: () => void told.failed++,
      storeAnswers: () => void told.answers++,
      marksFolded: (folded) => void told.folded.push(folded)
    },
    clock: clock ?? (() => start * 1000),
    maxMarks
  })
  t.teardown(() => list.close())
  await list.start()
  return { list, told }
}

for (const { name, create } of await startDatabases(t))
  void t.test(name, async (t) => {
    const url = await create()
    const open = async () => {
      const storage = await openDatabase(url)
      t.teardown(() => storage.close())
      return createRevocationStore(storage)
    }

    await t.test('BCL-11: another instance knows a mark within a second', async (t) => {
      const [first, second] = [await startList(t, await open()), await startList(t, await open())]
      await first.list.add(mark('ada'))
      t.ok(first.list.covers(principal()), 'the one that made it, at once')
      await until(() => second.list.covers(principal()), 1000)
      t.notOk(second.list.covers(principal({ sub: 'bob' })))
    })

    await t.test('BCL-11: marks survive a restart', async (t) => {
      const { list } = await startList(t, await open())
      t.ok(list.covers(principal()))
    })

    await t.test('marks that are made at the same time all reach everybody', async (t) => {
      const lists: Awaited<ReturnType<typeof startList>>[] = []
      while (lists.length < 4) lists.push(await startList(t, await open()))
      const names = Array.from({ length: 80 }, (_, index) => `user ${index}`)
      const add = async (value: string, index: number) =>
        lists[index % lists.length]?.list.add(mark(value))
      // SQLite's connections wait for each other without letting go of the process
      if (name === 'PostgreSQL') await Promise.all(names.map(add))
      else for (const [index, value] of names.entries()) await add(value, index)
      const knowsAll = ({ list }: { list: RevocationList }) =>
        names.every((sub) => list.covers(principal({ sub })))
      await until(() => lists.every(knowsAll), 5000)
    })

    await t.test('of two marks on the same tokens the later stays', async (t) => {
      const store = await open()
      await store.add(mark('cyd', start + 5))
      const before = await store.read(0)
      await store.add(mark('cyd', start + 1))
      t.strictSame(await store.read(0), before)
      await store.add(mark('cyd', start + 6))
      const [changed] = await store.read(before.at(-1)?.change ?? 0)
      t.match(changed, mark('cyd', start + 6))
    })

    await t.test('names may be whatever an issuer likes', async (t) => {
      const store = await open()
      const names = ['\0', '\uD800', "'; drop table revocations", '🦊', 'x'.repeat(1024)]
      for (const value of names) await store.add(mark(value))
      const kept = (await store.read(0)).map(({ value }) => value)
      t.strictSame(kept.slice(-names.length), names)
    })

    await t.test('a mark on all tokens takes the place of the others up to its time', async (t) => {
      const store = await open()
      const elsewhere = { ...mark('ada'), issuer: 'https://b' }
      await store.add(elsewhere)
      await store.add(mark('later', start + 20))
      await store.add({ kind: 'all', issuer, value: '', issuedUntil: start + 10 })
      const left = async () => (await store.read(0)).map(({ kind, value }) => [kind, value])
      t.strictSame(await left(), [
        ['subject', 'ada'],
        ['subject', 'later'],
        ['all', '']
      ])
      await store.add({ kind: 'all', issuer: '', value: '', issuedUntil: start + 30 })
      t.strictSame(await left(), [
        ['all', ''],
        ['all', '']
      ])
    })
  })

/** A store whose failure and clock a test decides. */
function fakeStore() {
  const marks: StoredMark[] = []
  const state = { isDown: false, now: start * 1000 }
  const answer = () => {
    if (state.isDown) throw new Error('down')
  }
  const store: RevocationStore = {
    async read(since) {
      answer()
      return marks.filter(({ change }) => change > since)
    },
    async add(added) {
      answer()
      marks.push({ ...added, change: marks.length + 1 })
    }
  }
  return { marks, state, store, clock: () => state.now }
}

void t.test('a store that fails does not end what is known', async (t) => {
  const { state, store, clock } = fakeStore()
  const { list, told } = await startList(t, store, { clock })
  await list.add(mark('ada'))
  t.ok(list.isCurrent)
  state.isDown = true
  await until(() => told.failed === 1)
  await sleep(600)
  t.equal(told.failed, 1, 'told once')
  t.ok(list.covers(principal()))
  t.ok(list.isCurrent, 'ready for a while')
  state.now += 10_000
  t.notOk(list.isCurrent, 'then not')
  await t.rejects(list.add(mark('bob')), { message: 'down' })
  state.isDown = false
  await until(() => told.answers === 1)
  t.ok(list.isCurrent)
})

void t.test(
  'BCL-11: after an outage a store that lost its last marks is followed still',
  async (t) => {
    const { marks, state, store, clock } = fakeStore()
    const { list, told } = await startList(t, store, { clock })
    for (const value of ['ada', 'bob']) await store.add(mark(value))
    await until(() => list.covers(principal({ sub: 'bob' })))
    state.isDown = true
    await until(() => told.failed === 1)
    marks.pop()
    state.isDown = false
    await store.add(mark('cyd'))
    await until(() => list.covers(principal({ sub: 'cyd' })), 1500)
    t.ok(list.covers(principal({ sub: 'bob' })), 'what it knew, it knows')
  }
)

void t.test('a start without the store is none', async (t) => {
  const { state, store } = fakeStore()
  state.isDown = true
  await t.rejects(startList(t, store), { message: 'down' })
})

void t.test('BCL-11: tokens that outlive their marks stay refused', async (t) => {
  const { state, store, clock } = fakeStore()
  const { list, told } = await startList(t, store, { clock })
  await list.add(mark('ada'))
  state.now += 31 * day * 1000
  await until(() => told.folded.length === 1)
  t.strictSame(told.folded, [{ kind: 'all', issuer, value: '', issuedUntil: start }])
  t.ok(list.covers(principal()))
  t.ok(list.covers(principal({ sub: 'bob' })), 'with all that are as old')
  t.notOk(list.covers(principal({ sub: 'bob', iat: start + 1 })))
})

void t.test('marks are bounded: the oldest become one', async (t) => {
  const { store, clock } = fakeStore()
  const { list, told } = await startList(t, store, { clock, maxMarks: 100 })
  for (let index = 0; index <= 100; index++) await list.add(mark(`user ${index}`, start + index))
  await until(() => told.folded.length === 1)
  t.match(told.folded, [{ kind: 'all', issuer, issuedUntil: start + 10 }])
  t.ok(list.covers(principal({ sub: 'user 100', iat: start + 100 })))
  t.notOk(list.covers(principal({ sub: 'user 100', iat: start + 101 })))
})

void t.test('remembered tokens are swept when a mark arrives, in milliseconds', async (t) => {
  const { store, clock } = fakeStore()
  const { list } = await startList(t, store, { clock })
  const tokens = new VerifiedTokens()
  list.onRevoked((isRevoked) => tokens.forget(isRevoked))
  const key = { validUntil: Number.POSITIVE_INFINITY }
  const texts = Array.from({ length: 19_999 }, (_, index) => `${index}`.padStart(40, 'token '))
  for (const [index, text] of texts.entries()) {
    const caller = principal({ sub: `user ${index}` })
    for (const _ of ['first', 'second sight']) tokens.remember(text, caller, Infinity, key)
  }
  const began = performance.now()
  await list.add(mark('user 7'), mark('user 18000'))
  const took = performance.now() - began
  t.comment(`${took.toFixed(1)} ms for ${texts.length} tokens`)
  t.ok(took < 500)
  const isKnown = (index: number) => tokens.find(texts[index] ?? '', 0) !== undefined
  t.strictSame([7, 8, 18_000, 18_001].map(isKnown), [false, true, false, true])
})

import t from 'tap'
import type { Test } from 'tap'
import { createDocumentId, readDocumentId } from '../../../src/documents/document-id.ts'
import { limits } from '../../../src/documents/document.ts'
import type { Documents } from '../../../src/documents/documents.ts'
import type { Owner } from '../../../src/documents/owner.ts'
import { startDatabases } from '../../support/databases.ts'
import type { TestDatabase } from '../../support/databases.ts'
import { ada, open, openTwo, problem } from './fixture.ts'

const others: Readonly<Record<string, Owner>> = {
  'another subject': { ...ada, subject: 'grace' },
  'the same subject of another issuer': { ...ada, issuer: 'https://other.example.com' },
  'a machine of the same subject': { ...ada, kind: 'client' }
}

for (const database of await startDatabases(t)) t.test(database.name, suite(database))

function suite(database: TestDatabase) {
  return async (t: Test) => {
    t.test('returns data as it came', async (t) => {
      const documents = await open(t, database)
      const data = {
        z: 1,
        a: { 'ключ 🗝': [null, true, -1.5e300, '\u0000\ud800'] },
        constructor: 'x'
      }
      const { document } = await documents.create(ada, { data })
      const found = await documents.find(ada, document.id)
      t.equal(JSON.stringify(found.document.data), JSON.stringify(data))
      t.match(document, { collection: 'default', createdAt: document.updatedAt })
      t.equal(readDocumentId(document.id), document.id)
    })

    t.test('an id in upper case, as iOS writes it, names the same document', async (t) => {
      const documents = await open(t, database)
      const id = createDocumentId(Date.now())
      const { stored } = await documents.put(
        ada,
        id.toUpperCase(),
        { data: {} },
        { ifNoneMatch: '*' }
      )
      t.equal(stored.document.id, id)
      t.equal((await documents.find(ada, id.toUpperCase())).document.id, id)
      await t.rejects(
        documents.put(ada, id, { data: {} }, { ifNoneMatch: '*' }),
        problem('precondition-failed')
      )
    })

    for (const [name, other] of Object.entries(others)) {
      t.test(`BCP-4, AT-6, OWASP-1: hides every document from ${name}`, async (t) => {
        const documents = await open(t, database)
        const { document, etag: ifMatch } = await documents.create(ada, { data: { secret: 1 } })
        const { id } = document
        const missing = problem('document-not-found')
        await t.rejects(documents.find(other, id), missing)
        await t.rejects(documents.put(other, id, { data: {} }, { ifMatch }), missing)
        await t.rejects(documents.patch(other, id, { data: {} }, { ifMatch: '*' }), missing)
        await t.rejects(documents.remove(other, id, { ifMatch }), missing)
        t.same((await documents.page(other, {})).items, [])
        t.same((await documents.changes(other, {})).items, [])
        await documents.put(other, id, { data: { own: 1 } }, { ifNoneMatch: '*' })
        t.same((await documents.find(ada, id)).document.data, { secret: 1 })
      })
    }

    for (const id of ['\u0000', 'a\u0000b', '\ud800', '../secrets', "' or 1=1 --"]) {
      t.test(`OWASP-4: an id ${JSON.stringify(id)} names no document`, async (t) => {
        const documents = await open(t, database)
        const missing = problem('document-not-found')
        await t.rejects(documents.find(ada, id), missing)
        await t.rejects(documents.put(ada, id, { data: {} }, { ifMatch: '*' }), missing)
        await t.rejects(documents.patch(ada, id, { data: {} }, { ifMatch: '*' }), missing)
        await t.rejects(documents.remove(ada, id, { ifMatch: '*' }), missing)
        const unfit = problem('validation-failed', '/id')
        await t.rejects(documents.put(ada, id, { data: {} }, { ifNoneMatch: '*' }), unfit)
      })
    }

    t.test('pages through a list newest first, each document once', async (t) => {
      const documents = await open(t, database)
      const made: string[] = []
      for (let index = 0; index < 7; index++) {
        const collection = index % 2 === 0 ? 'even' : 'odd'
        made.unshift((await documents.create(ada, { collection, data: { index } })).document.id)
      }
      t.same(await collectIds(documents, 3), made)
      t.same(await collectIds(documents, 7), made)
      t.same(
        await collectIds(documents, 1, 'even'),
        made.filter((_, index) => index % 2 === 0)
      )
    })

    t.test('OWASP-4: a page of large documents ends early, and next leads on', async (t) => {
      const documents = await open(t, database)
      const data = { large: 'x'.repeat(limits.dataBytes - 100) }
      const made: string[] = []
      for (let count = 0; count < 20; count++)
        made.unshift((await documents.create(ada, { data })).document.id)
      const [page, changes] = [await documents.page(ada, {}), await documents.changes(ada, {})]
      t.equal(page.items.length, 16)
      t.equal(changes.items.length, 16)
      t.ok(changes.more)
      t.same(await collectIds(documents, 20), made)
    })

    t.test('a page has as many items as asked for, and next if there are more', async (t) => {
      const documents = await open(t, database)
      const made: string[] = []
      for (let count = 0; count < 101; count++)
        made.unshift((await documents.create(ada, { data: {} })).document.id)
      for (const limit of [1, 24, 25, 26, 50, 99, 100]) {
        const page = await documents.page(ada, { limit })
        const changes = await documents.changes(ada, { limit })
        const ids = page.items.map(({ id }) => id)
        t.same(ids, made.slice(0, limit), `${limit} of the list`)
        t.ok(page.next !== undefined)
        const changed = changes.items.map(({ id }) => id)
        t.same(changed, made.toReversed().slice(0, limit), `${limit} of the feed`)
        t.ok(changes.more)
      }
      const [oldest = ''] = made.slice(-1)
      await documents.remove(ada, oldest, { ifMatch: '*' })
      t.equal((await documents.page(ada, { limit: 100 })).next, undefined)
      const after = await documents.changes(ada, { limit: 100 })
      t.equal(after.items.at(-1)?.deleted, false, 'the deletion is the last change')
      const end = await documents.changes(ada, { limit: 100, since: after.next })
      t.match(end, { more: false, items: [{ id: oldest, deleted: true }] })
    })

    async function collectIds(
      documents: Documents,
      limit: number,
      collection?: string
    ): Promise<string[]> {
      const ids: string[] = []
      let cursor: string | undefined
      do {
        const page = await documents.page(ada, { limit, cursor, collection })
        ids.push(...page.items.map((item) => item.id))
        cursor = page.next
      } while (cursor !== undefined)
      return ids
    }

    t.test('refuses cursors of another owner, list or kind, and changed ones', async (t) => {
      const documents = await open(t, database)
      for (let index = 0; index < 2; index++) await documents.create(ada, { data: {} })
      const cursor = (await documents.page(ada, { limit: 1 })).next ?? ''
      const since = (await documents.changes(ada, { limit: 1 })).next
      const refused = problem('validation-failed', '/cursor')
      for (const other of Object.values(others))
        await t.rejects(documents.page(other, { cursor }), refused)
      await t.rejects(documents.page(ada, { cursor, collection: 'default' }), refused)
      await t.rejects(documents.page(ada, { cursor: since }), refused)
      for (let index = 0; index < cursor.length; index++) {
        const changed = cursor[index] === 'A' ? 'B' : 'A'
        const tampered = cursor.slice(0, index) + changed + cursor.slice(index + 1)
        await t.rejects(documents.page(ada, { cursor: tampered }), refused)
      }
      for (const bad of ['=', `${cursor}=`, ` ${cursor}`, 'a'.repeat(10_000)])
        await t.rejects(documents.page(ada, { cursor: bad }), refused)
      await t.rejects(
        documents.changes(ada, { since: cursor }),
        problem('validation-failed', '/since')
      )
    })

    t.test('instances on one database share cursors', async (t) => {
      const url = await database.create()
      const [one, two] = [await open(t, database, {}, url), await open(t, database, {}, url)]
      for (let index = 0; index < 2; index++) await one.create(ada, { data: { index } })
      const { next } = await one.page(ada, { limit: 1 })
      t.match((await two.page(ada, { cursor: next })).items, [{ data: { index: 0 } }])
    })

    t.test(
      'HTTP-8: a version is never used again, not after delete and recreate either',
      async (t) => {
        const documents = await open(t, database)
        const id = createDocumentId(Date.now())
        const tags: string[] = []
        for (let round = 0; round < 3; round++) {
          const { stored } = await documents.put(ada, id, { data: {} }, { ifNoneMatch: '*' })
          const patched = await documents.patch(ada, id, {}, { ifMatch: '*' })
          tags.push(stored.etag, patched.etag)
          await documents.remove(ada, id, { ifMatch: '*' })
        }
        t.equal(new Set(tags).size, 6)
      }
    )

    t.test('HTTP-8: owners who give their documents one id share no entity tag', async (t) => {
      const documents = await open(t, database)
      const id = createDocumentId(Date.now())
      const create = (owner: Owner) => documents.put(owner, id, { data: {} }, { ifNoneMatch: '*' })
      const tags = await Promise.all([ada, ...Object.values(others)].map(create))
      t.equal(new Set(tags.map(({ stored }) => stored.etag)).size, tags.length)
    })

    t.test('HTTP-15: of parallel changes of one version one wins', async (t) => {
      const { one, two } = await openTwo(t, database)
      const instances = [one, two]
      const { document, etag } = await one.create(ada, { data: {} })
      const conditions = { ifMatch: etag }
      const outcomes = await Promise.allSettled(
        [0, 1, 2, 3].flatMap((index) =>
          instances.map((documents) =>
            documents.put(ada, document.id, { data: { index } }, conditions)
          )
        )
      )
      const lost = outcomes.filter((outcome) => outcome.status === 'rejected')
      t.equal(lost.length, 7)
      t.ok(lost.every((outcome) => outcome.reason.kind === 'precondition-failed'))
    })

    t.test('OWASP-6: bounds the documents of an owner, under parallel requests too', async (t) => {
      const documents = await open(t, database, { documentsPerOwner: 3 })
      const outcomes = await Promise.allSettled(
        Array.from({ length: 8 }, () => documents.create(ada, { data: {} }))
      )
      const refused = outcomes.filter((outcome) => outcome.status === 'rejected')
      t.equal(refused.length, 5)
      t.ok(refused.every((outcome) => outcome.reason.kind === 'quota-exceeded'))
      const [last] = (await documents.page(ada, {})).items
      await documents.remove(ada, last?.id ?? '', { ifMatch: '*' })
      await documents.create(ada, { data: {} })
    })

    t.test(
      'IDEM-2, IDEM-3, IDEM-4: a key creates once, for one owner, client and payload',
      async (t) => {
        const documents = await open(t, database)
        const idempotency = { key: '"k"', clientId: 'app' }
        const first = await documents.create(ada, { data: { a: 1 } }, idempotency)
        await documents.patch(ada, first.document.id, { data: { a: 2 } }, { ifMatch: '*' })
        t.same(await documents.create(ada, { data: { a: 1 } }, idempotency), first)
        await t.rejects(
          documents.create(ada, { data: { a: 2 } }, idempotency),
          problem('idempotency-key-reused')
        )
        const elsewhere = await documents.create(
          ada,
          { data: { a: 1 } },
          { ...idempotency, clientId: 'other' }
        )
        t.not(elsewhere.document.id, first.document.id)
        for (const other of Object.values(others)) {
          const own = await documents.create(other, { data: { a: 1 } }, idempotency)
          t.not(own.document.id, first.document.id)
        }
      }
    )

    t.test(
      'IDEM-2: of parallel twins one creates, the others learn 409 or its answer',
      async (t) => {
        const { one, two } = await openTwo(t, database)
        const instances = [one, two]
        const idempotency = { key: '"twins"', clientId: undefined }
        const outcomes = await Promise.allSettled(
          [0, 1, 2].flatMap(() =>
            instances.map((documents) => documents.create(ada, { data: {} }, idempotency))
          )
        )
        const created = outcomes.flatMap((outcome) =>
          outcome.status === 'fulfilled' ? [outcome.value.document.id] : []
        )
        const refused = outcomes.flatMap((outcome) =>
          outcome.status === 'rejected' ? [outcome.reason.kind] : []
        )
        t.equal(new Set(created).size, 1)
        t.ok(refused.length >= 4)
        t.same(new Set(refused), new Set(['conflict']))
        t.equal((await one.page(ada, {})).items.length, 1)
      }
    )

    t.test('IDEM-6: a key is forgotten after 24 hours', async (t) => {
      let now = 1_800_000_000_000
      const documents = await open(t, database, { now: () => now })
      const idempotency = { key: '"k"', clientId: 'app' }
      const first = await documents.create(ada, { data: {} }, idempotency)
      now += limits.idempotencyLifetime - 1
      t.same(await documents.create(ada, { data: {} }, idempotency), first)
      now += 1
      const anew = await documents.create(ada, { data: { other: true } }, idempotency)
      t.not(anew.document.id, first.document.id)
    })
  }
}

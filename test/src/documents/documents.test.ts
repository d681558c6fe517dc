import t from 'tap'
import type { Test } from 'tap'
import { createDocumentId, isDocumentId } from '../../../src/documents/document-id.ts'
import { limits } from '../../../src/documents/document.ts'
import { openDocuments } from '../../../src/documents/documents.ts'
import type { Documents, DocumentsOptions } from '../../../src/documents/documents.ts'
import type { Owner } from '../../../src/documents/owner.ts'
import type { ProblemKind } from '../../../src/http/problem.ts'
import { openDatabase } from '../../../src/storage/database.ts'
import { startDatabases } from '../../support/databases.ts'
import type { TestDatabase } from '../../support/databases.ts'

const ada: Owner = { issuer: 'https://id.example.com', subject: 'ada', kind: 'user' }
const others: Readonly<Record<string, Owner>> = {
  'another subject': { ...ada, subject: 'grace' },
  'the same subject of another issuer': { ...ada, issuer: 'https://other.example.com' },
  'a machine of the same subject': { ...ada, kind: 'client' }
}

/** What a refusal must look like. */
function problem(kind: ProblemKind, pointer?: string): Error {
  return { kind, ...(pointer && { errors: [{ pointer }] }) } as unknown as Error
}

for (const database of await startDatabases(t)) t.test(database.name, suite(database))

function suite({ name, create }: TestDatabase) {
  const open = async (t: Test, options: DocumentsOptions = {}, url?: string) => {
    const storage = await openDatabase(url ?? (await create()))
    t.teardown(() => storage.close())
    return openDocuments(storage, options)
  }

  /**
   * Two services that work on one database at the same time. SQLite blocks the process that waits for
   * another's write, so there both are the same; several processes are tested in test/src/storage.
   */
  const openTwo = async (t: Test) => {
    const url = await create()
    const one = await open(t, {}, url)
    return { one, two: name === 'SQLite' ? one : await open(t, {}, url) }
  }

  return async (t: Test) => {
    t.test('returns data as it came', async (t) => {
      const documents = await open(t)
      const data = {
        z: 1,
        a: { 'ключ 🗝': [null, true, -1.5e300, '\u0000\ud800'] },
        constructor: 'x'
      }
      const { document } = await documents.create(ada, { data })
      const found = await documents.find(ada, document.id)
      t.equal(JSON.stringify(found.document.data), JSON.stringify(data))
      t.match(document, { collection: 'default', createdAt: document.updatedAt })
      t.ok(isDocumentId(document.id))
    })

    for (const [name, other] of Object.entries(others)) {
      t.test(`BCP-4, AT-6, OWASP-1: hides every document from ${name}`, async (t) => {
        const documents = await open(t)
        const { document, version } = await documents.create(ada, { data: { secret: 1 } })
        const ifMatch = `"${version}"`
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

    t.test('pages through a list newest first, each document once', async (t) => {
      const documents = await open(t)
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
      const documents = await open(t)
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
      const documents = await open(t)
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
      for (const bad of ['', '=', `${cursor}=`, ` ${cursor}`, 'a'.repeat(10_000)])
        await t.rejects(documents.page(ada, { cursor: bad }), refused)
      await t.rejects(
        documents.changes(ada, { since: cursor }),
        problem('validation-failed', '/since')
      )
    })

    t.test('instances on one database share cursors', async (t) => {
      const url = await create()
      const [one, two] = [await open(t, {}, url), await open(t, {}, url)]
      for (let index = 0; index < 2; index++) await one.create(ada, { data: { index } })
      const { next } = await one.page(ada, { limit: 1 })
      t.match((await two.page(ada, { cursor: next })).items, [{ data: { index: 0 } }])
    })

    t.test(
      'HTTP-8: a version is never used again, not after delete and recreate either',
      async (t) => {
        const documents = await open(t)
        const id = createDocumentId(Date.now())
        const versions: number[] = []
        for (let round = 0; round < 3; round++) {
          const { stored } = await documents.put(ada, id, { data: {} }, { ifNoneMatch: '*' })
          const patched = await documents.patch(ada, id, {}, { ifMatch: '*' })
          versions.push(stored.version, patched.version)
          await documents.remove(ada, id, { ifMatch: '*' })
        }
        t.equal(new Set(versions).size, 6)
      }
    )

    t.test('HTTP-15: of parallel changes of one version one wins', async (t) => {
      const { one, two } = await openTwo(t)
      const instances = [one, two]
      const { document, version } = await one.create(ada, { data: {} })
      const conditions = { ifMatch: `"${version}"` }
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
      const documents = await open(t, { documentsPerOwner: 3 })
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
        const documents = await open(t)
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
        const { one, two } = await openTwo(t)
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
      const documents = await open(t, { now: () => now })
      const idempotency = { key: '"k"', clientId: 'app' }
      const first = await documents.create(ada, { data: {} }, idempotency)
      now += limits.idempotencyLifetime - 1
      t.same(await documents.create(ada, { data: {} }, idempotency), first)
      now += 1
      const anew = await documents.create(ada, { data: { other: true } }, idempotency)
      t.not(anew.document.id, first.document.id)
    })

    t.test('the feed tells changes in order, deletions included, and where to go on', async (t) => {
      const documents = await open(t)
      const [one, two] = [
        await documents.create(ada, { data: { n: 1 } }),
        await documents.create(ada, { data: { n: 2 } })
      ]
      const start = await documents.changes(ada, {})
      t.match(start, { more: false, items: [{ id: one.document.id }, { id: two.document.id }] })
      t.same((await documents.changes(ada, { since: start.next })).items, [])
      await documents.patch(ada, one.document.id, { data: { n: 3 } }, { ifMatch: '*' })
      await documents.remove(ada, two.document.id, { ifMatch: '*' })
      const page = await documents.changes(ada, { since: start.next, limit: 1 })
      t.match(page, { more: true, items: [{ deleted: false, document: { data: { n: 3 } } }] })
      const rest = await documents.changes(ada, { since: page.next })
      t.match(rest.items, [{ id: two.document.id, deleted: true, deletedAt: /Z$/ }])
      t.equal(rest.items.length, 1)
    })

    t.test('the feed skips no change while many write and one follows', async (t) => {
      const { one, two } = await openTwo(t)
      let writing = true
      const written = new Map<string, number>()
      const write = async (documents: Documents) => {
        for (let count = 0; count < 15; count++) {
          const { document } = await documents.create(ada, { data: {} })
          const { version } = await documents.patch(ada, document.id, {}, { ifMatch: '*' })
          written.set(document.id, version)
        }
      }
      const following = follow(two, () => writing)
      await Promise.all([one, two].flatMap((writer) => [1, 2, 3, 4].map(() => write(writer))))
      writing = false
      const seen = await following
      t.equal(written.size, 120)
      t.same(seen, written)
    })

    async function follow(documents: Documents, isWriting: () => boolean) {
      const seen = new Map<string, number>()
      let since: string | undefined
      for (let ended = false; !ended;) {
        const wasWriting = isWriting()
        const page = await documents.changes(ada, { since, limit: 5 })
        for (const item of page.items)
          if (!item.deleted) seen.set(item.id, Number(item.etag.slice(1, -1)))
        since = page.next
        ended = !wasWriting && !page.more
        await new Promise((resolve) => setImmediate(resolve))
      }
      return seen
    }

    t.test('the feed says so when deletions after a cursor are forgotten', async (t) => {
      let now = 1_800_000_000_000
      const documents = await open(t, { now: () => now })
      const create = async () => (await documents.create(ada, { data: {} })).document.id
      const [one, two] = [await create(), await create()]
      const early = (await documents.changes(ada, {})).next
      await documents.remove(ada, one, { ifMatch: '*' })
      const informed = (await documents.changes(ada, {})).next
      now += limits.tombstoneLifetime + 1
      await documents.remove(ada, two, { ifMatch: '*' })
      await t.rejects(documents.changes(ada, { since: early }), problem('cursor-expired'))
      t.match((await documents.changes(ada, { since: informed })).items, [{ id: two }])
      await create()
      const anew = await documents.changes(ada, { limit: 1 })
      t.equal((await documents.changes(ada, { since: anew.next })).items.length, 1)
    })
  }
}

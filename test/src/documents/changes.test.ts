import t from 'tap'
import type { Test } from 'tap'
import { limits } from '../../../src/documents/document.ts'
import type { Documents } from '../../../src/documents/documents.ts'
import { openDatabase } from '../../../src/storage/database.ts'
import { startDatabases } from '../../support/databases.ts'
import type { TestDatabase } from '../../support/databases.ts'
import { ada, open, openTwo, problem } from './fixture.ts'

const grace = { ...ada, subject: 'grace' }

for (const database of await startDatabases(t)) t.test(database.name, suite(database))

function suite(database: TestDatabase) {
  return async (t: Test) => {
    t.test('the feed tells changes in order, deletions included, and where to go on', async (t) => {
      const documents = await open(t, database)
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

    t.test('of a deleted document nothing is kept but its deletion', async (t) => {
      const url = await database.create()
      const documents = await open(t, database, {}, url)
      const { document } = await documents.create(ada, { data: { secret: 1 } })
      await documents.remove(ada, document.id, { ifMatch: '*' })
      const storage = await openDatabase(url)
      t.teardown(() => storage.close())
      const rows = await storage.db.selectFrom('documents').select(['id', 'data']).execute()
      t.strictSame(rows, [{ id: document.id, data: null }])
    })

    t.test('the feed skips no change while many write and one follows', async (t) => {
      const { one, two } = await openTwo(t, database)
      let writing = true
      const written = new Map<string, string>()
      const write = async (documents: Documents) => {
        for (let count = 0; count < 15; count++) {
          const { document } = await documents.create(ada, { data: {} })
          const { etag } = await documents.patch(ada, document.id, {}, { ifMatch: '*' })
          written.set(document.id, etag)
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
      const seen = new Map<string, string>()
      let since: string | undefined
      for (let ended = false; !ended;) {
        const wasWriting = isWriting()
        const page = await documents.changes(ada, { since, limit: 5 })
        for (const item of page.items) if (!item.deleted) seen.set(item.id, item.etag)
        since = page.next
        ended = !wasWriting && !page.more
        await new Promise((resolve) => setImmediate(resolve))
      }
      return seen
    }

    t.test('what one owner deletes forgets nothing of another', async (t) => {
      let now = 1_800_000_000_000
      const documents = await open(t, database, { now: () => now })
      const create = async (owner: typeof ada) =>
        (await documents.create(owner, { data: {} })).document.id
      const removed = await create(grace)
      const [first, second, last] = [await create(ada), await create(ada), await create(ada)]
      const since = (await documents.changes(grace, {})).next
      await documents.remove(grace, removed, { ifMatch: '*' })
      for (const id of [first, second]) await documents.remove(ada, id, { ifMatch: '*' })
      now += limits.tombstoneLifetime + 1
      await documents.remove(ada, last, { ifMatch: '*' })
      const { items } = await documents.changes(grace, { since })
      t.match(items, [{ id: removed, deleted: true }])
    })

    t.test('the feed says so when deletions after a cursor are forgotten', async (t) => {
      let now = 1_800_000_000_000
      const documents = await open(t, database, { now: () => now })
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

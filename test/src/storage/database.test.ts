import { spawn } from 'node:child_process'
import { EventEmitter, once } from 'node:events'
import { stat } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { sql } from 'kysely'
import t from 'tap'
import type { Test } from 'tap'
import { openDocuments } from '../../../src/documents/documents.ts'
import { openDatabase } from '../../../src/storage/database.ts'
import { createKeySetStore } from '../../../src/storage/key-sets.ts'
import { startDatabases } from '../../support/databases.ts'
import type { TestDatabase } from '../../support/databases.ts'

const writer = fileURLToPath(new URL('writer-process.js', import.meta.url))
const ada = { issuer: 'https://id.example.com', subject: 'ada', kind: 'user' } as const

const databases = await startDatabases(t)
for (const database of databases) t.test(database.name, suite(database))

/** On a full disk SQLite ends the transaction by itself, which here, where the file may not grow, only the trigger does. */
function outlivesFullDisk(create: TestDatabase['create']) {
  return async (t: Test) => {
    const storage = await openDatabase(await create())
    t.teardown(() => storage.close())
    const documents = await openDocuments(storage)
    const { rows } = await sql<{ page_count: number }>`pragma page_count`.execute(storage.db)
    await sql`pragma max_page_count = ${sql.lit(rows[0]?.page_count)}`.execute(storage.db)
    const input = { collection: 'notes', data: { text: 'x'.repeat(100_000) } }
    for (let times = 0; times < 2; times++)
      await t.rejects(documents.create(ada, input), { message: /^The database did not answer/ })
    await sql`pragma max_page_count = 100000`.execute(storage.db)
    await documents.create(ada, input)
    t.equal((await documents.page(ada, {})).items.length, 1)

    await sql`create trigger ends before insert on documents
      begin select raise(rollback, 'ended by itself'); end`.execute(storage.db)
    await t.rejects(documents.create(ada, input), /ended by itself/, 'the fault is not hidden')
  }
}

function suite({ name, create }: TestDatabase) {
  return async (t: Test) => {
    if (name === 'PostgreSQL')
      t.test('replaces connections that broke', replacesConnections(create))
    else t.test('a full disk is an outage, and the database is as it was', outlivesFullDisk(create))

    t.test('an acknowledged write survives SIGKILL of the process', async (t) => {
      const url = await create()
      const child = startWriter(url, 100_000)
      const acknowledged: string[] = []
      for await (const id of createInterface({ input: child.stdout })) {
        acknowledged.push(id)
        if (acknowledged.length === 50) child.kill('SIGKILL')
      }
      const kept = new Set(await readIds(t, url))
      t.ok(acknowledged.length >= 50)
      t.same(
        acknowledged.filter((id) => !kept.has(id)),
        []
      )
    })

    t.test('instances can start at the same time, and write at the same time', async (t) => {
      const url = await create()
      const children = Array.from({ length: 4 }, () => startWriter(url, 10))
      const codes = await Promise.all(
        children.map(async (child) => {
          child.stdout.resume()
          const [code] = await once(child, 'close')
          return code
        })
      )
      t.same(codes, [0, 0, 0, 0])
      t.equal((await readIds(t, url)).length, 40)
    })

    t.test('what was migrated opens again', async (t) => {
      const url = await create()
      for (let round = 0; round < 2; round++) await (await openDatabase(url)).close()
      const storage = await openDatabase(url)
      t.teardown(() => storage.close())
      t.equal((await storage.db.selectFrom('secrets').selectAll().execute()).length, 1)
    })

    t.test('keeps the newest key set of each issuer', async (t) => {
      const storage = await openDatabase(await create())
      t.teardown(() => storage.close())
      const store = createKeySetStore(storage)
      const newer = { jwks: { keys: [{ kid: 'b' }] }, metadata: { jwks_uri: 'x' }, fetchedAt: 2000 }
      t.equal(await store.load('https://a'), undefined)
      await store.save('https://a', { ...newer, jwks: { keys: [] }, fetchedAt: 1000 })
      await store.save('https://a', newer)
      await store.save('https://a', { ...newer, jwks: { keys: [] }, fetchedAt: 1500 })
      t.same(await store.load('https://a'), newer)
      t.equal(await store.load('https://a/'), undefined)
    })
  }
}

function replacesConnections(create: TestDatabase['create']) {
  return async (t: Test) => {
    const url = await create()
    const connections = new EventEmitter()
    const storage = await openDatabase(url, {
      onConnectionError: (error) => connections.emit('broken', error)
    })
    const other = await openDatabase(url)
    t.teardown(() => Promise.all([storage.close(), other.close()]))
    const broken = once(connections, 'broken')
    await sql`
      select pg_terminate_backend(pid) from pg_stat_activity
      where datname = current_database() and pid <> pg_backend_pid()`.execute(other.db)
    t.match(await broken, [{ code: '57P01' }])
    t.same(await storage.db.selectFrom('documents').selectAll().execute(), [])
  }
}

function startWriter(url: string, count: number) {
  return spawn(process.execPath, [writer, url, String(count)], {
    stdio: ['ignore', 'pipe', 'inherit']
  })
}

/** Follows the change feed from its beginning to its end. */
async function readIds(t: Test, url: string): Promise<string[]> {
  const storage = await openDatabase(url)
  t.teardown(() => storage.close())
  const documents = await openDocuments(storage)
  const ids: string[] = []
  let since: string | undefined
  for (let more = true; more;) {
    const page = await documents.changes(ada, { since, limit: 100 })
    ids.push(...page.items.map(({ id }) => id))
    since = page.next
    more = page.more
  }
  return ids
}

t.test('SQLite makes its directory and a file that others can not read', async (t) => {
  const directory = (await databases[0]?.create()) ?? ''
  const file = join(directory, 'deep', 'latchkey.db')
  const storage = await openDatabase(dirname(file))
  t.teardown(() => storage.close())
  const modes = [await stat(file), await stat(dirname(file))].map(({ mode }) => mode & 0o777)
  t.same(modes, [0o600, 0o700])
})

t.test('memory:// is a new database each time', async (t) => {
  const storages = [await openDatabase('memory://'), await openDatabase('memory://')]
  const secrets: string[] = []
  for (const storage of storages) {
    t.teardown(() => storage.close())
    const rows = await storage.db.selectFrom('secrets').select('value').execute()
    secrets.push(...rows.map(({ value }) => value))
  }
  t.equal(new Set(secrets).size, 2)
})

t.test('refuses other databases, without repeating a password', async (t) => {
  const opening = openDatabase('mysql://root:secret@localhost/x')
  await t.rejects(opening, { name: 'TypeError', message: /^[^]*not mysql:…$/ })
})

t.test('a database that can not be reached is service-unavailable', async (t) => {
  const opening = openDatabase('postgres://latchkey:secret@127.0.0.1:1/latchkey')
  const expected = { kind: 'service-unavailable', headers: { 'Retry-After': '5' } }
  await t.rejects(opening, expected as unknown as Error)
})

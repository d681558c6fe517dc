import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'
import { sql } from 'kysely'
import t from 'tap'
import { openDocuments } from '../../../src/documents/documents.ts'
import { openDatabase, type Storage } from '../../../src/storage/database.ts'

const writer = fileURLToPath(new URL('writer-process.js', import.meta.url))
const ada = { issuer: 'https://id.example.com', subject: 'ada', kind: 'user' } as const
const directory = mkdtempSync(join(tmpdir(), 'latchkey-sqlite-'))
t.teardown(() => rmSync(directory, { recursive: true, force: true }))

async function createDocument(storage: Storage): Promise<unknown> {
  const documents = await openDocuments(storage)
  return documents.create(ada, { data: { text: 'kept' } })
}

/** What brings SQLite to answer with each code. Full disks are in database.test.ts. */
const outages: Record<string, (storage: Storage, path: string) => Promise<unknown>> = {
  async SQLITE_BUSY(storage, path) {
    const other = await openDatabase(path)
    await sql`begin immediate`.execute(other.db)
    await sql`pragma busy_timeout = 1`.execute(storage.db)
    try {
      return await createDocument(storage)
    } finally {
      await other.close()
    }
  },
  async SQLITE_READONLY(storage) {
    await sql`pragma query_only = 1`.execute(storage.db)
    return createDocument(storage)
  },
  async SQLITE_CANTOPEN(storage) {
    return sql`attach database '/dev/null/other' as other`.execute(storage.db)
  }
}

for (const [code, cause] of Object.entries(outages))
  t.test(`${code} is an outage, with its cause for the log`, async (t) => {
    const path = join(directory, code)
    const storage = await openDatabase(path)
    t.teardown(() => storage.close())
    await t.rejects(cause(storage, path), {
      kind: 'service-unavailable',
      headers: { 'Retry-After': '5' },
      cause: { code }
    })
  })

t.test('SQLITE_IOERR_WRITE is an outage, with its cause for the log', async (t) => {
  // no file may grow beyond 500 blocks of 512 octets: the database is made, and then fails
  const command = `ulimit -f 500; exec '${process.execPath}' '${writer}' '${directory}' 1000`
  const child = spawn('sh', ['-c', command], { stdio: ['ignore', 'ignore', 'pipe'] })
  const [fault, [status]] = await Promise.all([text(child.stderr), once(child, 'exit')])
  t.equal(status, 1)
  t.match(fault, /ProblemError: The database did not answer/)
  t.match(fault, "code: 'SQLITE_IOERR_WRITE'")
})

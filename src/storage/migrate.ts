import { sql } from 'kysely'
import type { Kysely, Transaction } from 'kysely'
import { createDocumentTables } from './migrations/0001-documents.ts'
import { createRevocationTables } from './migrations/0002-revocations.ts'
import type { Storage } from './database.ts'
import type { Tables } from './tables.ts'

const migrations: Readonly<Record<string, (transaction: Transaction<Tables>) => Promise<void>>> = {
  '0001-documents': createDocumentTables,
  '0002-revocations': createRevocationTables
}

/** Any number, the same in every instance: what PostgreSQL's advisory lock is about. */
const migrationLock = 7_026_001

/**
 * Brings the tables up to date in one transaction, all or nothing. Instances that start at the same
 * time wait for each other: on an advisory lock in PostgreSQL, on the write lock in SQLite.
 */
export async function migrate({ db, dialect }: Pick<Storage, 'db' | 'dialect'>): Promise<void> {
  if (dialect === 'postgres') await db.transaction().execute(lockAndApply)
  else await db.connection().execute(applyImmediately)
}

async function lockAndApply(transaction: Transaction<Tables>): Promise<void> {
  await sql`select pg_advisory_xact_lock(${migrationLock})`.execute(transaction)
  await applyMissing(transaction)
}

/** A plain `begin` would read first, and fail instead of waiting once another process has written. */
async function applyImmediately(connection: Kysely<Tables>): Promise<void> {
  await sql`begin immediate`.execute(connection)
  try {
    await applyMissing(connection as Transaction<Tables>)
    await sql`commit`.execute(connection)
  } catch (error) {
    await sql`rollback`.execute(connection)
    throw error
  }
}

async function applyMissing(transaction: Transaction<Tables>): Promise<void> {
  await transaction.schema
    .createTable('migrations')
    .ifNotExists()
    .addColumn('name', 'text', (column) => column.primaryKey())
    .addColumn('applied_at', 'bigint', (column) => column.notNull())
    .execute()
  const applied = await transaction.selectFrom('migrations').select('name').execute()
  for (const [name, apply] of Object.entries(migrations)) {
    if (applied.some((row) => row.name === name)) continue
    await apply(transaction)
    await transaction.insertInto('migrations').values({ name, applied_at: Date.now() }).execute()
  }
}

import { randomBytes } from 'node:crypto'
import { sql } from 'kysely'
import type { Transaction } from 'kysely'
import type { Tables } from '../tables.ts'

const isLive = sql<boolean>`deleted_at is null`
const isTombstone = sql<boolean>`deleted_at is not null`

/** Makes the first tables, and the key that signs cursors: one for all instances on this database. */
export async function createDocumentTables(transaction: Transaction<Tables>): Promise<void> {
  await createOwners(transaction)
  await createDocuments(transaction)
  await createIdempotencyKeys(transaction)
  await createKeySets(transaction)
  await createSecrets(transaction)
}

async function createOwners({ schema }: Transaction<Tables>): Promise<void> {
  await schema
    .createTable('owners')
    .addColumn('key', 'text', (column) => column.primaryKey())
    .addColumn('principal', 'text', (column) => column.notNull())
    .addColumn('last_change', 'bigint', (column) => column.notNull())
    .addColumn('live_documents', 'bigint', (column) => column.notNull())
    .addColumn('purged_change', 'bigint', (column) => column.notNull())
    .execute()
}

async function createDocuments({ schema }: Transaction<Tables>): Promise<void> {
  await schema
    .createTable('documents')
    .addColumn('owner', 'text', (column) => column.notNull().references('owners.key'))
    .addColumn('id', 'text', (column) => column.notNull())
    .addColumn('change', 'bigint', (column) => column.notNull())
    .addColumn('created_change', 'bigint', (column) => column.notNull())
    .addColumn('collection', 'text', (column) => column.notNull())
    .addColumn('data', 'text')
    .addColumn('created_at', 'bigint', (column) => column.notNull())
    .addColumn('updated_at', 'bigint', (column) => column.notNull())
    .addColumn('deleted_at', 'bigint')
    .addPrimaryKeyConstraint('documents_pkey', ['owner', 'id'])
    .execute()
  const index = (name: string) => schema.createIndex(`documents_${name}`).on('documents')
  await index('by_change').unique().columns(['owner', 'change']).execute()
  await index('newest').columns(['owner', 'created_change']).where(isLive).execute()
  await index('newest_of_collection')
    .columns(['owner', 'collection', 'created_change'])
    .where(isLive)
    .execute()
  await index('tombstones').columns(['owner', 'deleted_at']).where(isTombstone).execute()
}

async function createIdempotencyKeys({ schema }: Transaction<Tables>): Promise<void> {
  await schema
    .createTable('idempotency_keys')
    .addColumn('key', 'text', (column) => column.primaryKey())
    .addColumn('owner', 'text', (column) => column.notNull().references('owners.key'))
    .addColumn('fingerprint', 'text', (column) => column.notNull())
    .addColumn('document', 'text', (column) => column.notNull())
    .addColumn('change', 'bigint', (column) => column.notNull())
    .addColumn('created_at', 'bigint', (column) => column.notNull())
    .execute()
  await schema
    .createIndex('idempotency_keys_expiry')
    .on('idempotency_keys')
    .columns(['owner', 'created_at'])
    .execute()
}

async function createKeySets({ schema }: Transaction<Tables>): Promise<void> {
  await schema
    .createTable('key_sets')
    .addColumn('issuer', 'text', (column) => column.primaryKey())
    .addColumn('snapshot', 'text', (column) => column.notNull())
    .addColumn('fetched_at', 'bigint', (column) => column.notNull())
    .execute()
}

async function createSecrets(transaction: Transaction<Tables>): Promise<void> {
  await transaction.schema
    .createTable('secrets')
    .addColumn('name', 'text', (column) => column.primaryKey())
    .addColumn('value', 'text', (column) => column.notNull())
    .execute()
  const value = randomBytes(32).toString('base64url')
  await transaction.insertInto('secrets').values({ name: 'cursor', value }).execute()
}

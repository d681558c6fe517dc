import type { Transaction } from 'kysely'
import type { Tables } from '../tables.ts'

/** Makes the table of the marks on revoked tokens, and that of the counters which order changes. */
export async function createRevocationTables({ schema }: Transaction<Tables>): Promise<void> {
  await schema
    .createTable('counters')
    .addColumn('name', 'text', (column) => column.primaryKey())
    .addColumn('value', 'bigint', (column) => column.notNull())
    .execute()
  await schema
    .createTable('revocations')
    .addColumn('target', 'text', (column) => column.primaryKey())
    .addColumn('kind', 'text', (column) => column.notNull())
    .addColumn('issuer', 'text', (column) => column.notNull())
    .addColumn('value', 'text', (column) => column.notNull())
    .addColumn('issued_until', 'bigint', (column) => column.notNull())
    .addColumn('change', 'bigint', (column) => column.notNull())
    .execute()
  await schema.createIndex('revocations_by_change').on('revocations').columns(['change']).execute()
}

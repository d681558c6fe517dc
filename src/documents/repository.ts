import type { Kysely, Selectable } from 'kysely'
import type { Tables } from '../storage/tables.ts'
import { readDocumentId } from './document-id.ts'
import { limits } from './document.ts'
import type { DocumentData, StoredDocument } from './document.ts'
import type { Writer } from './writer.ts'

/** A document or tombstone as it is stored. */
export type DocumentRow = Selectable<Tables['documents']>

/** The parts of a document that a client decides, `data` as JSON text, and when it did. */
export interface DocumentState {
  readonly collection: string
  readonly data: string
  /** Milliseconds since the epoch. */
  readonly now: number
}

/** Which documents of an owner are listed. */
export interface ListOptions {
  readonly limit: number
  readonly collection: string | undefined
  /** Only documents that were created before this change. */
  readonly before: number | undefined
}

/** The live document of the owner (as an owner key), or undefined; `id` is whatever the client sent. */
export async function findDocument(db: Kysely<Tables>, owner: string, text: string) {
  const id = readDocumentId(text)
  // PostgreSQL takes no text with NUL, not even to compare it
  if (id === undefined) return undefined
  return db
    .selectFrom('documents')
    .selectAll()
    .where('owner', '=', owner)
    .where('id', '=', id)
    .where('deleted_at', 'is', null)
    .executeTakeFirst()
}

/** The live documents of the owner, newest first. */
export function listDocuments(db: Kysely<Tables>, owner: string, options: ListOptions) {
  const { limit, collection, before } = options
  let query = db
    .selectFrom('documents')
    .selectAll()
    .where('owner', '=', owner)
    .where('deleted_at', 'is', null)
  if (collection !== undefined) query = query.where('collection', '=', collection)
  if (before !== undefined) query = query.where('created_change', '<', before)
  return query.orderBy('created_change', 'desc').limit(limit).execute()
}

/** The documents and tombstones of the owner that changed after the change `since`, in that order. */
export function listChanges(db: Kysely<Tables>, owner: string, since: number, limit: number) {
  return db
    .selectFrom('documents')
    .selectAll()
    .where('owner', '=', owner)
    .where('change', '>', since)
    .orderBy('change')
    .limit(limit)
    .execute()
}

/** The number of the owner's last change of which no trace is left. */
export async function lastPurgedChange(db: Kysely<Tables>, owner: string): Promise<number> {
  const row = await db
    .selectFrom('owners')
    .select('purged_change')
    .where('key', '=', owner)
    .executeTakeFirst()
  return row?.purged_change ?? 0
}

/** Stores a new document, in the place of the tombstone of its namesake if there is one. */
export async function insertDocument(writer: Writer, id: string, state: DocumentState) {
  const row: DocumentRow = {
    owner: writer.owner,
    id,
    change: writer.change,
    created_change: writer.change,
    collection: state.collection,
    data: state.data,
    created_at: state.now,
    updated_at: state.now,
    deleted_at: null
  }
  await writer.transaction
    .insertInto('documents')
    .values(row)
    .onConflict((conflict) => conflict.columns(['owner', 'id']).doUpdateSet(row))
    .execute()
  await countDocuments(writer, 1)
  return row
}

/** Stores a new state of the live document `row`. */
export function updateDocument(writer: Writer, row: DocumentRow, state: DocumentState) {
  const { collection, data, now } = state
  return updateRow(writer, row, { collection, data, updated_at: now })
}

/** Leaves only a tombstone of the live document `row`, and purges tombstones that are too old. */
export async function deleteDocument(writer: Writer, row: DocumentRow, now: number): Promise<void> {
  await updateRow(writer, row, { data: null, deleted_at: now })
  await countDocuments(writer, -1)
  await purgeTombstones(writer, now - limits.tombstoneLifetime)
}

/** What the row of a live document means. */
export function toStored(row: Omit<DocumentRow, 'created_change' | 'deleted_at'>): StoredDocument {
  const { id, collection, data, created_at: createdAt, updated_at: updatedAt } = row
  const document = {
    id,
    collection,
    data: JSON.parse(data ?? '{}') as DocumentData,
    createdAt: toTimestamp(createdAt),
    updatedAt: toTimestamp(updatedAt)
  }
  return { document, etag: entityTag(row) }
}

/**
 * The entity tag of a document: the owner's change that made this state of it, and whose change. Owners may give their
 * documents one id, and a browser that kept what the one was answered must not take it for what the other is.
 */
export function entityTag({ change, owner }: Pick<DocumentRow, 'change' | 'owner'>): string {
  return `"${change}-${owner.slice(0, 8)}"`
}

/** RFC 3339, in UTC, from milliseconds since the epoch. */
export function toTimestamp(time: number): string {
  return new Date(time).toISOString()
}

async function updateRow(writer: Writer, row: DocumentRow, change: Partial<DocumentRow>) {
  const updated = { ...row, ...change, change: writer.change }
  await writer.transaction
    .updateTable('documents')
    .set(updated)
    .where('owner', '=', writer.owner)
    .where('id', '=', row.id)
    .execute()
  return updated
}

async function countDocuments({ transaction, owner }: Writer, difference: number): Promise<void> {
  await transaction
    .updateTable('owners')
    .set(({ eb }) => ({ live_documents: eb('live_documents', '+', difference) }))
    .where('key', '=', owner)
    .execute()
}

async function purgeTombstones({ transaction, owner }: Writer, before: number): Promise<void> {
  const purged = await transaction
    .deleteFrom('documents')
    .where('owner', '=', owner)
    .where('deleted_at', '<', before)
    .returning('change')
    .execute()
  if (purged.length === 0) return
  const last = Math.max(...purged.map(({ change }) => change))
  await transaction
    .updateTable('owners')
    .set({ purged_change: last })
    .where('key', '=', owner)
    .where('purged_change', '<', last)
    .execute()
}

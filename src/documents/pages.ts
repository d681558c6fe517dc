import type { Kysely } from 'kysely'
import { ProblemError } from '../http/problem.ts'
import type { Tables } from '../storage/tables.ts'
import type { Cursors } from './cursor.ts'
import { limits } from './document.ts'
import type { Change, Document } from './document.ts'
import {
  lastPurgedChange,
  listChanges,
  listDocuments,
  toStored,
  toTimestamp
} from './repository.ts'
import type { DocumentRow } from './repository.ts'

/** Which page of a list is asked for; `limit` is the most items, 20 by default. */
export interface PageQuery {
  readonly limit?: number | undefined
  readonly cursor?: string | undefined
  readonly collection?: string | undefined
}

/** A page of a list, newest document first. */
export interface DocumentPage {
  readonly items: readonly Document[]
  /** The cursor of the next page; absent on the last one. */
  readonly next?: string
}

/** From where on the change feed is asked for; `limit` is the most items, 20 by default. */
export interface ChangesQuery {
  readonly limit?: number | undefined
  readonly since?: string | undefined
}

/** A page of the change feed, oldest change first. */
export interface ChangePage {
  readonly items: readonly Change[]
  /** Where to go on, now or later. */
  readonly next: string
  /** Whether more changes were there already. */
  readonly more: boolean
}

/** See `Documents.page`. The position in a list is the change that created its last document. */
export async function readPage(
  db: Kysely<Tables>,
  cursors: Cursors,
  owner: string,
  { limit = limits.pageSize, cursor, collection }: PageQuery
): Promise<DocumentPage> {
  const list = ['documents', owner, collection ?? '']
  const [before] = openCursor(cursors, list, cursor, 'cursor')
  const { items, more } = await readRows(limit, (count, row) =>
    listDocuments(db, owner, { limit: count, collection, before: row?.created_change ?? before })
  )
  const last = more ? items.at(-1) : undefined
  return {
    items: items.map((row) => toStored(row).document),
    ...(last && { next: cursors.seal(list, [last.created_change]) })
  }
}

/**
 * See `Documents.changes`. The position in the feed is the last change that was read, and the last
 * one that was purged when the client began: it never had what was forgotten before that.
 */
export async function readChanges(
  db: Kysely<Tables>,
  cursors: Cursors,
  owner: string,
  { limit = limits.pageSize, since }: ChangesQuery
): Promise<ChangePage> {
  const feed = ['changes', owner]
  const [read = 0, begun] = openCursor(cursors, feed, since, 'since')
  const { items, more } = await readRows(limit, (count, row) =>
    listChanges(db, owner, row?.change ?? read, count)
  )
  // read after the rows, or a purge in between would go unnoticed
  const purged = await lastPurgedChange(db, owner)
  const start = begun ?? purged
  if (purged > Math.max(read, start)) throw tooOld()
  const next = cursors.seal(feed, [items.at(-1)?.change ?? read, start])
  return { items: items.map(toChange), next, more }
}

/** Rows that are read at a time: a usual page whole, and of large documents not many more than fit. */
const stride = 25

/**
 * Reads the rows of a page, and whether there are more. In strides: a hundred documents can have six times the bytes
 * that a page may, and SQLite would block the service while it reads what is then thrown away.
 */
async function readRows(
  limit: number,
  readAfter: (count: number, row: DocumentRow | undefined) => Promise<readonly DocumentRow[]>
) {
  const rows: DocumentRow[] = []
  for (;;) {
    const count = Math.min(stride, limit + 1 - rows.length)
    const found = await readAfter(count, rows.at(-1))
    rows.push(...found)
    const items = fitting(rows, limit)
    const more = items.length < rows.length
    if (more || found.length < count) return { items, more }
  }
}

/** The first of the rows: at most `limit`, and no more bytes than a page may have. */
function fitting(rows: readonly DocumentRow[], limit: number): readonly DocumentRow[] {
  let bytes = 0
  const end = rows.findIndex(({ data }, index) => {
    bytes += Buffer.byteLength(data ?? '')
    return index === limit || (index > 0 && bytes > limits.pageBytes)
  })
  return end === -1 ? rows : rows.slice(0, end)
}

function toChange(row: DocumentRow): Change {
  if (row.deleted_at !== null)
    return { id: row.id, deleted: true, deletedAt: toTimestamp(row.deleted_at) }
  return { id: row.id, deleted: false, ...toStored(row) }
}

/** The position of a cursor. None, or an empty one (`?since=`), stands before the first item. */
function openCursor(
  cursors: Cursors,
  list: readonly string[],
  cursor: string | undefined,
  name: string
): readonly number[] {
  if (cursor === undefined || cursor === '') return []
  const position = cursors.open(list, cursor)
  if (position !== undefined) return position
  const detail = `${name} is not a cursor that this list gave out.`
  throw new ProblemError('validation-failed', { detail, errors: [{ detail, pointer: `/${name}` }] })
}

function tooOld(): ProblemError {
  return new ProblemError('cursor-expired', {
    detail: 'Deletions since this cursor are forgotten. Read the changes again without since.'
  })
}

import type { Transaction } from 'kysely'
import type { Tables } from '../storage/tables.ts'
import { ownerKey, ownerName } from './owner.ts'
import type { Owner } from './owner.ts'

/** The right to change the documents of one owner, until the transaction ends. */
export interface Writer {
  readonly transaction: Transaction<Tables>
  /** The owner key. */
  readonly owner: string
  /** The number of this change: above that of every change of the owner committed so far. */
  readonly change: number
  readonly liveDocuments: number
}

/**
 * Makes the transaction the only one that changes documents of the owner, and numbers its change.
 *
 * The number comes from the owner's row, whose lock lasts until the transaction ends. So the changes
 * of an owner are committed in the order of their numbers: who has read up to number n never sees a
 * number below n appear later. A sequence promises less: PostgreSQL hands its values out before the
 * commit, and a reader that comes between two commits would skip the slower one for good. It also
 * settles races: the second of two writers waits, then reads what the first has left.
 *
 * Being the first statement, and a write, it makes SQLite wait for writers in other processes; a
 * transaction that began with a read would fail instead.
 */
export async function lockOwner(transaction: Transaction<Tables>, owner: Owner): Promise<Writer> {
  const key = ownerKey(owner)
  const { last_change: change, live_documents: liveDocuments } = await transaction
    .insertInto('owners')
    .values({
      key,
      principal: ownerName(owner),
      last_change: 1,
      live_documents: 0,
      purged_change: 0
    })
    .onConflict((conflict) =>
      conflict
        .column('key')
        .doUpdateSet(({ eb }) => ({ last_change: eb('owners.last_change', '+', 1) }))
    )
    .returning(['last_change', 'live_documents'])
    .executeTakeFirstOrThrow()
  return { transaction, owner: key, change, liveDocuments }
}

import { createHash } from 'node:crypto'
import type { Transaction } from 'kysely'
import { everyIssuer, type Mark } from '../revocation/mark.ts'
import type { RevocationStore } from '../revocation/revocation-store.ts'
import type { Storage } from './database.ts'
import type { Tables } from './tables.ts'

/** Makes a {@link RevocationStore} in the database. */
export function createRevocationStore({ db }: Storage): RevocationStore {
  return {
    async read(since) {
      const rows = await db
        .selectFrom('revocations')
        .select(['kind', 'issuer', 'value', 'issued_until as issuedUntil', 'change'])
        .where('change', '>', since)
        .orderBy('change')
        .execute()
      return rows.map((row) => ({ ...row, value: JSON.parse(row.value) as string }))
    },

    add: (mark) =>
      db.transaction().execute(async (transaction) => {
        await keep(transaction, mark, await nextChange(transaction))
        if (mark.kind === 'all') await forgetCovered(transaction, mark)
      })
  }
}

/**
 * The number of this change. The counter's row is locked until the transaction ends, so that changes are committed in
 * the order of their numbers; it comes first, so that SQLite waits for writers in other processes.
 */
async function nextChange(transaction: Transaction<Tables>): Promise<number> {
  const { value } = await transaction
    .insertInto('counters')
    .values({ name: 'revocations', value: 1 })
    .onConflict((conflict) =>
      conflict.column('name').doUpdateSet(({ eb }) => ({ value: eb('counters.value', '+', 1) }))
    )
    .returning('value')
    .executeTakeFirstOrThrow()
  return value
}

async function keep(
  transaction: Transaction<Tables>,
  { kind, issuer, value, issuedUntil }: Mark,
  change: number
): Promise<void> {
  const state = { issued_until: issuedUntil, change }
  // as JSON: PostgreSQL takes no text with NUL, and issuers put into a name what they like
  const named = { kind, issuer, value: JSON.stringify(value) }
  await transaction
    .insertInto('revocations')
    .values({ target: targetOf(named), ...named, ...state })
    .onConflict((conflict) =>
      conflict
        .column('target')
        .doUpdateSet(state)
        .where('revocations.issued_until', '<', issuedUntil)
    )
    .execute()
}

/** All tokens that these marks are about are refused by the new one. */
async function forgetCovered(
  transaction: Transaction<Tables>,
  { issuer, issuedUntil }: Mark
): Promise<void> {
  const covered = transaction
    .deleteFrom('revocations')
    .where('kind', '!=', 'all')
    .where('issued_until', '<=', issuedUntil)
  await (issuer === everyIssuer ? covered : covered.where('issuer', '=', issuer)).execute()
}

/** Of bounded length, whatever the issuer puts into a name. */
function targetOf(named: Pick<Mark, 'kind' | 'issuer' | 'value'>): string {
  const text = JSON.stringify([named.kind, named.issuer, named.value])
  return createHash('sha256').update(text).digest('base64url')
}

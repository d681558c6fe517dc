import type { KeySetSnapshot, KeySetStore } from '../issuer/key-set.ts'
import type { Storage } from './database.ts'

/** Makes a {@link KeySetStore} in the database. */
export function createKeySetStore({ db }: Storage): KeySetStore {
  return {
    async load(issuer) {
      const row = await db
        .selectFrom('key_sets')
        .select(['snapshot', 'fetched_at'])
        .where('issuer', '=', issuer)
        .executeTakeFirst()
      if (row === undefined) return undefined
      const { jwks, metadata } = JSON.parse(row.snapshot) as Pick<
        KeySetSnapshot,
        'jwks' | 'metadata'
      >
      return { jwks, metadata, fetchedAt: row.fetched_at }
    },

    async save(issuer, { jwks, metadata, fetchedAt }) {
      const kept = { snapshot: JSON.stringify({ jwks, metadata }), fetched_at: fetchedAt }
      await db
        .insertInto('key_sets')
        .values({ issuer, ...kept })
        .onConflict((conflict) =>
          conflict.column('issuer').doUpdateSet(kept).where('key_sets.fetched_at', '<=', fetchedAt)
        )
        .execute()
    }
  }
}

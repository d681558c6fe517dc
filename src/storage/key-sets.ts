import type { Storage } from './database.ts'

/** The last good key set of an issuer, with the metadata that led to it. */
export interface KeySetSnapshot {
  readonly jwks: unknown
  readonly metadata: unknown
  /** Milliseconds since the epoch. */
  readonly fetchedAt: number
}

/** Keeps the last good key set of each issuer, so that a restart during an outage still works. */
export interface KeySetStore {
  /** The snapshot of the issuer, if there is one. What it holds was not checked again. */
  load(issuer: string): Promise<KeySetSnapshot | undefined>
  /** Keeps the snapshot, unless another instance has already kept a newer one. */
  save(issuer: string, snapshot: KeySetSnapshot): Promise<void>
}

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

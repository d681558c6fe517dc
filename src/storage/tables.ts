import type { MarkKind } from '../revocation/mark.ts'

/** The tables of the database, as Kysely sees them. Times are milliseconds since the epoch. */
export interface Tables {
  owners: OwnersTable
  documents: DocumentsTable
  idempotency_keys: IdempotencyKeysTable
  key_sets: KeySetsTable
  secrets: SecretsTable
  counters: CountersTable
  revocations: RevocationsTable
  migrations: MigrationsTable
}

interface OwnersTable {
  /** The SHA-256 of `principal`: of bounded length whatever the issuer puts into `sub`. */
  key: string
  /** Who the owner is, in JSON, for people who read the database. */
  principal: string
  /** The number of the owner's last change; the row's lock is what orders changes. */
  last_change: number
  live_documents: number
  /** The number of the last tombstone that was purged. */
  purged_change: number
}

interface DocumentsTable {
  owner: string
  id: string
  /** The number of the change that made this state, which is also its version. */
  change: number
  /** The number of the change that created the document: the order of lists. */
  created_change: number
  collection: string
  /** JSON text, so that members keep their order; null once deleted. */
  data: string | null
  created_at: number
  updated_at: number
  deleted_at: number | null
}

interface IdempotencyKeysTable {
  key: string
  owner: string
  fingerprint: string
  document: string
  change: number
  created_at: number
}

interface KeySetsTable {
  issuer: string
  snapshot: string
  fetched_at: number
}

interface SecretsTable {
  name: string
  value: string
}

interface CountersTable {
  name: string
  value: number
}

interface RevocationsTable {
  /** The SHA-256 of kind, issuer and value. */
  target: string
  kind: MarkKind
  issuer: string
  /** JSON text. */
  value: string
  /** Seconds since the epoch. */
  issued_until: number
  /** The number of the change that made this state. */
  change: number
}

interface MigrationsTable {
  name: string
  applied_at: number
}

import { createHash } from 'node:crypto'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { sql } from 'kysely'
import type { Transaction } from 'kysely'
import { ProblemError } from '../http/problem.ts'
import type { Storage } from '../storage/database.ts'
import type { Tables } from '../storage/tables.ts'
import { limits } from './document.ts'
import type { DocumentRow } from './repository.ts'
import type { Writer } from './writer.ts'

/** A request that its client may repeat: what it is looked up by, and what it must repeat. */
export interface IdempotentRequest {
  /** Digest of owner, client, method, route and Idempotency-Key. */
  readonly key: string
  /** Digest of the payload. */
  readonly fingerprint: string
}

/** The form of an Idempotency-Key: a Structured Field string (RFC 9651 section 3.3.3), escapes counted once. */
export const idempotencyKeyForm = /^"(?:[ !#-[\]-~]|\\["\\]){1,255}"$/

/**
 * Checks an Idempotency-Key field (draft-ietf-httpapi-idempotency-key-header section 2.1).
 * @throws {ProblemError} `invalid-request` if it is not one quoted string of 1 to 255 characters
 */
export function checkIdempotencyKey(field: string): void {
  if (idempotencyKeyForm.test(field)) return
  throw new ProblemError('invalid-request', {
    detail:
      'Idempotency-Key must be one string in double quotes, of 1 to 255 characters: "8e03978e-40d5-43dd".'
  })
}

/** The SHA-256 of parts that JSON keeps apart. */
export function digest(...parts: readonly unknown[]): string {
  return createHash('sha256').update(JSON.stringify(parts)).digest('base64url')
}

/**
 * Lets one request with a key run at a time, in this process and, with PostgreSQL, in all instances:
 * its advisory lock ends with the transaction, so a crash leaves nothing behind.
 */
export class IdempotencyClaims {
  readonly #running = new Set<string>()
  readonly #dialect: Storage['dialect']

  constructor(dialect: Storage['dialect']) {
    this.#dialect = dialect
  }

  /**
   * Does `work` unless it is being done for the same key.
   * @throws {ProblemError} `conflict` if it is
   */
  async exclusively<T>(key: string, work: () => Promise<T>): Promise<T> {
    if (this.#running.has(key)) throw stillRunning()
    this.#running.add(key)
    try {
      // SQLite works in one go: without a turn of the event loop on either side, twins that
      // arrive together would never meet
      await nextTurn()
      return await work()
    } finally {
      await nextTurn()
      this.#running.delete(key)
    }
  }

  /**
   * Claims the key in all instances until the transaction ends.
   * @throws {ProblemError} `conflict` if another instance has it
   */
  async claim(transaction: Transaction<Tables>, key: string): Promise<void> {
    if (this.#dialect !== 'postgres') return
    const claim = sql<{ granted: boolean }>`
      select pg_try_advisory_xact_lock(hashtextextended(${key}, 0)) as granted`
    const { rows } = await claim.execute(transaction)
    if (rows[0]?.granted !== true) throw stillRunning()
  }
}

/**
 * What an earlier request with this key created, or undefined: with the payload, which the client
 * repeats, it makes the whole answer. Forgets the owner's keys of more than
 * 24 hours ago first.
 * @throws {ProblemError} `idempotency-key-reused` if that request had another payload
 */
export async function recall(writer: Writer, request: IdempotentRequest, now: number) {
  await forgetExpired(writer, now - limits.idempotencyLifetime)
  const row = await writer.transaction
    .selectFrom('idempotency_keys')
    .selectAll()
    .where('key', '=', request.key)
    .executeTakeFirst()
  if (row === undefined) return undefined
  if (row.fingerprint !== request.fingerprint)
    throw new ProblemError('idempotency-key-reused', {
      detail: 'This Idempotency-Key came with another body before. Use a new key for a new request.'
    })
  const { document: id, change, created_at: createdAt } = row
  return { id, change, created_at: createdAt, updated_at: createdAt }
}

/** Keeps what the request created, in the transaction that created it: both are stored, or neither. */
export async function remember(writer: Writer, request: IdempotentRequest, created: DocumentRow) {
  await writer.transaction
    .insertInto('idempotency_keys')
    .values({
      ...request,
      owner: writer.owner,
      document: created.id,
      change: created.change,
      created_at: created.created_at
    })
    .execute()
}

async function forgetExpired({ transaction, owner }: Writer, before: number): Promise<void> {
  await transaction
    .deleteFrom('idempotency_keys')
    .where('owner', '=', owner)
    .where('created_at', '<=', before)
    .execute()
}

function stillRunning(): ProblemError {
  return new ProblemError('conflict', {
    detail: 'A request with this Idempotency-Key is still running. Try again in a moment.',
    headers: { 'Retry-After': '1' }
  })
}

import type { Transaction } from 'kysely'
import { ProblemError } from '../http/problem.ts'
import type { Storage } from '../storage/database.ts'
import type { Tables } from '../storage/tables.ts'
import { isCreation, requireMatch } from './conditions.ts'
import type { Conditions } from './conditions.ts'
import { checkPatch, serializeData } from './data.ts'
import { createCursors } from './cursor.ts'
import type { Cursors } from './cursor.ts'
import { createDocumentId, readDocumentId } from './document-id.ts'
import { defaultCollection, limits } from './document.ts'
import type { DocumentInput, StoredDocument } from './document.ts'
import { digest, IdempotencyClaims, recall, remember } from './idempotency.ts'
import type { IdempotentRequest } from './idempotency.ts'
import { mergePatch } from './merge-patch.ts'
import { readChanges, readPage } from './pages.ts'
import type { ChangePage, ChangesQuery, DocumentPage, PageQuery } from './pages.ts'
import { ownerKey } from './owner.ts'
import type { Owner } from './owner.ts'
import {
  deleteDocument,
  entityTag,
  findDocument,
  insertDocument,
  toStored,
  updateDocument
} from './repository.ts'
import type { DocumentRow, DocumentState } from './repository.ts'
import { lockOwner } from './writer.ts'
import type { Writer } from './writer.ts'

/** What tests and other hosts may set about {@link Documents}. */
export interface DocumentsOptions {
  /** Milliseconds since the epoch; the clock of the process by default. */
  readonly now?: () => number
  /** Live documents of one owner; 10,000 by default. */
  readonly documentsPerOwner?: number
}

/** How a client marks a creation that it may repeat. */
export interface Idempotency {
  /** The Idempotency-Key field, checked. */
  readonly key: string
  readonly clientId: string | undefined
}

/** Opens the documents that are kept in the database. */
export async function openDocuments(storage: Storage, options: DocumentsOptions = {}) {
  const { value } = await storage.db
    .selectFrom('secrets')
    .select('value')
    .where('name', '=', 'cursor')
    .executeTakeFirstOrThrow()
  return new Documents(storage, createCursors(value), options)
}

/** The documents of every owner: each method sees and changes those of one owner only. */
export class Documents {
  readonly #db: Storage['db']
  readonly #now: () => number
  readonly #documentsPerOwner: number
  readonly #claims: IdempotencyClaims
  readonly #cursors: Cursors

  constructor({ db, dialect }: Storage, cursors: Cursors, options: DocumentsOptions) {
    this.#db = db
    this.#cursors = cursors
    this.#now = options.now ?? Date.now
    this.#documentsPerOwner = options.documentsPerOwner ?? limits.documentsPerOwner
    this.#claims = new IdempotencyClaims(dialect)
  }

  /**
   * A page of the owner's documents, newest first.
   * @throws {ProblemError} `validation-failed` for a cursor that is not of this list
   */
  page(owner: Owner, query: PageQuery): Promise<DocumentPage> {
    return readPage(this.#db, this.#cursors, ownerKey(owner), query)
  }

  /**
   * What changed since a cursor, oldest change first; from the beginning without one.
   * @throws {ProblemError} `validation-failed` for a cursor that is not of this feed,
   *   `cursor-expired` if deletions after it are forgotten
   */
  changes(owner: Owner, query: ChangesQuery): Promise<ChangePage> {
    return readChanges(this.#db, this.#cursors, ownerKey(owner), query)
  }

  /** @throws {ProblemError} `document-not-found` if the owner has no such document */
  async find(owner: Owner, id: string): Promise<StoredDocument> {
    return toStored(existing(await findDocument(this.#db, ownerKey(owner), id)))
  }

  /**
   * Creates a document with an id of ours. With `idempotency`, a repetition within 24 hours creates
   * nothing and returns what the first request did.
   * @throws {ProblemError} `content-too-large`, `validation-failed`, `quota-exceeded`; for
   *   repetitions `conflict` while the first one runs, `idempotency-key-reused` for another payload
   */
  async create(owner: Owner, input: DocumentInput, idempotency?: Idempotency) {
    const state = this.#state(input, 'content-too-large')
    if (idempotency === undefined)
      return this.#change(owner, async (writer) => toStored(await this.#insert(writer, state)))
    const request = identify(owner, idempotency, state)
    return this.#claims.exclusively(request.key, () =>
      this.#db
        .transaction()
        .execute((transaction) => this.#createOnce(transaction, owner, state, request))
    )
  }

  /**
   * Replaces a document that exists, or creates it if the conditions say that it must not exist. An Error as `input`
   * says what is wrong with it, and is thrown where the input would be looked at: after the conditions (RFC 9110
   * section 13.2.1).
   * @throws {ProblemError} as {@link create} and {@link requireMatch} do, and `document-not-found`
   */
  async put(owner: Owner, id: string, input: DocumentInput | Error, conditions: Conditions) {
    return this.#change(owner, async (writer) => {
      const current = await findDocument(writer.transaction, writer.owner, id)
      if (current === undefined && isCreation(conditions)) {
        const state = this.#state(valid(input), 'content-too-large')
        const stored = toStored(await this.#insert(writer, state, acceptId(id)))
        return { created: true, stored }
      }
      const row = existing(current, `${absent} To create it, send If-None-Match: *.`)
      requireMatch(conditions, entityTag(row))
      const state = this.#state(valid(input), 'content-too-large')
      return { created: false, stored: toStored(await updateDocument(writer, row, state)) }
    })
  }

  /**
   * Applies a merge patch (RFC 7396) to what the client decides of a document; all or nothing. An Error as `patch` is
   * thrown as by {@link put}.
   * @throws {ProblemError} `document-not-found`, those of {@link requireMatch}, and
   *   `validation-failed` if the result is no document
   */
  async patch(owner: Owner, id: string, patch: unknown, conditions: Conditions) {
    return this.#change(owner, async (writer) => {
      const row = existing(await findDocument(writer.transaction, writer.owner, id))
      requireMatch(conditions, entityTag(row))
      checkPatch(valid(patch))
      const { collection, data } = toStored(row).document
      const patched = mergePatch({ collection, data }, patch) as DocumentInput
      const state = this.#state(patched, 'validation-failed')
      return toStored(await updateDocument(writer, row, state))
    })
  }

  /** @throws {ProblemError} `document-not-found`, and those of {@link requireMatch} */
  async remove(owner: Owner, id: string, conditions: Conditions): Promise<void> {
    await this.#change(owner, async (writer) => {
      const row = existing(await findDocument(writer.transaction, writer.owner, id))
      requireMatch(conditions, entityTag(row))
      await deleteDocument(writer, row, this.#now())
    })
  }

  #change<T>(owner: Owner, work: (writer: Writer) => Promise<T>): Promise<T> {
    return this.#db
      .transaction()
      .execute(async (transaction) => work(await lockOwner(transaction, owner)))
  }

  #state(input: DocumentInput, tooLarge: 'content-too-large' | 'validation-failed'): DocumentState {
    const { collection = defaultCollection } = input
    return { collection, data: serializeData(input.data, tooLarge), now: this.#now() }
  }

  #insert(writer: Writer, state: DocumentState, id = createDocumentId(state.now)) {
    if (writer.liveDocuments >= this.#documentsPerOwner)
      throw new ProblemError('quota-exceeded', {
        detail: `You can keep ${this.#documentsPerOwner} documents. Delete some, then retry.`
      })
    return insertDocument(writer, id, state)
  }

  async #createOnce(
    transaction: Transaction<Tables>,
    owner: Owner,
    state: DocumentState,
    request: IdempotentRequest
  ): Promise<StoredDocument> {
    await this.#claims.claim(transaction, request.key)
    const writer = await lockOwner(transaction, owner)
    const earlier = await recall(writer, request, state.now)
    if (earlier !== undefined) return toStored({ ...state, ...earlier, owner: writer.owner })
    const created = await this.#insert(writer, state)
    await remember(writer, request, created)
    return toStored(created)
  }
}

function identify(owner: Owner, { key, clientId }: Idempotency, state: DocumentState) {
  return {
    key: digest(ownerKey(owner), clientId, 'POST', '/documents', key),
    fingerprint: digest(state.collection, state.data)
  }
}

const absent = 'You have no document with this id.'

function existing(row: DocumentRow | undefined, detail = absent): DocumentRow {
  if (row !== undefined) return row
  throw new ProblemError('document-not-found', { detail })
}

function valid<Content>(content: Content | Error): Content {
  if (content instanceof Error) throw content
  return content
}

function acceptId(text: string): string {
  const id = readDocumentId(text)
  if (id !== undefined) return id
  const detail = 'The id of a document is a UUID.'
  throw new ProblemError('validation-failed', { detail, errors: [{ detail, pointer: '/id' }] })
}

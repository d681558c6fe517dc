/** The content of a document: any JSON object. */
export type DocumentData = Readonly<Record<string, unknown>>

/** What a client says of a document. */
export interface DocumentInput {
  /** Defaults to `default`. */
  readonly collection?: string
  readonly data: DocumentData
}

/** A document as clients see it; the times are RFC 3339, in UTC. */
export interface Document {
  readonly id: string
  readonly collection: string
  readonly data: DocumentData
  readonly createdAt: string
  readonly updatedAt: string
}

/** A document, and the strong entity tag of this state of it (RFC 9110 section 8.8.3). */
export interface StoredDocument {
  readonly document: Document
  readonly etag: string
}

/** What became of a document since a client last asked. */
export type Change =
  | {
      readonly id: string
      readonly deleted: false
      readonly etag: string
      readonly document: Document
    }
  | { readonly id: string; readonly deleted: true; readonly deletedAt: string }

/** The collection of a document whose client names none. */
export const defaultCollection = 'default'

/** The bounds of what one owner can store, and how long traces are kept. */
export const limits = {
  /** Bytes of `data`, serialized without white space as UTF-8. */
  dataBytes: 256 * 1024,
  /**
   * Bytes of a request's body: `data`, its envelope and white space. Clients that escape what is not ASCII, as Python
   * does, make three times as much of it.
   */
  bodyBytes: 1024 * 1024,
  /** Levels of nesting in `data`, itself included. */
  dataDepth: 32,
  /** Live documents of one owner. */
  documentsPerOwner: 10_000,
  /** Items of a page, unless the client says otherwise; at most `maximumPageSize`. */
  pageSize: 20,
  maximumPageSize: 100,
  /** Bytes of data in a page: one that would have more ends early, after at least one item. */
  pageBytes: 4 * 1024 * 1024,
  /** Milliseconds that an Idempotency-Key is remembered: 24 hours. */
  idempotencyLifetime: 24 * 60 * 60 * 1000,
  /** Milliseconds that the change feed remembers a deletion: 90 days. */
  tombstoneLifetime: 90 * 24 * 60 * 60 * 1000
} as const

import type { Mark } from './mark.ts'

/** A mark as a store has it. */
export interface StoredMark extends Mark {
  /** Greater than that of every mark that was added or changed before. */
  readonly change: number
}

/** Keeps the marks on revoked tokens over restarts, for all instances of an API. */
export interface RevocationStore {
  /**
   * The marks that were added or changed after the change `since`, in that order; all of them for 0. A change must not
   * turn up later than one with a greater number, or instances that have read the latter would never see it.
   */
  read(since: number): Promise<readonly StoredMark[]>
  /**
   * Keeps a mark: once this settles, it survives. Of two on the same kind, issuer and value the one with the later
   * `issuedUntil` stays. A mark of kind `all` may take the place of all others of its issuer (an empty `issuer` is
   * every one) that reach no further.
   */
  add(mark: Mark): Promise<void>
}

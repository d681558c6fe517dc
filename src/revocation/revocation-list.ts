import type { Principal } from '../token/principal.ts'
import type { IsRevoked, RevokedTokens } from '../token/revoked-tokens.ts'
import { foldedMarks } from './fold.ts'
import type { Mark } from './mark.ts'
import { Marks } from './marks.ts'
import type { RevocationStore } from './revocation-store.ts'

/** Who is told what happens to a {@link RevocationList}. */
export interface RevocationObserver {
  /** The store can not be read; what is known of revoked tokens goes on being used. Told once, until it answers. */
  storeFailed(cause: unknown): void
  storeAnswers(): void
  /** Marks were folded: all tokens of an issuer that were issued up to a time are refused from now on. */
  marksFolded(mark: Mark): void
}

export interface RevocationListOptions {
  readonly store: RevocationStore
  readonly observer: RevocationObserver
  /** Seconds for which marks are kept: no token should live longer. */
  readonly maxTokenLifetime: number
  /** Most marks; default 100,000. */
  readonly maxMarks?: number | undefined
  /** Milliseconds since the epoch. Default `Date.now`. */
  readonly clock?: (() => number) | undefined
}

/** Milliseconds between two looks at what other instances have revoked. */
const pollInterval = 500
/** Milliseconds without an answer of the store after which an instance no longer counts as ready. */
const longestBlindness = 10_000
/** Milliseconds between two looks for marks that are too old. */
const foldInterval = 3_600_000

/**
 * What is known of revoked tokens: the marks of a store, in memory, read before the first request and then twice a
 * second. A mark that this instance makes counts here once {@link add} settles, and on all others within a second.
 */
export class RevocationList implements RevokedTokens {
  readonly #options: RevocationListOptions
  readonly #clock: () => number
  readonly #marks = new Marks()
  readonly #listeners: ((isNewlyRevoked: IsRevoked) => void)[] = []
  #lastChange = 0
  #readAt = 0
  #failing = false
  #foldAt = 0
  #timer: NodeJS.Timeout | undefined
  #closed = false

  constructor(options: RevocationListOptions) {
    this.#options = options
    this.#clock = options.clock ?? Date.now
  }

  /** Whether what other instances revoked can not have been missed for longer than ten seconds. */
  get isCurrent(): boolean {
    return this.#clock() < this.#readAt + longestBlindness
  }

  /** Reads all marks, and looks for new ones from then on. @throws whatever the store throws */
  async start(): Promise<void> {
    await this.#read()
    this.#schedule()
  }

  close(): void {
    this.#closed = true
    clearTimeout(this.#timer)
  }

  covers(principal: Principal): boolean {
    return this.#marks.covers(principal)
  }

  onRevoked(listener: (isNewlyRevoked: IsRevoked) => void): void {
    this.#listeners.push(listener)
  }

  /** Keeps marks and applies them. @throws whatever the store throws; then nothing is promised */
  async add(...marks: readonly Mark[]): Promise<void> {
    for (const mark of marks) await this.#options.store.add(mark)
    this.#apply(marks)
  }

  #apply(marks: readonly Mark[]): void {
    const fresh = new Marks()
    const added = marks.filter((mark) => this.#marks.add(mark))
    if (added.length === 0) return
    for (const mark of added) fresh.add(mark)
    for (const tell of this.#listeners) tell((principal) => fresh.covers(principal))
  }

  async #read(): Promise<void> {
    const marks = await this.#options.store.read(this.#lastChange)
    this.#apply(marks)
    this.#lastChange = marks.at(-1)?.change ?? this.#lastChange
    this.#readAt = this.#clock()
  }

  #schedule(): void {
    if (this.#closed) return
    this.#timer = setTimeout(() => void this.#poll(), pollInterval)
    this.#timer.unref()
  }

  async #poll(): Promise<void> {
    const { observer } = this.#options
    try {
      await this.#read()
      if (this.#isFoldDue()) await this.#fold()
      if (this.#failing) observer.storeAnswers()
      this.#failing = false
    } catch (cause) {
      if (!this.#failing && !this.#closed) observer.storeFailed(cause)
      this.#failing = true
      // what answers next may be a copy without the last changes, which gives their numbers to others: all is read again
      this.#lastChange = 0
    }
    this.#schedule()
  }

  #isFoldDue(): boolean {
    const { maxMarks = 100_000 } = this.#options
    return this.#marks.size > maxMarks || this.#clock() >= this.#foldAt
  }

  /** Every instance does it by itself, with the same outcome. */
  async #fold(): Promise<void> {
    const { maxTokenLifetime, maxMarks = 100_000, observer } = this.#options
    const now = this.#clock()
    this.#foldAt = now + foldInterval
    const folded = foldedMarks([...this.#marks], now / 1000 - maxTokenLifetime, maxMarks)
    await this.add(...folded)
    for (const mark of folded) observer.marksFolded(mark)
  }
}

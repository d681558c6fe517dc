import type { Observer } from '../observe/observer.ts'
import type { Algorithm } from '../token/algorithms.ts'
import { type IssuerMetadata, parseMetadata } from './discovery.ts'
import { IssuerFaultError } from './issuer-fault.ts'
import { maySignFor } from './issuer-template.ts'
import { checkKeys, type KeySource } from './key-source.ts'
import { createKeyStore, type KeyFinder } from './key-store.ts'
import { backOff, cooldown, freshness, idleTime, maxStaleness } from './key-set-times.ts'
import { createKeyPreparation, type KeyPreparation, type PreparedKeys } from './prepare-keys.ts'
import type { SignatureCheckFactory, SigningKey } from './signing-key.ts'

/** A key set as it is kept over restarts. */
export interface KeySetSnapshot {
  readonly jwks: unknown
  readonly metadata: unknown
  /** Milliseconds since the epoch. */
  readonly fetchedAt: number
}

/** Keeps the last good key set of each issuer, so that a restart during an outage still works. */
export interface KeySetStore {
  /** The snapshot of the issuer, if there is one; it is checked again by the one who asked. */
  load(issuer: string): Promise<KeySetSnapshot | undefined>
  /** Keeps the snapshot, unless another instance has already kept a newer one. */
  save(issuer: string, snapshot: KeySetSnapshot): Promise<void>
}

/** What is known of the keys of one issuer, for those who watch the service. */
export interface KeySetState {
  readonly issuer: string
  /** Whether keys were read and may still be used. */
  readonly isUsable: boolean
  /** Downloads that gave keys. */
  readonly downloads: number
  /** Downloads that failed. */
  readonly failures: number
}

/** What a {@link KeySet} works with. */
export interface KeySetOptions {
  readonly issuer: string
  readonly source: KeySource
  readonly prepare: SignatureCheckFactory
  readonly observer: Observer
  readonly store?: KeySetStore | undefined
  /**
   * Whether an issuer that gives no keys, or whose keys nobody uses, is asked again and again by itself, and not only
   * when a token needs it. Default true; false keeps a long list of issuers from costing anything.
   */
  readonly insists?: boolean | undefined
  /** Whether it may begin with the keys of its predecessor. Default true; false where options say which keys count. */
  readonly inherits?: boolean | undefined
  /** Milliseconds since the epoch. Default `Date.now`. */
  readonly clock?: (() => number) | undefined
}

/**
 * The keys of one issuer over time. Whole sets are downloaded, one download at a time: at start, before they age,
 * and once per cool-down for an unknown key id. A new set replaces the old one at once; through an outage the last
 * good one is served for a day, also after a restart. A set that nobody uses is left to rest.
 */
export class KeySet {
  readonly #options: KeySetOptions
  readonly #clock: () => number
  readonly #prepare: KeyPreparation
  #find: KeyFinder = () => undefined
  #keys: PreparedKeys = new Map()
  #metadata: IssuerMetadata | undefined
  /** Milliseconds since the epoch; 0 before the first good set. */
  #fetchedAt = 0
  #restoring: Promise<void> | undefined
  #isRestored = false
  #download: Promise<void> | undefined
  #failures = 0
  readonly #ended = { downloads: 0, failures: 0 }
  #askedForUnknownKeyAt = Number.NEGATIVE_INFINITY
  #timer: NodeJS.Timeout | undefined
  #nextAttemptAt = 0
  #usedAt = Number.NEGATIVE_INFINITY
  #isResting = false
  #closed = false
  #retired = false

  constructor(options: KeySetOptions) {
    this.#options = options
    this.#clock = options.clock ?? Date.now
    this.#prepare = createKeyPreparation(options)
  }

  /** The issuer's metadata as of the last good download; undefined before it, and with static keys. */
  get metadata(): IssuerMetadata | undefined {
    return this.#metadata
  }

  /** Changes with every new set, in which a name may stand for another key, or for none. */
  get finder(): KeyFinder {
    return this.#find
  }

  /** Whether keys of the issuer were read and may still be used. */
  get isUsable(): boolean {
    return this.#keys.size > 0 && this.#clock() < this.#fetchedAt + maxStaleness
  }

  /** Whether the last download failed, so that an unknown key id may be the issuer's newest. */
  get isFailing(): boolean {
    return this.#failures > 0 || !this.isUsable
  }

  /** Whole seconds until the issuer is asked again, at least 1. */
  get retryAfterSeconds(): number {
    return Math.max(1, Math.ceil((this.#nextAttemptAt - this.#clock()) / 1000))
  }

  /** What the downloads came to, since the set was made. */
  get state(): KeySetState {
    return { issuer: this.#options.issuer, isUsable: this.isUsable, ...this.#ended }
  }

  /** Whether the issuer is no longer trusted as it was: see {@link KeySet.retire}. */
  get isRetired(): boolean {
    return this.#retired
  }

  /** Takes up the kept set, if there is one, and starts the first download without waiting for it. */
  async start(): Promise<void> {
    await this.restore()
    void this.refresh()
  }

  /** Takes up the kept set, if there is one; once. */
  restore(): Promise<void> {
    this.#restoring ??= this.#restore().finally(() => {
      this.#isRestored = true
    })
    return this.#restoring
  }

  /** Begins with the keys of the set that the same issuer had until its options changed; static keys go with these. */
  succeed(predecessor: KeySet): void {
    if (this.#options.inherits === false) return
    this.#isRestored = predecessor.#isRestored
    if (predecessor.#metadata === undefined) return
    const jwks = [...predecessor.#keys.keys()].map((text): unknown => JSON.parse(text))
    this.#use(jwks, predecessor.#metadata, predecessor.#fetchedAt)
    this.#nextAttemptAt = predecessor.#nextAttemptAt
    if (predecessor.#isResting) this.#rest()
  }

  /** Says that the issuer is in use though none of its keys is: a set that rested is downloaded, and nobody waits for it. */
  touch(): void {
    this.#usedAt = this.#clock()
    if (this.#isStale) void this.refresh()
  }

  /** Stops downloading. */
  close(): void {
    this.#closed = true
    this.#isResting = false
    clearTimeout(this.#timer)
  }

  /** Stops downloading, and ends every token that was verified with these keys. */
  retire(): void {
    this.close()
    this.#retired = true
    for (const key of this.#keys.values()) key.validUntil = 0
  }

  /** The key that fits algorithm and key id, if it is known, still counts, and may sign for the issuer. */
  find(
    algorithm: Algorithm,
    keyId: string | undefined,
    issuer = this.#options.issuer
  ): SigningKey | undefined {
    const key = this.#find(algorithm, keyId)
    if (key === undefined || !maySignFor(issuer, key.issuer)) return undefined
    if (this.#isResting && !this.#isStale) this.#wake()
    const now = this.#clock()
    // so and not the other way round: a kept set may have no time at all
    const counts = now < key.validUntil
    if (counts) this.#usedAt = now
    return counts ? key : undefined
  }

  /**
   * What to wait for before an unknown key is final: the download that runs, or a new one if the cool-down allows it.
   * Counted whether it succeeds or fails, so that random key ids can not make us fetch without end (META-6). Where no
   * key is known at all, the pace is that of the attempts; and before the very first, what was kept is taken up.
   */
  refreshForUnknownKey(): Promise<void> | undefined {
    if (this.#download !== undefined) return this.#download
    if (this.#closed) return undefined
    if (!this.#isRestored)
      return this.restore().then(() => (this.isUsable ? void this.refresh() : this.refresh()))
    const now = this.#clock()
    if (this.#isStale) return this.refresh()
    if (!this.isUsable) return now < this.#nextAttemptAt ? undefined : this.refresh()
    if (now - this.#askedForUnknownKeyAt < cooldown) return undefined
    this.#askedForUnknownKeyAt = now
    return this.refresh()
  }

  async #restore(): Promise<void> {
    const { issuer, store, observer } = this.#options
    try {
      const snapshot = await store?.load(issuer)
      if (snapshot === undefined || this.#closed) return
      const metadata = parseMetadata(snapshot.metadata as Record<string, unknown>, issuer)
      this.#use(checkKeys(snapshot.jwks), metadata, Math.min(snapshot.fetchedAt, this.#clock()))
    } catch (cause) {
      observer.issuerTrouble({ issuer, doing: 'restoring the kept key set', cause })
    }
  }

  /**
   * Downloads the set, or waits for the download that runs; closed, it begins none. Never rejects: a failure is counted
   * and reported.
   */
  async refresh(): Promise<void> {
    if (this.#closed) return this.#download
    this.#download ??= this.#downloadOnce().finally(() => {
      this.#download = undefined
    })
    return this.#download
  }

  async #downloadOnce(): Promise<void> {
    const { issuer, source, observer } = this.#options
    clearTimeout(this.#timer)
    const now = this.#clock()
    try {
      const { jwks, metadata, maxAge } = await source(now)
      if (this.#closed) return
      this.#use(jwks, metadata, now)
      this.#failures = 0
      this.#ended.downloads++
      this.#schedule(freshness(maxAge))
      void this.#keep({ jwks, metadata, fetchedAt: now })
    } catch (cause) {
      if (this.#closed) return
      this.#failures++
      this.#ended.failures++
      this.#schedule(backOff(this.#failures, this.isUsable))
      observer.issuerTrouble({ issuer, doing: 'downloading the key set', cause })
    }
  }

  #use(jwks: readonly unknown[], metadata: IssuerMetadata | undefined, fetchedAt: number): void {
    const { issuer, observer } = this.#options
    const keys = this.#prepare(jwks, this.#keys)
    // an empty set is an outage, not a withdrawal: it would lock everybody out
    if (keys.size === 0) throw new IssuerFaultError('the key set', 'has no usable key')
    for (const [text, key] of this.#keys) if (!keys.has(text)) key.validUntil = 0
    for (const key of keys.values()) key.validUntil = fetchedAt + maxStaleness
    this.#keys = keys
    this.#find = createKeyStore(issuer, [...keys.values()])
    this.#metadata = metadata
    this.#fetchedAt = fetchedAt
    observer.keySetReplaced({ issuer, keys: keys.size })
  }

  #schedule(delay: number): void {
    this.#nextAttemptAt = this.#clock() + delay
    if (this.#options.insists === false && this.#clock() >= this.#usedAt + idleTime) this.#rest()
    else this.#wake()
  }

  /**
   * Downloads no more until somebody asks. Tokens that are remembered do not ask: the keys count for nothing until then,
   * so that the set wakes for them too, and a key that is withdrawn meanwhile ends nevertheless.
   */
  #rest(): void {
    this.#isResting = true
    for (const key of this.#keys.values()) key.validUntil = 0
  }

  #wake(): void {
    this.#isResting = false
    for (const key of this.#keys.values()) key.validUntil = this.#fetchedAt + maxStaleness
    if (this.#options.insists === false && !this.isUsable) return
    // one is there already if it woke while a download ran
    clearTimeout(this.#timer)
    this.#timer = setTimeout(() => void this.refresh(), this.#nextAttemptAt - this.#clock())
    this.#timer.unref()
  }

  /** Whether the set rests, and would have been downloaded since: whoever needs it waits for that. */
  get #isStale(): boolean {
    return this.#isResting && this.#clock() >= this.#nextAttemptAt
  }

  async #keep(snapshot: KeySetSnapshot): Promise<void> {
    const { issuer, store, observer } = this.#options
    try {
      await store?.save(issuer, snapshot)
    } catch (cause) {
      observer.issuerTrouble({ issuer, doing: 'keeping the key set', cause })
    }
  }
}

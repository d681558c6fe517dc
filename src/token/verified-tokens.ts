import type { Principal } from './principal.ts'
import type { IsRevoked } from './revoked-tokens.ts'

/** What keeps a verified token alive: the key that signed it, as long as it counts. */
export interface VerifyingKey {
  /** Until when the key counts, in milliseconds since the epoch; 0 once it is withdrawn. */
  readonly validUntil: number
}

interface Entry {
  readonly token: string
  readonly principal: Principal
  /** Milliseconds since the epoch. */
  readonly expiresAt: number
  readonly key: VerifyingKey
}

/** Tokens in each of the two generations. */
const generationSize = 10_000

/** Slots for tokens seen once: a power of two. */
const sightings = 65_536

/**
 * The access tokens that were verified and are seen again. Bounded: two generations of 10,000, the older dropped when the
 * younger is full. A token is kept from its second sight on, so that tokens used once cost neither memory nor collections.
 */
export class VerifiedTokens {
  #young = new Map<string, Entry>()
  #old = new Map<string, Entry>()
  readonly #seen = new Int32Array(sightings)

  /**
   * The principal of a token that was verified before, compared as a whole; undefined if it is new, out of time, or
   * signed by a key that no longer counts.
   * @param now milliseconds since the epoch
   */
  find(token: string, now: number): Principal | undefined {
    const tail = tailOf(token)
    const entry = this.#young.get(tail) ?? this.#promote(tail)
    if (entry === undefined || entry.token !== token) return undefined
    return now < entry.expiresAt && now < entry.key.validUntil ? entry.principal : undefined
  }

  /** Remembers a verified token until `expiresAt` (milliseconds since the epoch) if this is not its first sight. */
  remember(token: string, principal: Principal, expiresAt: number, key: VerifyingKey): void {
    if (this.#isFirstSight(token)) return
    this.#insert(tailOf(token), { token, principal, expiresAt, key })
  }

  /** Forgets the tokens that were revoked. */
  forget(isRevoked: IsRevoked): void {
    for (const generation of [this.#young, this.#old])
      for (const [tail, { principal }] of generation)
        if (isRevoked(principal)) generation.delete(tail)
  }

  #promote(tail: string): Entry | undefined {
    const entry = this.#old.get(tail)
    if (entry !== undefined) this.#insert(tail, entry)
    return entry
  }

  #insert(tail: string, entry: Entry): void {
    this.#young.set(tail, entry)
    if (this.#young.size < generationSize) return
    this.#old = this.#young
    this.#young = new Map()
  }

  #isFirstSight(token: string): boolean {
    const mark = markOf(token)
    const slot = mark & (sightings - 1)
    if (this.#seen[slot] === mark) return false
    this.#seen[slot] = mark
    return true
  }
}

/** The end of the signature: as good as random, and short to hash. */
function tailOf(token: string): string {
  return token.slice(-32)
}

/** A hash of the last eight characters; a clash only means that a token is kept one sight earlier. */
function markOf(token: string): number {
  let mark = 1
  for (let index = Math.max(0, token.length - 8); index < token.length; index++) {
    mark = Math.imul(mark, 0x01_00_01_93) ^ token.charCodeAt(index)
  }
  return mark
}

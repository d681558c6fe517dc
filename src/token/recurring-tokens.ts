/** Slots for tokens seen once: a power of two. */
const sightings = 65_536

interface Entry<Kept> {
  readonly token: string
  readonly kept: Kept
}

/**
 * What is kept of tokens that come again. Bounded: two generations, the older dropped when the younger is full. A token
 * is kept from its second sight on, so that tokens used once cost neither memory nor collections.
 */
export class RecurringTokens<Kept> {
  readonly #generationSize: number
  readonly #seen = new Int32Array(sightings)
  #young = new Map<string, Entry<Kept>>()
  #old = new Map<string, Entry<Kept>>()

  /** @param generationSize tokens in each of the two generations */
  constructor(generationSize: number) {
    this.#generationSize = generationSize
  }

  /** What is kept of a token, compared as a whole. */
  find(token: string): Kept | undefined {
    const tail = tailOf(token)
    const entry = this.#young.get(tail) ?? this.#promote(tail)
    return entry !== undefined && entry.token === token ? entry.kept : undefined
  }

  /** Keeps something of a token, if this is not its first sight. */
  keep(token: string, kept: Kept): void {
    if (!this.#isFirstSight(token)) this.#insert(tailOf(token), { token, kept })
  }

  /** Drops what is kept and meets the condition. */
  drop(isToGo: (kept: Kept) => boolean): void {
    for (const generation of [this.#young, this.#old])
      for (const [tail, { kept }] of generation) if (isToGo(kept)) generation.delete(tail)
  }

  #promote(tail: string): Entry<Kept> | undefined {
    const entry = this.#old.get(tail)
    if (entry !== undefined) this.#insert(tail, entry)
    return entry
  }

  #insert(tail: string, entry: Entry<Kept>): void {
    this.#young.set(tail, entry)
    if (this.#young.size < this.#generationSize) return
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

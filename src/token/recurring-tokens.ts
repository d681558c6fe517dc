/** Slots for tokens seen once, in pairs: a power of two. */
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
  /** By {@link markOf}: whole tokens, and even their ends, take longer to hash. */
  #young = new Map<number, Entry<Kept>>()
  #old = new Map<number, Entry<Kept>>()

  /** @param generationSize tokens in each of the two generations */
  constructor(generationSize: number) {
    this.#generationSize = generationSize
  }

  /** What is kept of a token, compared as a whole. */
  find(token: string): Kept | undefined {
    const mark = markOf(token)
    const entry = this.#young.get(mark) ?? this.#promote(mark)
    return entry !== undefined && entry.token === token ? entry.kept : undefined
  }

  /** Keeps something of a token, if this is not its first sight, and no other token stands in its place. */
  keep(token: string, kept: Kept): void {
    const mark = markOf(token)
    if (this.#isFirstSight(mark)) return
    const entry = this.#young.get(mark)
    if (entry === undefined || entry.token === token) this.#insert(mark, { token, kept })
  }

  /** Drops what is kept and meets the condition. */
  drop(isToGo: (kept: Kept) => boolean): void {
    for (const generation of [this.#young, this.#old])
      for (const [mark, { kept }] of generation) if (isToGo(kept)) generation.delete(mark)
  }

  #promote(mark: number): Entry<Kept> | undefined {
    const entry = this.#old.get(mark)
    if (entry !== undefined) this.#insert(mark, entry)
    return entry
  }

  #insert(mark: number, entry: Entry<Kept>): void {
    this.#young.set(mark, entry)
    if (this.#young.size < this.#generationSize) return
    this.#old = this.#young
    this.#young = new Map()
  }

  #isFirstSight(mark: number): boolean {
    const pair = mark & (sightings - 2)
    if (this.#seen[pair] === mark || this.#seen[pair + 1] === mark) return false
    // which of the two gives way is chance, or of tokens that take turns in one pair some would never be kept
    this.#seen[pair + (Math.random() < 0.5 ? 0 : 1)] = mark
    return true
  }
}

/**
 * A hash of the last eight characters, which are as good as random in a signature. Where tokens share one, only the first
 * is kept: strangers who send one signature with ever other headers would have the collector carry all of them about.
 */
function markOf(token: string): number {
  let mark = 1
  for (let index = Math.max(0, token.length - 8); index < token.length; index++) {
    mark = Math.imul(mark, 0x01_00_01_93) ^ token.charCodeAt(index)
  }
  return mark
}

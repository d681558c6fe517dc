/** Remembers what may be used once (RFC 9449 section 11.1). */
export interface ReplayStore {
  /**
   * Takes a name that nobody has taken yet.
   * @param name a digest: no store holds anything of a token or proof
   * @param until milliseconds since the epoch from which on the name no longer matters
   * @returns whether it was free
   * @throws {StateUnavailableError} if nobody can tell
   */
  take(name: string, until: number): Promise<boolean>
  close(): Promise<void>
}

/** The shared state can not be asked, or has no room: the request can not be judged now. */
export class StateUnavailableError extends Error {
  override readonly name = 'StateUnavailableError'
}

/** Milliseconds that the names of one set have in common. */
const bucketLength = 10_000

/** Names at a time: as many as a process can verify proofs within their time, in some 100 MB. */
const defaultCapacity = 500_000

/**
 * A store of this process alone. Names go by whole sets when the time of all in them is over. Full, it takes none:
 * forgetting one would let it be used again.
 * @param clock milliseconds since the epoch
 */
export function createMemoryReplayStore(
  capacity = defaultCapacity,
  clock: () => number = Date.now
): ReplayStore {
  const buckets = new Map<number, Set<string>>()
  let size = 0

  const forget = (): void => {
    const now = Math.floor(clock() / bucketLength)
    for (const [time, names] of buckets) {
      if (time >= now) continue
      buckets.delete(time)
      size -= names.size
    }
  }
  const isTaken = (name: string): boolean => {
    for (const names of buckets.values()) if (names.has(name)) return true
    return false
  }

  return {
    async take(name, until) {
      forget()
      if (isTaken(name)) return false
      if (size >= capacity)
        throw new StateUnavailableError(`no room for more than ${capacity} used proofs`)
      const time = Math.floor(until / bucketLength)
      const names = buckets.get(time) ?? new Set<string>()
      buckets.set(time, names.add(name))
      size += 1
      return true
    },
    async close() {
      buckets.clear()
    }
  }
}

import { type ReplayStore, StateUnavailableError } from './replay-store.ts'

export interface RedisOptions {
  /** `redis://…`, or `rediss://…` for TLS. */
  readonly url: string
  /** Told in words when the connection is lost or can not be made, once until it is there again. */
  readonly onTrouble: (fault: string) => void
  /** Milliseconds since the epoch. Default `Date.now`. */
  readonly clock?: (() => number) | undefined
}

/** Questions that may wait for an answer at a time; what comes on top is told to try again. */
const maxWaiting = 1000

// Times in milliseconds. Nothing waits for a lost connection, nothing is sent twice.
const connection = {
  lazyConnect: true,
  connectTimeout: 2000,
  commandTimeout: 1000,
  socketTimeout: 2000,
  enableOfflineQueue: false,
  autoResendUnfulfilledCommands: false,
  maxRetriesPerRequest: 0,
  disableClientInfo: true,
  retryStrategy: (times: number) => Math.min(times * 100, 2000)
} as const

/**
 * A store that all instances share, in Redis (or what speaks its protocol): `SET … NX PX` for each name, so that one of
 * them gets it. Waits for the first attempt to connect, at most two seconds; after that it connects by itself whenever it can.
 */
export async function openRedisReplayStore({
  url,
  onTrouble,
  clock = Date.now
}: RedisOptions): Promise<ReplayStore> {
  const { Redis } = await import('ioredis')
  const redis = new Redis(url, connection)
  let isTold = false
  let waiting = 0
  redis.on('ready', () => (isTold = false))
  // told in words: the members of such an error may hold a command with the password
  redis.on('error', ({ message }: Error) => {
    if (!isTold) onTrouble(message)
    isTold = true
  })
  // a failure is told above, and tried again
  await redis.connect().catch(() => undefined)

  const set = async (name: string, until: number): Promise<boolean> => {
    const lifetime = Math.max(1, Math.ceil(until - clock()))
    try {
      return (await redis.set(`latchkey:proof:${name}`, '', 'PX', lifetime, 'NX')) === 'OK'
    } catch (cause) {
      throw new StateUnavailableError(`Redis did not answer (${(cause as Error).message})`)
    }
  }

  return {
    async take(name, until) {
      if (waiting >= maxWaiting) throw new StateUnavailableError('Redis answers too slowly')
      waiting += 1
      return set(name, until).finally(() => (waiting -= 1))
    },
    async close() {
      redis.disconnect()
    }
  }
}

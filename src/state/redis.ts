import type { Redis } from 'ioredis'

export interface RedisOptions {
  /** `redis://…`, or `rediss://…` for TLS. */
  readonly url: string
  /** Told in words when the connection is lost or can not be made, once until it is there again. */
  readonly onTrouble: (fault: string) => void
  /** Milliseconds that a command may take. Default 1000. */
  readonly patience?: number
}

// Times in milliseconds. Nothing waits for a lost connection, nothing is sent twice.
const connection = {
  lazyConnect: true,
  connectTimeout: 2000,
  socketTimeout: 2000,
  enableOfflineQueue: false,
  autoResendUnfulfilledCommands: false,
  maxRetriesPerRequest: 0,
  disableClientInfo: true,
  retryStrategy: (times: number) => Math.min(times * 100, 2000)
} as const

/**
 * A client of Redis, or what speaks its protocol. Waits for the first attempt to connect, at most two seconds; after that
 * it connects by itself whenever it can. Close it with `disconnect`.
 */
export async function connectRedis({
  url,
  onTrouble,
  patience = 1000
}: RedisOptions): Promise<Redis> {
  const { Redis } = await import('ioredis')
  const redis = new Redis(url, { ...connection, commandTimeout: patience })
  let isTold = false
  redis.on('ready', () => (isTold = false))
  // told in words: the members of such an error may hold a command with the password
  redis.on('error', ({ message }: Error) => {
    if (!isTold) onTrouble(message)
    isTold = true
  })
  // a failure is told above, and tried again
  await redis.connect().catch(() => undefined)
  return redis
}

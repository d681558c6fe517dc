import { connectRedis, type RedisOptions } from './redis.ts'
import { type ReplayStore, StateUnavailableError } from './replay-store.ts'

/** Questions that may wait for an answer at a time; what comes on top is told to try again. */
const maxWaiting = 1000

/** A store that all instances share, in Redis: `SET … NX PX` for each name, so that one of them gets it. */
export async function openRedisReplayStore(options: RedisOptions): Promise<ReplayStore> {
  const redis = await connectRedis(options)
  let waiting = 0

  const set = async (name: string, until: number): Promise<boolean> => {
    const lifetime = Math.max(1, Math.ceil(until - Date.now()))
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

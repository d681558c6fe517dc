import { isDeepStrictEqual } from 'node:util'
import type { FastifyInstance } from 'fastify'
import type { Config } from './config/schema.ts'

/**
 * Reads the settings again at each SIGHUP. Issuers, what is said of bound tokens, and the log level take effect at once,
 * without a dropped request; of all else a line in the log says that it waits for a restart. Settings that would stop a
 * start change nothing.
 * @param config the settings that were read at the start
 * @param load reads them again
 */
export function reloadOnHangup(app: FastifyInstance, config: Config, load: () => Config): void {
  process.on('SIGHUP', () => {
    try {
      apply(app, config, load())
    } catch (error) {
      // whatever it is, such as settings nested too deep to be shown: a service that runs goes on
      const [fault] = (error as Error).message.split('\n')
      app.log.error({ fault }, 'settings not taken, the old ones stay')
    }
  })
}

/** @throws {TypeError} if the issuers can not be used: then nothing has changed */
function apply(app: FastifyInstance, config: Config, next: Config): void {
  // without issuers it is the development issuer that runs, or would have to be started
  const isReplaced = config.issuers.length > 0 && next.issuers.length > 0
  const { issuers, dpopProofs, clientCertFrom } = next
  const bindings = { dpopProofs, clientCertFrom }
  const changes = isReplaced ? app.latchkey.replaceIssuers(issuers, bindings) : {}
  app.log.level = next.logLevel
  const taken = new Set<keyof Config>(isReplaced ? [...ofIssuers, 'logLevel'] : ['logLevel'])
  const settings = differences(config, next).filter((name) => !taken.has(name))
  if (settings.length > 0) app.log.warn({ settings }, 'changed settings wait for a restart')
  app.log.info(shortened(changes), 'settings read again')
}

/** What takes effect with another list of issuers. */
const ofIssuers = ['issuers', 'dpopProofs', 'clientCertFrom'] as const

/** The names alone: among the values are secrets. */
function differences(a: Config, b: Config): (keyof Config)[] {
  const names = new Set([...Object.keys(a), ...Object.keys(b)]) as Set<keyof Config>
  return [...names].filter((name) => !isDeepStrictEqual(a[name], b[name]))
}

/** Names in one line of the log; of a longer list the rest is counted. */
const maxNames = 20

function shortened(changes: Readonly<Record<string, readonly string[]>>) {
  return Object.fromEntries(
    Object.entries(changes).map(([what, names]) => [
      what,
      names.length <= maxNames
        ? names
        : [...names.slice(0, maxNames), `and ${names.length - maxNames} more`]
    ])
  )
}

import type { FastifyInstance } from 'fastify'
import type { Config } from '../src/config/schema.ts'
import { parseRateLimits, rateLimitForm, type RateLimits } from '../src/limits/rate-limits.ts'
import earlyFailures from './early-failures.ts'
import emptyBodies from './empty-bodies.ts'
import gracefulClose from './graceful-close.ts'
import type { KeySetStore } from '../src/issuer/key-set.ts'
import type { Checks } from '../src/observe/readiness.ts'
import type { RevocationStore } from '../src/revocation/revocation-store.ts'
import latchkey from './latchkey.ts'
import openapi from './openapi.ts'
import headLength from './head-length.ts'
import pipelining from './pipelining.ts'
import problemDetails from './problem-details.ts'
import requestLog from './request-log.ts'
import securityHeaders from './security-headers.ts'

/** What the plugins of the service need beyond its settings. */
export interface PluginsOptions {
  /** The URL that clients call, known at the latest when the service listens. */
  readonly publicUrl: () => string
  /** Keeps the last good key set of each issuer over restarts. */
  readonly keySetStore: KeySetStore
  /** Keeps what is revoked. */
  readonly revocationStore: RevocationStore
  /** What must hold before the service can do its work. */
  readonly checks: Checks
}

/** What the scopes of the service imply, unless its settings say otherwise. */
const serviceScopes = { 'documents:admin': ['documents:read', 'documents:write'] }

/** Gives the service its plugins. The order is that of their hooks: README.md tells why. */
export async function registerPlugins(
  app: FastifyInstance,
  config: Config,
  { publicUrl, keySetStore, revocationStore, checks }: PluginsOptions
): Promise<void> {
  const { issuers, corsOrigins, scopeImplies } = config
  const { dpopProofs, clientCertFrom, redisUrl, maxTokenLifetime } = config
  await app.register(gracefulClose)
  await app.register(requestLog)
  // by a lazy import: who does not want it does not wait for its library
  if (config.metrics === 'public')
    await app.register(import('./metrics.ts'), { checks, keySets: () => app.latchkey.keySets() })
  await app.register(problemDetails)
  await app.register(securityHeaders, { origins: corsOrigins })
  await app.register(pipelining)
  const limits = limitsOf(config)
  if (Object.keys(limits).length > 0)
    await app.register(import('./rate-limit.ts'), { limits, redisUrl })
  await app.register(earlyFailures)
  await app.register(latchkey, {
    issuers,
    publicUrl,
    keySetStore,
    dpopProofs,
    clientCertFrom,
    redisUrl,
    revocationStore,
    maxTokenLifetime,
    beforeVerification: app.rateLimiter?.beforeVerification,
    onRefusal(request, reason) {
      app.metrics?.refused(request, reason)
      app.rateLimiter?.onRefusal(request, reason)
    },
    scopeImplies: { ...serviceScopes, ...scopeImplies }
  })
  await app.register(emptyBodies)
  const { dpopAlgorithms, dpopRequired } = app.latchkey.senderConstraints
  await app.register(headLength)
  await app.register(openapi, { dpopAlgorithms, dpopRequired, path: new URL(publicUrl()).pathname })
}

/** @throws {TypeError} for a text that the settings would refuse: no limit must be lost without a word */
function limitsOf({ rateLimit }: Config): RateLimits {
  const limits = parseRateLimits(rateLimit)
  if (limits === undefined)
    throw new TypeError(`rateLimit: found ${JSON.stringify(rateLimit)}, allowed: ${rateLimitForm}`)
  return limits
}

import rateLimit, {
  normalizeIP,
  type RateLimitOptions as CounterOptions
} from '@fastify/rate-limit'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import fp from 'fastify-plugin'
import { proofRefusals } from '../src/binding/proof-refusal.ts'
import { ProblemError } from '../src/http/problem.ts'
import {
  currentField,
  excessDetail,
  policyField,
  type RateLimits,
  type RatePolicy,
  type Standing
} from '../src/limits/rate-limits.ts'
import { connectRedis } from '../src/state/redis.ts'
import type { Principal } from '../src/token/principal.ts'
import { refusals } from '../src/token/refusal.ts'
import type { RefusedBecause } from './denials.ts'

export interface RateLimitOptions {
  readonly limits: RateLimits
  /** Where all instances count together. Default: each process for itself. */
  readonly redisUrl: string | undefined
}

/** What the guard asks and tells, as its options of these names. */
export interface RateLimiter {
  /** undefined where failures are not limited. */
  readonly beforeVerification: ((request: FastifyRequest) => Promise<void>) | undefined
  readonly onRefusal: (request: FastifyRequest, reason: RefusedBecause) => void
}

declare module 'fastify' {
  interface FastifyInstance {
    /** Only where requests are limited. */
    readonly rateLimiter?: RateLimiter
  }
}

/** Callers or addresses that are counted at a time, in a process; those that were not seen for longest are forgotten. */
const maxCounted = 20_000

/** Milliseconds that a request waits for Redis to count it. */
const patience = 250

/**
 * Limits requests, on @fastify/rate-limit: per address before the guard, per principal after it, and per address where
 * too many tokens were refused, before another one is verified. A store that fails limits nobody. Routes with
 * `rateLimit: false` in their config are left alone.
 */
async function rateLimits(
  app: FastifyInstance,
  { limits, redisUrl }: RateLimitOptions
): Promise<void> {
  await registerCounter(app, redisUrl)
  const address = createLimit(app, limits.address, addressOf)
  const principal = createLimit(app, limits.principal, callerOf)
  const failed = createLimit(app, limits.failed, addressOf)
  const policies = policyField(limits)

  app.addHook('onRequest', async (request, reply) => {
    if (!isLimited(request)) return
    reply.header('ratelimit-policy', policies)
    show(reply, await address?.count(request))
  })
  // after the guard, before the body is read
  app.addHook('preParsing', async (request, reply) => {
    if (isCaller(request) && isLimited(request)) show(reply, await principal?.count(request))
  })
  app.decorate('rateLimiter', {
    beforeVerification: failed && ((request) => failed.check(request)),
    onRefusal(request, reason) {
      if (failures.has(reason)) void failed?.add(request)
    }
  })
}

export default fp(rateLimits, { name: 'rate-limit', fastify: '5.x' })

async function registerCounter(app: FastifyInstance, url: string | undefined): Promise<void> {
  const onTrouble = (fault: string) => app.log.warn({ fault }, 'trouble with Redis')
  const redis = url === undefined ? undefined : await connectRedis({ url, onTrouble, patience })
  app.addHook('onClose', async () => redis?.disconnect())
  const nameSpace = 'latchkey:rate:'
  await app.register(rateLimit, {
    global: false,
    ...(redis && { redis, nameSpace })
  })
}

/** One limit at work. */
interface Limit {
  /** Counts a request. Answers with its RateLimit field, if that is known; throws the problem if it is one too many. */
  count(request: FastifyRequest): Promise<string | undefined>
  /** Counts without judging. */
  add(request: FastifyRequest): Promise<unknown>
  /** Judges without counting: throws the problem if nothing is left. */
  check(request: FastifyRequest): Promise<void>
}

function createLimit(
  app: FastifyInstance,
  policy: RatePolicy | undefined,
  keyOf: (request: FastifyRequest) => string
): Limit | undefined {
  if (policy === undefined) return undefined
  const ask = createCounter(app, policy, keyOf)
  const refuse = (request: FastifyRequest, standing: Standing): ProblemError => {
    const reason = 'rate_limited'
    request.log.info({ reason, policy: policy.name }, 'request refused')
    app.metrics?.refused(request, reason)
    return new ProblemError('too-many-requests', {
      detail: excessDetail(policy),
      headers: {
        ratelimit: currentField(policy, standing),
        'retry-after': String(standing.ttlInSeconds)
      }
    })
  }
  return {
    async count(request) {
      const standing = await ask(request)
      if (standing?.isExceeded) throw refuse(request, standing)
      return standing && currentField(policy, standing)
    },
    add: ask,
    async check(request) {
      const standing = await ask(request, { increment: false })
      if (standing?.remaining === 0) throw refuse(request, standing)
    }
  }
}

interface CountedStanding extends Standing {
  readonly isExceeded: boolean
}

/** Requests that the store left waiting once: what else counts them does not wait for it again. */
const uncounted = new WeakSet<FastifyRequest>()

/** Answers undefined if the store does not, which is told once until it does. */
function createCounter(
  app: FastifyInstance,
  { name, quota, window }: RatePolicy,
  keyOf: (request: FastifyRequest) => string
) {
  const options: CounterOptions = {
    max: quota,
    timeWindow: window * 1000,
    cache: maxCounted,
    keyGenerator: (request) => `${name} ${keyOf(request)}`
  }
  const count = app.createRateLimit(options)
  let isTold = false
  return async (
    request: FastifyRequest,
    how?: { increment: false }
  ): Promise<CountedStanding | undefined> => {
    if (uncounted.has(request)) return undefined
    try {
      const standing = await count(request, how)
      isTold = false
      // of those on a list of the allowed, of which there is none, nothing is counted
      return standing.isAllowed ? undefined : standing
    } catch (error) {
      if (!isTold) app.log.warn({ fault: (error as Error).message, policy: name }, 'limit is off')
      isTold = true
      uncounted.add(request)
      return undefined
    }
  }
}

function show(reply: FastifyReply, field: string | undefined): void {
  if (field !== undefined) reply.header('ratelimit', field)
}

function isLimited({ routeOptions }: FastifyRequest): boolean {
  return routeOptions.config.rateLimit !== false
}

/** Whether the guard has found somebody; where it was not asked, nobody has set the decorator. */
function isCaller({ principal }: { readonly principal: Principal | null }): boolean {
  return principal !== null
}

function callerOf({ principal: { issuer, subject } }: FastifyRequest): string {
  return `${issuer} ${subject}`
}

/** Of an IPv6 address its network: whoever has one address there has all of them. */
function addressOf({ ip }: { readonly ip: string | undefined }): string {
  // a client that left has none any more
  return normalizeIP(ip ?? 'gone')
}

/** Refusals that whoever has no good token can cause at will; a nonce that is asked for is none. */
const failures = new Set<string>([...Object.keys(refusals), ...Object.keys(proofRefusals)])
failures.delete(proofRefusals.nonce_needed.reason)

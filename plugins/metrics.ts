import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import fp from 'fastify-plugin'
import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from 'prom-client'
import type { KeySetState } from '../src/issuer/key-set.ts'
import { type Checks, readChecks } from '../src/observe/readiness.ts'
import type { Principal } from '../src/token/principal.ts'
import type { RefusedBecause } from './denials.ts'
import { isUnrouted } from './method-not-allowed.ts'
import { onRequestEnd } from './request-end.ts'

/** What is measured beside requests. */
export interface MetricsOptions {
  readonly checks: Checks
  readonly keySets: () => readonly KeySetState[]
}

type Reason = RefusedBecause | 'rate_limited'

/** What the service counts, for Prometheus. */
export interface Metrics {
  /** The media type of the text. */
  readonly contentType: string
  /** All metrics in the text format of Prometheus. */
  text(): Promise<string>
  /** Counts a refusal: the option `onRefusal` of the guard, and what the limits refuse. */
  readonly refused: (request: FastifyRequest, reason: Reason) => void
}

declare module 'fastify' {
  interface FastifyInstance {
    /** Only where the service counts. */
    readonly metrics?: Metrics
  }
}

/**
 * Counts what the service does, each label out of a fixed or configured set: nothing of a request but its method and
 * its route's pattern, so that no caller can be told and none can make the text grow. Load it only where it is wanted:
 * prom-client costs time at the start.
 */
async function metrics(app: FastifyInstance, options: MetricsOptions): Promise<void> {
  const registry = new Registry()
  collectDefaultMetrics({ register: registry })
  describeReadiness(registry, options)
  describeKeySets(registry, options)
  const requests = createRequestCounter(registry)
  const durations = createDurations(registry)
  const reasons = new WeakMap<FastifyRequest, Reason>()

  onRequestEnd(app, {
    answered(request, reply) {
      requests.inc({ outcome: reasons.get(request) ?? outcomeOf(request) })
      durations.observe(durationLabels(app, request, reply), reply.elapsedTime / 1000)
    },
    aborted: () => requests.inc({ outcome: 'aborted' })
  })
  app.decorate('metrics', {
    contentType: registry.contentType,
    text: onceAtATime(() => registry.metrics()),
    refused: (request, reason) => void reasons.set(request, reason)
  })
}

export default fp(metrics, { name: 'metrics', fastify: '5.x' })

/** Seconds. The guard of a known token takes less than the first, an issuer is given up after the last. */
const buckets = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10]

function createRequestCounter(registry: Registry) {
  return new Counter({
    name: 'latchkey_requests_total',
    help: 'Requests by what came of them: accepted by the guard, refused for a reason, not judged, aborted.',
    labelNames: ['outcome'],
    registers: [registry]
  })
}

function createDurations(registry: Registry) {
  return new Histogram({
    name: 'latchkey_request_duration_seconds',
    help: 'Time from the head of a request to the end of its answer.',
    labelNames: ['route', 'method', 'status'],
    buckets,
    registers: [registry]
  })
}

/** Asked at each reading. */
function describeReadiness(registry: Registry, { checks }: MetricsOptions): void {
  const gauge = new Gauge({
    name: 'latchkey_ready',
    help: 'Whether a check of /readyz holds: 1 or 0.',
    labelNames: ['check'],
    registers: [registry],
    async collect() {
      const results = Object.entries(await readChecks(checks))
      for (const [check, holds] of results) gauge.set({ check }, Number(holds))
    }
  })
}

/** Read where the key sets count, so that issuers that are gone leave no line behind. */
function describeKeySets(registry: Registry, { keySets }: MetricsOptions): void {
  // issuers that nobody used yet would fill pages
  const asked = () => keySets().filter(({ downloads, failures }) => downloads + failures > 0)
  const total = new Counter({
    name: 'latchkey_key_set_downloads_total',
    help: 'Downloads of the key set of an issuer, by how they ended.',
    labelNames: ['issuer', 'result'],
    registers: [registry],
    collect() {
      total.reset()
      for (const { issuer, downloads, failures } of asked()) {
        total.inc({ issuer, result: 'success' }, downloads)
        total.inc({ issuer, result: 'failure' }, failures)
      }
    }
  })
  const usable = new Gauge({
    name: 'latchkey_key_set_usable',
    help: 'Whether keys of an issuer were read and still count: 1 or 0.',
    labelNames: ['issuer'],
    registers: [registry],
    collect() {
      usable.reset()
      for (const { issuer, isUsable } of asked()) usable.set({ issuer }, Number(isUsable))
    }
  })
}

/** A public route, an unknown path, no token where it is optional, and what ended before its token was judged are one. */
function outcomeOf(request: FastifyRequest): 'accepted' | 'not_judged' {
  // absent where the guard has not come yet
  const principal = request.principal as Principal | null | undefined
  return principal ? 'accepted' : 'not_judged'
}

function durationLabels(app: FastifyInstance, request: FastifyRequest, reply: FastifyReply) {
  const { method, routeOptions } = request
  const { url = 'none' } = routeOptions
  return {
    route: isUnrouted(request) ? 'none' : url,
    method: app.supportedMethods.includes(method) ? method : 'other',
    status: `${Math.floor(reply.statusCode / 100)}xx`
  }
}

/** Who asks while a reading runs gets that one: anybody may ask, and a reading asks the database. */
function onceAtATime(read: () => Promise<string>): () => Promise<string> {
  let running: Promise<string> | undefined
  return () => {
    running ??= read().finally(() => {
      running = undefined
    })
    return running
  }
}

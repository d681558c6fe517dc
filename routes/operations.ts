import { Type } from 'typebox'
import type { FastifyInstance } from 'fastify'
import type { Metrics } from '../plugins/metrics.ts'
import { ProblemError } from '../src/http/problem.ts'
import { type Checks, readChecks } from '../src/observe/readiness.ts'

/** What the routes of operations are given. */
export interface OperationsOptions {
  readonly checks: Checks
  /** undefined where the service does not count. */
  readonly metrics?: Metrics | undefined
}

/** Questions of whoever runs the service: does the process live, can it do its work, and what has it done? */
export default async function operations(
  app: FastifyInstance,
  { checks, metrics }: OperationsOptions
): Promise<void> {
  app.addHook('onSend', async (_request, reply) => {
    reply.header('cache-control', 'no-store')
  })

  const unlimited = { auth: false, rateLimit: false } as const
  app.get('/livez', { schema: livez, config: unlimited }, async () => ok)

  const config = { ...unlimited, problems: ['service-unavailable'] } as const
  app.get('/readyz', { schema: readyz, config }, async () => {
    const failed = Object.entries(await readChecks(checks)).filter(([, holds]) => !holds)
    if (failed.length === 0) return ok
    throw new ProblemError('service-unavailable', {
      detail: `Not ready: ${failed.map(([name]) => name).join(', ')}.`,
      headers: { 'Retry-After': '5' }
    })
  })

  // declared where metrics are off as well: who misses them is told why, and the document is the same everywhere
  const counting = { ...unlimited, problems: ['not-found'] } as const
  app.get('/metrics', { schema: readMetrics, config: counting }, async (_request, reply) => {
    if (metrics === undefined) throw new ProblemError('not-found', { detail: metricsAreOff })
    return reply.type(metrics.contentType).send(await metrics.text())
  })
}

const ok = { status: 'ok' } as const

const Status = Type.Object(
  { status: Type.Literal('ok') },
  { description: 'Yes.', examples: [ok], additionalProperties: false }
)

const livez = {
  operationId: 'getLivez',
  summary: 'Whether the process answers',
  tags: ['operations'],
  response: { 200: Status }
}

const readyz = {
  operationId: 'getReadyz',
  summary:
    'Whether the service can do its work: keys of every required issuer were read, the database answers',
  tags: ['operations'],
  response: { 200: Status }
}

const metricsAreOff = 'Metrics are off; the setting METRICS switches them on.'

const readMetrics = {
  operationId: 'getMetrics',
  summary: 'What the service has done, for Prometheus; 404 where the setting METRICS is off',
  tags: ['operations'],
  response: {
    200: {
      description: 'Counters, gauges and histograms in the text format of Prometheus.',
      content: {
        'text/plain': {
          schema: { type: 'string' },
          example:
            '# TYPE latchkey_requests_total counter\nlatchkey_requests_total{outcome="accepted"} 42\n'
        }
      }
    }
  }
}

import { setTimeout as delay } from 'node:timers/promises'
import { Type } from 'typebox'
import type { FastifyInstance } from 'fastify'
import { ProblemError } from '../src/http/problem.ts'

/** What the routes of operations are given. */
export interface OperationsOptions {
  /** What must hold before the service can do its work, by a name that the client is told. A check never throws. */
  readonly checks: Readonly<Record<string, () => boolean | Promise<boolean>>>
}

/** Questions of whoever runs the service: does the process live, and can it do its work? */
export default async function operations(
  app: FastifyInstance,
  { checks }: OperationsOptions
): Promise<void> {
  app.addHook('onSend', async (_request, reply) => {
    reply.header('cache-control', 'no-store')
  })

  app.get('/livez', { schema: livez, config: { auth: false } }, async () => ok)

  const config = { auth: false, problems: ['service-unavailable'] } as const
  app.get('/readyz', { schema: readyz, config }, async () => {
    const failed = await failedChecks(checks)
    if (failed.length === 0) return ok
    throw new ProblemError('service-unavailable', {
      detail: `Not ready: ${failed.join(', ')}.`,
      headers: { 'Retry-After': '5' }
    })
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

async function failedChecks(checks: OperationsOptions['checks']): Promise<string[]> {
  const results = await Promise.all(
    Object.entries(checks).map(async ([name, check]) => ((await holds(check)) ? [] : [name]))
  )
  return results.flat()
}

/** A check that takes longer than two seconds does not hold. */
async function holds(check: () => boolean | Promise<boolean>): Promise<boolean> {
  const deadline = new AbortController()
  try {
    return await Promise.race([check(), delay(2000, false, { signal: deadline.signal })])
  } finally {
    deadline.abort()
  }
}

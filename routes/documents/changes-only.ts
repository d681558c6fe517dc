import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { ProblemError } from '../../src/http/problem.ts'

/**
 * Answers other methods of `/documents/changes` than GET and HEAD as those of any known path (RFC 9110 sections 9.3.7,
 * 15.5.6), where the routes of one document would take `changes` for its id.
 */
export function refuseToChange(app: FastifyInstance): void {
  app.route({
    method: app.supportedMethods.filter((method) => method !== 'GET' && method !== 'HEAD'),
    url: '/documents/changes',
    schema: { hide: true },
    config: { auth: false },
    // before a body is read
    onRequest: answer,
    handler: answer
  })
}

async function answer({ method }: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> {
  const headers = { Allow: 'GET, HEAD, OPTIONS' }
  const detail = `Allowed here: ${headers.Allow}.`
  if (method !== 'OPTIONS') throw new ProblemError('method-not-allowed', { detail, headers })
  return reply.code(204).headers(headers).send()
}

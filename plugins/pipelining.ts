import type { Socket } from 'node:net'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import fp from 'fastify-plugin'
import { ProblemError } from '../src/http/problem.ts'

/** Requests of one connection that are worked on at a time. */
const maxUnfinished = 16

/**
 * Refuses what a client sends on a connection (pipelining, RFC 9112 section 9.3.2) while {@link maxUnfinished} other
 * requests there are not finished. A request is finished when its whole answer was handed over to the connection: one
 * that waits for a client that does not read fills the memory.
 */
function pipelining(app: FastifyInstance, _options: object, done: () => void): void {
  const unfinished = new WeakMap<Socket, number>()
  app.addHook('onRequest', (request, reply, next) => {
    const { socket } = request
    const before = unfinished.get(socket) ?? 0
    unfinished.set(socket, before + 1)
    reply.raw.once('close', () => unfinished.set(socket, (unfinished.get(socket) ?? 1) - 1))
    if (before < maxUnfinished) return next()
    next(refuse(app, request))
  })
  done()
}

export default fp(pipelining, { name: 'pipelining', fastify: '5.x' })

/** As the limits of rate-limit.ts do, in log and metrics. */
function refuse(app: FastifyInstance, request: FastifyRequest): ProblemError {
  const reason = 'rate_limited'
  request.log.info({ reason, policy: 'connection' }, 'request refused')
  app.metrics?.refused(request, reason)
  return new ProblemError('too-many-requests', {
    detail: `${maxUnfinished} requests of this connection are not finished yet.`,
    headers: { 'Retry-After': '1' }
  })
}

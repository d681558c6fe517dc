import type { Socket } from 'node:net'
import type { FastifyInstance } from 'fastify'
import fp from 'fastify-plugin'
import { ProblemError } from '../src/http/problem.ts'

/** Requests of one connection that may wait for the end of their answer at a time. */
const maxWaiting = 16

/**
 * Refuses what a client sends on a connection (pipelining, RFC 9112 section 9.3.2) while it has not read the answers to
 * {@link maxWaiting} other requests there: answers that nobody reads would fill the memory.
 */
function pipelining(app: FastifyInstance, _options: object, done: () => void): void {
  const waiting = new WeakMap<Socket, number>()
  app.addHook('onRequest', ({ socket }, reply, next) => {
    const before = waiting.get(socket) ?? 0
    waiting.set(socket, before + 1)
    reply.raw.once('close', () => waiting.set(socket, (waiting.get(socket) ?? 1) - 1))
    if (before < maxWaiting) return next()
    const detail = `The answers to ${maxWaiting} requests of this connection were not read yet.`
    next(new ProblemError('too-many-requests', { detail, headers: { 'Retry-After': '1' } }))
  })
  done()
}

export default fp(pipelining, { name: 'pipelining', fastify: '5.x' })

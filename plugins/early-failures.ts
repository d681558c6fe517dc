import type { IncomingMessage, ServerResponse } from 'node:http'
import fp from 'fastify-plugin'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { ProblemError } from '../src/http/problem.ts'

/** What is wrong with requests that failed before they had hooks. */
const failures = new WeakMap<IncomingMessage, Error>()

/**
 * Answers behind the hooks of the plugins before this one what fails before there are hooks, so that pages may read it:
 * expectations, and paths that the router can not take, if {@link postponeFailure} is the instance's `frameworkErrors`.
 */
function earlyFailures(app: FastifyInstance, _options: object, done: () => void): void {
  app.addHook('onRequest', ({ raw }, _reply, next) => next(failures.get(raw)))
  app.server.on('checkExpectation', (request: IncomingMessage, response: ServerResponse) => {
    // RFC 9110 section 10.1.1: Node itself meets 100-continue, nobody the others. Whether a body follows is not known, so
    // nothing may follow the answer, whichever it will be
    response.setHeader('connection', 'close')
    failures.set(request, new ProblemError('expectation-failed'))
    app.routing(request, response)
  })
  done()
}

export default fp(earlyFailures, { name: 'early-failures', fastify: '5.x' })

/** Has a request that the router can not take begin anew with a path that it can take, to fail in the hook above. */
export function postponeFailure(
  error: Error,
  { raw, server }: FastifyRequest,
  reply: FastifyReply
): void {
  failures.set(raw, error)
  raw.url = '/'
  server.routing(raw, reply.raw)
}

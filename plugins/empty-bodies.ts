import type { IncomingHttpHeaders } from 'node:http'
import fp from 'fastify-plugin'
import type { FastifyInstance } from 'fastify'
import { ProblemError } from '../src/http/problem.ts'

/**
 * Has no request without a body refused for the media type that many clients name with every request: there is nothing
 * that has it. Where the route needs a body, that is what is told.
 */
function emptyBodies(app: FastifyInstance, _options: object, done: () => void): void {
  app.addHook('preParsing', ({ headers, routeOptions }, _reply, payload, next) => {
    if (hasBody(headers)) return next(null, payload)
    if (routeOptions.schema?.body !== undefined)
      return next(new ProblemError('invalid-request', { detail: 'The body is empty.' }))
    headers['content-type'] = undefined
    next(null, payload)
  })
  done()
}

export default fp(emptyBodies, { name: 'empty-bodies', fastify: '5.x' })

/** Whether a request says that a body follows (RFC 9112 section 6.3). */
function hasBody(headers: IncomingHttpHeaders): boolean {
  return headers['transfer-encoding'] !== undefined || Number(headers['content-length'] ?? 0) > 0
}

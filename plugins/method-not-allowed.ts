import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { ProblemError, problemDocument } from '../src/http/problem.ts'
import { sendProblem } from './send-problem.ts'

/** Whether a request has no route of its own, so that {@link answerUnrouted} is to answer it. */
export function isUnrouted(request: FastifyRequest): boolean {
  return request.is404 || isUnroutedOptions(request)
}

/** @fastify/cors routes OPTIONS of every path to itself, whether the path exists or not. */
function isUnroutedOptions(request: FastifyRequest): boolean {
  if (request.method !== 'OPTIONS' || request.routeOptions.url !== '*') return false
  return 'corsPreflightEnabled' in request
}

/**
 * Answers a known path with another method by 405 and `Allow` (RFC 9110 section 15.5.6) where Fastify says 404, and
 * OPTIONS by 204 and `Allow`; leaves unknown paths to the not-found handler. Needs no token. The guard calls it,
 * since a hook of its own would be felt by every request.
 */
export function answerUnrouted(
  app: FastifyInstance,
  request: FastifyRequest,
  reply: FastifyReply,
  next: (error?: Error) => void
): void {
  const { method, url, is404 } = request
  const allow = allowOf(app, url)
  if (allow === undefined) return next(is404 ? undefined : new ProblemError('not-found'))
  reply.header('allow', allow)
  if (method === 'OPTIONS') return void reply.code(204).send()
  const document = problemDocument('method-not-allowed', { detail: `Allowed here: ${allow}.` })
  sendProblem(request, reply, 405, JSON.stringify(document))
}

/** The `Allow` field of a path; undefined for one that is not known. */
export function allowOf(app: FastifyInstance, url: string): string | undefined {
  const methods = app.supportedMethods.filter(
    (method) => method !== 'OPTIONS' && app.findRoute({ method, url }) !== null
  )
  return methods.length === 0 ? undefined : [...methods, 'OPTIONS'].join(', ')
}

import { randomUUID } from 'node:crypto'
import type { Socket } from 'node:net'
import fp from 'fastify-plugin'
import type { FastifyContextConfig, FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { clientErrorKind, rawProblem } from '../src/http/client-error.ts'
import { mayLackLines } from '../src/http/header-lines.ts'
import { ProblemError } from '../src/http/problem.ts'
import { toProblem } from '../src/http/to-problem.ts'

declare module 'fastify' {
  interface FastifyContextConfig {
    /** The media types that the route's body may have, named by its 415. Default: JSON. */
    accepts?: readonly string[]
  }
}

/**
 * Answers every failure of a request with a problem document (RFC 9457): thrown errors, unknown paths, and what Node
 * would answer by itself. What Node can not read never reaches a plugin: pass {@link answerClientError} as
 * `clientErrorHandler` when the instance is made.
 */
function problemDetails(app: FastifyInstance, _options: object, done: () => void): void {
  app.setErrorHandler(answerProblem)
  app.setNotFoundHandler(() => {
    throw new ProblemError('not-found')
  })
  app.addHook('onRequest', requireHost)
  done()
}

export default fp(problemDetails, { name: 'problem-details', fastify: '5.x' })

/** Sends the problem that an error stands for; logs its cause when that is not the client's doing. */
function answerProblem(error: unknown, request: FastifyRequest, reply: FastifyReply): void {
  const { bodyLimit, config } = request.routeOptions
  const { accepts = ['application/json'] }: Partial<FastifyContextConfig> = config
  const { id, method } = request
  const { status, headers, body } = toProblem(error, { id, method, accepts, bodyLimit })
  if (status >= 500) logFailure(error, status, request)
  // As bytes: Fastify adds a charset to text, and the media type of problems has none.
  reply
    .code(status)
    .headers(headers)
    .send(Buffer.from(JSON.stringify(body)))
}

/** Answers what Node's HTTP parser gave up, on the socket itself. */
export function answerClientError(
  this: FastifyInstance,
  error: NodeJS.ErrnoException,
  socket: Socket
): void {
  if (error.code === 'ECONNRESET' || socket.destroyed) return
  const kind = clientErrorKind(error.code)
  const reqId = randomUUID()
  // The error holds the raw packet, and that the token: only its code is told.
  this.log.info({ reqId, reason: kind, code: error.code }, 'request could not be read')
  if (socket.writable && !isAnswering(socket)) socket.write(rawProblem(kind, reqId))
  socket.destroy()
}

/** A problem without cause was thrown on purpose by a part that already said what there is to say. */
function logFailure(error: unknown, status: number, request: FastifyRequest): void {
  if (status === 500) return request.log.error({ err: error }, 'request failed')
  if (error instanceof ProblemError && error.cause === undefined) return
  request.log.warn({ err: error }, 'request failed upstream')
}

/** RFC 9112 section 3.2. Node's own check answers without a body, so the service turns that off. */
function requireHost({ raw }: FastifyRequest, _reply: FastifyReply, done: (error?: Error) => void) {
  const hosts = countHosts(raw.rawHeaders)
  const refuse = (detail: string) => done(new ProblemError('invalid-request', { detail }))
  if (mayLackLines(raw.rawHeaders)) return refuse('The request has too many header fields.')
  if (hosts === 1 || (hosts === 0 && raw.httpVersion !== '1.1')) return done()
  refuse(`The Host field ${hosts === 0 ? 'is missing' : 'came more than once'}.`)
}

/** Counted among the raw lines: of two, Node keeps the first, and a proxy in front may have kept the other. */
function countHosts(rawHeaders: readonly string[]): number {
  let hosts = 0
  for (let index = 0; index < rawHeaders.length; index += 2)
    if (rawHeaders[index]?.toLowerCase() === 'host') hosts++
  return hosts
}

/** True while a response is on its way through the socket: nothing may be written into it. */
function isAnswering(socket: Socket & { _httpMessage?: { headersSent: boolean } | null }): boolean {
  return socket._httpMessage?.headersSent === true
}

import fp from 'fastify-plugin'
import { stdSerializers } from 'pino'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { Principal } from '../src/token/principal.ts'
import { onRequestEnd } from './request-end.ts'

/** Writes one line for each request: who asked for which route, and what came of it. */
function requestLog(app: FastifyInstance, _options: object, done: () => void): void {
  onRequestEnd(app, { answered: logRequest, aborted: logRequest })
  done()
}

export default fp(requestLog, { name: 'request-log', fastify: '5.x' })

/**
 * Writes a request's line. The route is named by its pattern: paths and queries may hold tokens and personal data,
 * and so neither they nor any header field are ever logged.
 */
function logRequest(request: FastifyRequest, reply: FastifyReply): void {
  // absent where the guard has not come yet, or is not registered
  const principal = request.principal as Principal | null | undefined
  const isAborted = request.socket.destroyed
  request.log.info(
    {
      method: request.method,
      route: request.routeOptions.url,
      // one that the client may have seen
      status: isAborted && !reply.raw.headersSent ? undefined : reply.statusCode,
      ms: Math.round(reply.elapsedTime * 100) / 100,
      issuer: principal?.issuer,
      subject: principal?.subject,
      clientId: principal?.clientId,
      aborted: isAborted || undefined
    },
    'request finished'
  )
}

/** Log serializers that never let a token through: an error shows its message and stack, not its members. */
export const logSerializers = {
  err(thrown: unknown) {
    const error = thrown instanceof Error ? thrown : new Error(String(thrown))
    const { type, message, stack } = stdSerializers.err(error)
    const { code } = error as NodeJS.ErrnoException
    return { type, code, message: withoutTokens(message), stack: withoutTokens(stack) }
  }
}

function withoutTokens(text: string): string {
  return text.replaceAll(/\beyJ[\w-]+(\.[\w-]*)*/g, '[token]')
}

import type { FastifyRequest } from 'fastify'
import { findAuthorization } from '../src/token/authorization.ts'
import type { Principal } from '../src/token/principal.ts'

/** The access token of a request that its guard let pass, in whatever scheme it came. */
export function accessTokenOf({ raw }: FastifyRequest): string {
  const field = findAuthorization(raw.rawHeaders) ?? ''
  return field.slice(field.indexOf(' ') + 1).trim()
}

/**
 * The caller for whom a handler wants something done.
 * @param asked what the handler called
 * @throws {TypeError} if the request has none: its route is public, or it came without a token to an optional one
 */
export function callerOf(request: FastifyRequest, asked: string): Principal {
  const principal = request.principal as Principal | null
  if (principal !== null) return principal
  throw new TypeError(`${asked}: found a request without a principal, allowed: one with a token`)
}

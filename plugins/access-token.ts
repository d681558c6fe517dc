import type { FastifyRequest } from 'fastify'
import { findAuthorization } from '../src/token/authorization.ts'

/** The access token of a request that its guard let pass, in whatever scheme it came. */
export function accessTokenOf({ raw }: FastifyRequest): string {
  const field = findAuthorization(raw.rawHeaders) ?? ''
  return field.slice(field.indexOf(' ') + 1).trim()
}

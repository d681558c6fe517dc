import type { FastifyReply } from 'fastify'

/** Adds a field of the request to those by which an answer differs (RFC 9110 section 12.5.5). */
export function varyBy(reply: FastifyReply, field: string): void {
  const vary = reply.getHeader('vary')
  reply.header('vary', vary === undefined ? field : `${String(vary)}, ${field}`)
}

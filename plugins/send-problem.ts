import type { FastifyReply, FastifyRequest } from 'fastify'

/** Sends a written problem document (RFC 9457), to which it adds `instance`: that saves writing it anew for each request. */
export function sendProblem(
  { id }: FastifyRequest,
  reply: FastifyReply,
  status: number,
  document: string
): void {
  reply
    .code(status)
    .header('content-type', 'application/problem+json')
    .header('cache-control', 'no-store')
    // Fastify adds a charset to text without one, and the media type of problems has none
    .serializer(asItIs)
    .send(`${document.slice(0, -1)},"instance":${JSON.stringify(id)}}`)
}

function asItIs(text: string): string {
  return text
}

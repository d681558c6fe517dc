import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import fp from 'fastify-plugin'

/**
 * Takes the `Content-Length: 0` from HEAD's 304, which Fastify writes last of all: caches would take it for the length
 * of what they keep (RFC 9110 section 8.6, RFC 9111 section 3.2). Register it before the routes.
 */
function headLength(app: FastifyInstance, _options: object, done: () => void): void {
  app.addHook('onRoute', (route) => {
    if (route.method !== 'HEAD') return
    route.onSend = [...[route.onSend ?? []].flat(), dropLength]
  })
  done()
}

export default fp(headLength, { name: 'head-length', fastify: '5.x' })

async function dropLength(_request: FastifyRequest, reply: FastifyReply): Promise<void> {
  if (reply.statusCode === 304) reply.removeHeader('content-length')
}

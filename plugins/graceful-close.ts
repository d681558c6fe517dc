import fp from 'fastify-plugin'
import type { FastifyInstance } from 'fastify'

/**
 * Lets the server close as soon as its running requests are answered: from the moment it closes, every answer says
 * that its connection ends (RFC 9112 section 9.6). Without that a busy client would hold the process.
 */
function gracefulClose(app: FastifyInstance, _options: object, done: () => void): void {
  let closing = false
  app.addHook('preClose', (next) => {
    closing = true
    next()
  })
  app.addHook('onSend', (_request, reply, payload, next) => {
    if (closing) reply.header('connection', 'close')
    next(null, payload)
  })
  done()
}

export default fp(gracefulClose, { name: 'graceful-close', fastify: '5.x' })

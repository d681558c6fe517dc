import type { Socket } from 'node:net'
import fp from 'fastify-plugin'
import type { FastifyInstance } from 'fastify'

/** Milliseconds in which the first request of a connection that was opened just before may still arrive. */
const firstRequestMs = 100

/**
 * Lets the server close as soon as its running requests are answered: from the moment it closes, every answer says
 * that its connection ends (RFC 9112 section 9.6), and connections that never sent anything, which Node does not count
 * as idle, are ended. Without that a busy client, or a silent one, would hold the process.
 */
function gracefulClose(app: FastifyInstance, _options: object, done: () => void): void {
  const connections = trackConnections(app)
  let closing = false
  app.addHook('preClose', (next) => {
    closing = true
    // immediately after it: what has arrived is read before
    setTimeout(() => setImmediate(endSilent, connections), firstRequestMs).unref()
    next()
  })
  app.addHook('onSend', (_request, reply, payload, next) => {
    if (closing) reply.header('connection', 'close')
    next(null, payload)
  })
  done()
}

export default fp(gracefulClose, { name: 'graceful-close', fastify: '5.x' })

function trackConnections(app: FastifyInstance): ReadonlySet<Socket> {
  const connections = new Set<Socket>()
  app.server.on('connection', (socket: Socket) => {
    connections.add(socket)
    socket.once('close', () => connections.delete(socket))
  })
  return connections
}

function endSilent(connections: Iterable<Socket>): void {
  for (const socket of connections) if (socket.bytesRead === 0) socket.destroy()
}

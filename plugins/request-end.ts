import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'

type Listener = (request: FastifyRequest, reply: FastifyReply) => void

/** What is called at the end of a request: one of them, once. */
export interface RequestEnds {
  /** The whole answer was handed over to the connection. */
  readonly answered: Listener
  /** The connection was lost before that. The handler may still run, and what it answers goes nowhere. */
  readonly aborted: Listener
}

/**
 * Tells of the end of each request. Fastify's `onResponse` never comes where the connection is lost first, and its
 * `onRequestAbort` not where the body was already read; and Node calls an answer finished whose rest it threw away.
 */
export function onRequestEnd(app: FastifyInstance, { answered, aborted }: RequestEnds): void {
  app.addHook('onRequest', (request, reply, next) => {
    const { socket } = request
    let hasEnded = false
    const end = (): void => {
      if (hasEnded) return
      hasEnded = true
      if (socket.destroyed) aborted(request, reply)
      else answered(request, reply)
    }
    reply.raw.once('close', end)
    if (reply.raw.socket === null) endWithConnection(request, reply, end)
    next()
  })
}

/** An answer that waits behind another one (pipelining) is not told that the connection is lost. */
function endWithConnection(
  { socket }: FastifyRequest,
  { raw }: FastifyReply,
  end: () => void
): void {
  // as many as wait
  socket.setMaxListeners(0).once('close', end)
  raw.once('close', () => socket.off('close', end))
}

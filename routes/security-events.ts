import type { FastifyInstance } from 'fastify'
import type { Revocations } from '../src/revocation/revocations.ts'
import { offerWhile, parseAsText, refuseStatement } from './statements.ts'

const securityEvent = 'application/secevent+jwt'

/**
 * `POST /security-events`: a transmitter pushes a security event token (RFC 8935 section 2). It is the credentials; a
 * repeated one is answered as if it were new.
 */
export default async function securityEvents(
  app: FastifyInstance,
  { revocations }: { readonly revocations: Revocations }
): Promise<void> {
  offerWhile(app, () => revocations.acceptsSecurityEvents)
  parseAsText(app, securityEvent)

  const config = { auth: false, accepts: [securityEvent] } as const
  app.post('/security-events', { schema: { hide: true }, config }, async (request, reply) => {
    const { log } = request
    reply.header('cache-control', 'no-store')
    try {
      const event = await revocations.receiveSecurityEvent(String(request.body))
      if (event.marks.length > 0) log.info(event, 'access tokens revoked by a security event')
      else log.info(event, 'security event without effect')
      return reply.code(202).send()
    } catch (error) {
      reply.header('content-language', 'en')
      return refuseStatement(error, { log, reply }, ({ fault, message }) => ({
        err: fault,
        description: `The security event is refused: ${message}.`
      }))
    }
  })
}

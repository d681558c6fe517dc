import type { FastifyBaseLogger, FastifyInstance, FastifyReply } from 'fastify'
import { StatementRefusedError } from '../src/revocation/statement.ts'

/** Octets of a body: a statement of 16 KiB, and the form around it. */
const bodyLimit = 32 * 1024

/** Reads bodies of one media type as text, and of no other, in this context. */
export function parseAsText(app: FastifyInstance, mediaType: string): void {
  // on the route, not the parser: the 413 names the limit that the route says
  app.addHook('onRoute', (route) => {
    route.bodyLimit = bodyLimit
  })
  app.removeAllContentTypeParsers()
  app.addContentTypeParser<string>(
    mediaType,
    { parseAs: 'string' },
    async (_request: unknown, body: string) => body
  )
}

/** Has the routes of this context answer as if they were not there, except while they are wanted. */
export function offerWhile(app: FastifyInstance, isWanted: () => boolean): void {
  app.addHook('onRequest', (_request, reply, done) => {
    if (isWanted()) done()
    else reply.callNotFound()
  })
}

/** Sends the answer to a statement that is not believed, in the form that its protocol wants; throws anything else. */
export function refuseStatement(
  error: unknown,
  { log, reply }: { log: FastifyBaseLogger; reply: FastifyReply },
  answer: (error: StatementRefusedError) => Readonly<Record<string, string>>
): FastifyReply {
  if (!(error instanceof StatementRefusedError)) throw error
  log.info({ reason: error.fault, fault: error.message }, 'statement of an issuer refused')
  return reply.code(400).type('application/json').send(answer(error))
}

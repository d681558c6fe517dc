import type { FastifyInstance } from 'fastify'
import type { Revocations } from '../src/revocation/revocations.ts'
import { StatementRefusedError } from '../src/revocation/statement.ts'
import { offerWhile, parseAsText, refuseStatement } from './statements.ts'

const form = 'application/x-www-form-urlencoded'

/**
 * `POST /backchannel-logout`: an issuer says that a session ended (OpenID Connect Back-Channel Logout 1.0 section 2.5).
 * The logout token is the credentials; a second delivery is a success without effect.
 */
export default async function backchannelLogout(
  app: FastifyInstance,
  { revocations }: { readonly revocations: Revocations }
): Promise<void> {
  offerWhile(app, () => revocations.acceptsLogoutTokens)
  parseAsText(app, form)

  const config = { auth: false, accepts: [form] } as const
  app.post('/backchannel-logout', { schema: { hide: true }, config }, async (request, reply) => {
    const { log } = request
    reply.header('cache-control', 'no-store')
    try {
      const marks = await revocations.receiveLogoutToken(logoutTokenOf(request.body))
      log.info({ marks }, 'access tokens revoked by a logout')
      return reply.code(200).send()
    } catch (error) {
      return refuseStatement(error, { log, reply }, ({ message }) => ({
        error: 'invalid_request',
        error_description: `The logout token is refused: ${message}.`
      }))
    }
  })
}

/** Other members of the form are ignored. */
function logoutTokenOf(body: unknown): string {
  const [token, ...others] = new URLSearchParams(String(body)).getAll('logout_token')
  if (token === undefined || others.length > 0)
    throw new StatementRefusedError('invalid_request', 'There must be one logout_token')
  return token
}

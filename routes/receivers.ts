import type { FastifyInstance } from 'fastify'
import backchannelLogout from './backchannel-logout.ts'
import securityEvents from './security-events.ts'

/**
 * Adds the routes by which issuers tell that tokens end early. Each answers 404 while no issuer has switched it on,
 * since one may come later that has. Where a context beside this one has the path already, that one keeps it.
 */
export async function registerReceivers(app: FastifyInstance): Promise<void> {
  const { revocations } = app.latchkey
  if (revocations === undefined) return
  const isFree = (url: string) => !app.hasRoute({ method: 'POST', url: `${app.prefix}${url}` })
  if (revocations.acceptsLogoutTokens || isFree('/backchannel-logout'))
    await app.register(backchannelLogout, { revocations })
  if (revocations.acceptsSecurityEvents || isFree('/security-events'))
    await app.register(securityEvents, { revocations })
}

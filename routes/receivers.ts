import type { FastifyInstance } from 'fastify'

/** Adds the routes by which issuers tell that tokens end early: those that an issuer has switched on. */
export async function registerReceivers(app: FastifyInstance): Promise<void> {
  const { revocations } = app.latchkey
  if (revocations === undefined) return
  if (revocations.acceptsLogoutTokens)
    await app.register(import('./backchannel-logout.ts'), { revocations })
  if (revocations.acceptsSecurityEvents)
    await app.register(import('./security-events.ts'), { revocations })
}

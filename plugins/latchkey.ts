import type { FastifyInstance } from 'fastify'
import fp from 'fastify-plugin'
import { createTrustedIssuers, type TrustedIssuers } from '../src/issuer/trusted-issuers.ts'
import { type Guard, parseGuard } from '../src/token/guard.ts'
import type { Principal } from '../src/token/principal.ts'
import { createScopeHierarchy } from '../src/token/scope-hierarchy.ts'
import { createDenials } from './denials.ts'
import { createGuardHook } from './guard-hook.ts'
import { createLogObserver } from './log-observer.ts'
import { createLatchkey } from './offered.ts'
import { guardKey, issuersOf, type LatchkeyOptions } from './plugin-options.ts'
import { offerRevocations, openRevocationList } from './revocation.ts'
import { refuseUnprovable, SenderConstraint } from './sender-constraint.ts'
import { createSignatureCheck } from './signature-check.ts'
import { createExchangeToken } from './token-exchange.ts'
import { refuseTokenInForm } from './token-in-form.ts'

/**
 * Guards every route of the context it is registered in with the access tokens of the trusted issuers: deny by
 * default, by what `config.auth` of a route declares, before the body is read (RFC 6750, RFC 9068).
 * @throws {TypeError} at registration, for a wrong option or a wrong `config.auth`
 */
async function latchkey(app: FastifyInstance, options: LatchkeyOptions): Promise<void> {
  if (app.hasRequestDecorator('principal')) {
    throw new TypeError('latchkey: found a registration in this context or around it, allowed: one')
  }
  const revoked = await openRevocationList(app, options)
  const issuers = createTrustedIssuers(issuersOf(options), {
    prepare: createSignatureCheck,
    scopes: createScopeHierarchy(options.scopeImplies),
    observer: createLogObserver(app),
    store: options.keySetStore,
    revoked,
    resolve: options.resolveIssuer
  })
  const constraint = new SenderConstraint(app, options, issuers)
  const denials = createDenials(options, () => constraint.regime.challenge)
  const revocations = await offerRevocations(revoked, issuers)
  const scopes = new Set<string>()
  const detailsTypes = new Set<string>()

  app.decorateRequest('principal', null as unknown as Principal)
  app.decorateRequest('exchangeToken', createExchangeToken(issuers))
  const offered = { scopes, detailsTypes, constraint, revocations }
  app.decorate('latchkey', createLatchkey(issuers, denials, offered))
  app.addHook('onRoute', (route) => {
    const guard = parseGuard(route.config?.auth) ?? null
    if (guard !== null) refuseUnmappedRoles(guard, issuers)
    if (guard !== null) refuseUnprovable(guard, constraint)
    for (const scope of [...(guard?.scopes ?? []), ...(guard?.anyScope ?? [])]) scopes.add(scope)
    if (guard?.authorizationDetails) detailsTypes.add(guard.authorizationDetails.type)
    route.config = { ...route.config, [guardKey]: guard }
    refuseTokenInForm(route, denials)
  })
  const { publicUrl, beforeVerification } = options
  const surroundings = { issuers, denials, publicUrl, constraint, revoked, beforeVerification }
  app.addHook('onRequest', createGuardHook(app, surroundings))
  app.addHook('onClose', () => issuers.close())
  await Promise.all([constraint.start(), issuers.start()])
}

/** Where no issuer says which claim has its roles, nobody could ever have one. */
function refuseUnmappedRoles({ roles }: Guard, issuers: TrustedIssuers): void {
  if (roles.length === 0 || issuers.isOpen) return
  if (issuers.values().some(({ mapping }) => mapping.roles.length > 0)) return
  const found = JSON.stringify(roles)
  throw new TypeError(
    `config.auth.roles: found ${found}, allowed: only with the option claims.roles of an issuer`
  )
}

export type { Latchkey } from './offered.ts'
export type { LatchkeyOptions } from './plugin-options.ts'
export default fp(latchkey, { name: 'latchkey', fastify: '5.x' })

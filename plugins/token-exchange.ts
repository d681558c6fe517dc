import type { FastifyRequest } from 'fastify'
import { ProblemError } from '../src/http/problem.ts'
import { checkTarget } from '../src/issuer/token-exchange-options.ts'
import type { ExchangedToken, ExchangeTarget } from '../src/issuer/token-exchange.ts'
import type { TrustedIssuers } from '../src/issuer/trusted-issuers.ts'
import { isScope } from '../src/token/scope.ts'
import { accessTokenOf, callerOf } from './access-token.ts'

/**
 * Exchanges the caller's token for one with which this API calls another for them (RFC 8693). Look at its `scopes`:
 * the issuer may grant less. Never send it to the caller.
 * @throws {ProblemError} if the issuer has no `tokenExchange` (501), refuses (403), or can not be asked
 * @throws {TypeError} for a target that is none, and where `request.principal` is null
 */
export type ExchangeToken = (target: ExchangeTarget) => Promise<ExchangedToken>

declare module 'fastify' {
  interface FastifyRequest {
    /** A token with which this API calls another for the caller. */
    exchangeToken: ExchangeToken
  }
}

/** What requests are decorated with, so that handlers can call other APIs for their caller. */
export function createExchangeToken(issuers: TrustedIssuers) {
  return async function exchangeToken(
    this: FastifyRequest,
    target: ExchangeTarget
  ): Promise<ExchangedToken> {
    const principal = callerOf(this, 'exchangeToken')
    check(target)
    const exchange = issuers.get(principal.issuer)?.exchangeToken
    if (exchange === undefined) {
      const detail = 'Token exchange is not set up for the issuer of the access token.'
      throw new ProblemError('not-implemented', { detail })
    }
    const exchanged = await exchange(accessTokenOf(this), principal, target)
    const { issuer, subject, clientId } = principal
    const { audience, resource } = target
    this.log.info({ issuer, subject, clientId, audience, resource }, 'token exchanged')
    return exchanged
  }
}

function check(target: ExchangeTarget): void {
  checkTarget(target, (member) => `exchangeToken ${member}`)
  if (Array.isArray(target.scopes) && target.scopes.every(isScope)) return
  const found = JSON.stringify(target.scopes)
  throw new TypeError(`exchangeToken scopes: found ${found}, allowed: a list of scopes`)
}

import type { Observer } from '../observe/observer.ts'
import type { Verifier } from '../token/verdict.ts'
import { type BoundedFetchOptions, createBoundedFetch } from './bounded-fetch.ts'
import type { ProfileName } from './profile.ts'
import { createTokenExchange, type TokenExchange } from './token-exchange.ts'
import {
  readTokenExchangeOptions,
  type TokenExchangeDependencies,
  type TokenExchangeSettings
} from './token-exchange-options.ts'
import type { UserInfoAnswerContext } from './userinfo-answer.ts'
import { createModalReader, type UserInfoMode } from './userinfo-modes.ts'
import { createUserInfoReader, type UserInfoReader } from './userinfo.ts'

/** What an issuer can say of a caller, and give in exchange for the caller's token. */
export interface CallerClaims {
  /** undefined if UserInfo is off for this issuer. */
  readonly readUserInfo: UserInfoReader | undefined
  /** undefined if this API is no client of the issuer that may exchange tokens. */
  readonly exchangeToken: TokenExchange | undefined
  /** Ends the connections to the issuer. */
  close(): Promise<void>
}

export interface CallerClaimsOptions {
  readonly issuer: string
  readonly userinfo?: UserInfoMode | undefined
  readonly tokenExchange?: TokenExchangeSettings | undefined
  readonly introspection?: { readonly clientId: string } | undefined
  readonly profile?: ProfileName | undefined
}

export interface CallerClaimsContext
  extends UserInfoAnswerContext, Pick<TokenExchangeDependencies, 'readFile'> {
  readonly observer: Observer
  readonly fetchOptions: BoundedFetchOptions | undefined
  /** Judges a token by asking the issuer; undefined if it is never asked. */
  readonly introspect: Verifier | undefined
}

/**
 * Makes what reads an issuer's claims about callers, and what exchanges their tokens; nothing is fetched.
 * @throws {TypeError} for a wrong `tokenExchange` option
 */
export function createCallerClaims(
  { issuer, userinfo = 'forward', tokenExchange, introspection, profile }: CallerClaimsOptions,
  context: CallerClaimsContext
): CallerClaims {
  const { fetchOptions, keySet, observer, clock, introspect } = context
  const client = readTokenExchangeOptions(issuer, tokenExchange, { ...context, profile })
  // connections of their own, so that nothing else waits behind an endpoint that hangs
  const fetchUserInfo = createBoundedFetch(issuer, fetchOptions)
  const fetchTokens = client && createBoundedFetch(issuer, fetchOptions)
  const { authenticate, target } = client ?? {}
  const exchange =
    fetchTokens &&
    authenticate &&
    createTokenExchange({ issuer, keySet, fetch: fetchTokens, authenticate, observer, clock })
  const ownClients = [introspection?.clientId, client?.clientId].filter((id) => id !== undefined)
  const createReader = () => createUserInfoReader({ ...context, fetch: fetchUserInfo, ownClients })
  return {
    readUserInfo: createModalReader(userinfo, { createReader, exchange, target, introspect }),
    exchangeToken: exchange,
    close: async () => {
      await Promise.all([fetchUserInfo.close(), fetchTokens?.close()])
    }
  }
}

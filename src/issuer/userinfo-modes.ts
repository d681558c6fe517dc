import { ProblemError } from '../http/problem.ts'
import { deepFreeze, type Principal } from '../token/principal.ts'
import { Refusal } from '../token/refusal.ts'
import { IssuerUnavailable, type Verifier } from '../token/verdict.ts'
import { check, wrongOption } from '../config/option-check.ts'
import type { ExchangeTarget, TokenExchange } from './token-exchange.ts'
import { badGateway, issuerUnavailable } from './upstream-problem.ts'
import { TokenRefusedError, type UserInfoReader } from './userinfo.ts'
import type { UserInfoClaims } from './userinfo-answer.ts'

/** Names of {@link UserInfoMode}. */
export const userInfoModes = [
  'forward',
  'exchange',
  'introspection',
  'claims',
  'off'
] as const satisfies string[]

/**
 * Where the claims about a caller come from: UserInfo with the caller's own token, UserInfo with a token exchanged for it,
 * the issuer's introspection answer, or the token itself.
 */
export type UserInfoMode = (typeof userInfoModes)[number]

export interface UserInfoModeOptions {
  readonly issuer: string
  readonly userinfo?: UserInfoMode | undefined
  readonly tokenExchange?: unknown
  readonly introspection?: unknown
}

/** What the modes need, made only where the issuer's options have it. */
export interface UserInfoParts {
  /** Makes what asks the UserInfo endpoint with a bearer token. */
  readonly createReader: () => UserInfoReader
  /** Exchanges tokens, and what a token for UserInfo is for. */
  readonly exchange: TokenExchange | undefined
  readonly target: Omit<ExchangeTarget, 'scopes'> | undefined
  /** Judges a token by asking the issuer. */
  readonly introspect: Verifier | undefined
}

/**
 * Checks the `userinfo` option of an issuer against what it needs.
 * @throws {TypeError} that names setting and issuer, what was found and what is allowed
 */
export function checkUserInfoMode({
  issuer,
  userinfo,
  tokenExchange,
  introspection
}: UserInfoModeOptions): void {
  const name = `userinfo of ${issuer}`
  const isMode = userinfo === undefined || userInfoModes.includes(userinfo)
  check(isMode, name, userinfo, userInfoModes.join(', '))
  const lacks =
    (userinfo === 'exchange' && tokenExchange === undefined && 'tokenExchange') ||
    (userinfo === 'introspection' && introspection === undefined && 'introspection')
  if (!lacks) return
  throw wrongOption(name, `"${userinfo}" without ${lacks}`, 'that with it, or another source')
}

/** The reader of a mode; undefined where UserInfo is off. */
export function createModalReader(
  mode: UserInfoMode,
  { createReader, exchange, target, introspect }: UserInfoParts
): UserInfoReader | undefined {
  if (mode === 'forward') return forwarding(createReader())
  if (mode === 'exchange' && exchange !== undefined)
    return exchanging(createReader(), exchange, target)
  if (mode === 'introspection' && introspect !== undefined) return introspecting(introspect)
  return mode === 'claims' ? async (_token, principal) => standardClaims(principal) : undefined
}

/** Who got hold of a bound token's copy could use it nowhere: nor can we (RFC 9449 section 7.2, RFC 8705 section 3). */
function forwarding(ask: UserInfoReader): UserInfoReader {
  return async (token, principal) => {
    if (principal.claims['cnf'] === undefined) return ask(token, principal)
    throw new ProblemError('not-implemented', {
      detail:
        "The access token is bound to its client's key, so this API can not ask for UserInfo with it."
    })
  }
}

/** Scopes that mean something to UserInfo (OpenID Connect Core 1.0 section 5.4). */
const userInfoScopes = new Set(['openid', 'profile', 'email', 'address', 'phone'])

function exchanging(
  ask: UserInfoReader,
  exchange: TokenExchange,
  target: UserInfoParts['target']
): UserInfoReader {
  return async (token, principal) => {
    const scopes = principal.scopes.filter((scope) => userInfoScopes.has(scope))
    const wanted = { ...target, scopes }
    const exchanged = await exchange(token, principal, wanted)
    if (!exchanged.scopes.includes('openid')) {
      throw new ProblemError('access-denied', {
        detail: 'The issuer does not let this API read the UserInfo of the caller.'
      })
    }
    try {
      return await ask(exchanged.token, principal)
    } catch (cause) {
      if (cause instanceof TokenRefusedError) exchange.forget(token, wanted, exchanged)
      throw cause
    }
  }
}

/** Members of an introspection answer that are about the token, not about its subject (RFC 7662 section 2.2). */
const tokenMembers = new Set(
  (
    'active iss aud exp nbf iat jti token_type scope scp cnf client_id azp typ act may_act ' +
    'authorization_details nonce sid session_state acr amr auth_time'
  ).split(' ')
)

function introspecting(introspect: Verifier): UserInfoReader {
  return async (token, { subject }) => {
    const verdict = await introspect(token)
    if (verdict instanceof IssuerUnavailable) throw issuerUnavailable(verdict.retryAfterSeconds)
    if (verdict instanceof Refusal) throw new TokenRefusedError()
    if (verdict.subject !== subject) throw badGateway('The issuer answered about another subject.')
    return claimsOf(verdict, (name) => !tokenMembers.has(name))
  }
}

/** Claims about a person (OpenID Connect Core 1.0 section 5.1). */
const personalClaims = new Set(
  (
    'sub name given_name family_name middle_name nickname preferred_username profile picture website email ' +
    'email_verified gender birthdate zoneinfo locale phone_number phone_number_verified address updated_at'
  ).split(' ')
)

function standardClaims(principal: Principal): UserInfoClaims {
  return claimsOf(principal, (name) => personalClaims.has(name))
}

function claimsOf(
  { claims, subject }: Principal,
  isWanted: (name: string) => boolean
): UserInfoClaims {
  const wanted = Object.entries(claims).filter(([name]) => isWanted(name))
  return deepFreeze({ ...Object.fromEntries(wanted), sub: subject })
}

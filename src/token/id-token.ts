import type { ClaimMapping } from './claim-mapping.ts'
import { judgeConfirmation } from './confirmation.ts'
import { isTime, judgeClaims, judgeHeader, judgeTimes, type TokenPolicy } from './policy.ts'
import { type Refusal, refusals } from './refusal.ts'
import { judgeStrictClaims } from './strict-claims.ts'
import { idTokenMarks, isOtherKind, noType } from './token-type.ts'
import type { UnverifiedClaims, UnverifiedHeader } from './unverified.ts'
import { namesOneOf } from './audience.ts'

/** How ID tokens are judged where an issuer is trusted for them. */
export interface IdTokenPolicy {
  /** The clients they must be made for. */
  readonly clientIds: ReadonlySet<string>
  /** Whether access tokens of the issuer, as JWTs, are refused. */
  readonly areOnly: boolean
  /** How principals are read from them: without scopes, since they grant none. */
  readonly mapping: ClaimMapping
}

/** What is to be known of an issuer to judge its tokens. */
export interface JudgingIssuer {
  readonly policy: TokenPolicy
  readonly mapping: ClaimMapping
  /** undefined if ID tokens are refused. */
  readonly idTokens: IdTokenPolicy | undefined
}

/**
 * Judges header and claims of a JWT by the rules of its kind, which is told before anything is judged: what fails as an
 * ID token is never tried as an access token, or the other way round (RFC 8725 section 3.12).
 * @param now seconds since the epoch
 * @returns the first refusal, or undefined
 */
export function judgeToken(
  header: UnverifiedHeader,
  claims: UnverifiedClaims,
  issuer: JudgingIssuer,
  now: number
): Refusal | undefined {
  const { policy, idTokens } = issuer
  if (isIdToken(header, claims, issuer)) return judgeIdToken(header, claims, issuer, now)
  if (idTokens?.areOnly === true) return refusals.wrong_type
  return (
    judgeHeader(header, policy) ??
    judgeClaims(claims, policy, now) ??
    (policy.isStrict === true ? judgeStrictClaims(claims) : undefined)
  )
}

/** How the principal of an accepted token is read. */
export function mappingOf(
  header: UnverifiedHeader,
  claims: UnverifiedClaims,
  issuer: JudgingIssuer
): ClaimMapping {
  const { idTokens, mapping } = issuer
  return idTokens !== undefined && isIdToken(header, claims, issuer) ? idTokens.mapping : mapping
}

/**
 * Whether a token is meant as an ID token: it names one of our clients, grants no scope, and has a mark of ID tokens or
 * nothing of an access token of this API.
 */
function isIdToken(
  { type }: UnverifiedHeader,
  claims: UnverifiedClaims,
  { policy, idTokens }: JudgingIssuer
): boolean {
  if (idTokens === undefined || (type !== 'jwt' && type !== noType)) return false
  const { aud, scope, scp, client_id } = claims
  if (scope !== undefined || scp !== undefined || !namesOneOf(idTokens.clientIds, aud)) return false
  if (isOtherKind(claims, idTokenMarks)) return true
  return idTokens.areOnly || (client_id === undefined && !namesOneOf(policy.audiences, aud))
}

/**
 * The checks of OpenID Connect Core 1.0 section 3.1.3.7 that one who did not ask for the token can do. Not checked:
 * `nonce` and `at_hash`, which only the client can compare with what it knows.
 */
function judgeIdToken(
  { algorithm }: UnverifiedHeader,
  claims: UnverifiedClaims,
  issuer: JudgingIssuer,
  now: number
): Refusal | undefined {
  const { policy } = issuer
  if (!policy.algorithms.has(algorithm)) return refusals.unsupported_algorithm
  if (claims['iss'] !== policy.issuer) return refusals.untrusted_issuer
  if (typeof claims['sub'] !== 'string' || claims['sub'] === '') return refusals.invalid_claims
  if (!isTime(claims['iat'])) return refusals.invalid_claims
  return (
    judgeTimes(claims, policy, now) ??
    judgeParties(claims, issuer) ??
    (isOtherThanIdToken(claims) ? refusals.wrong_type : undefined) ??
    judgeConfirmation(claims['cnf'], policy.bindings)
  )
}

/** All audiences have to be trusted; of several, `azp` says which one asked for the token (items 3 to 5). */
function judgeParties(
  { aud, azp }: UnverifiedClaims,
  { policy, idTokens }: JudgingIssuer
): Refusal | undefined {
  const isOurClient = (name: unknown) => idTokens?.clientIds.has(name as string) === true
  const audiences: unknown[] = [aud].flat()
  const isTrusted = (name: unknown) => isOurClient(name) || policy.audiences.has(name as string)
  if (!audiences.every(isTrusted)) return refusals.wrong_audience
  if (azp === undefined) return audiences.length === 1 ? undefined : refusals.wrong_audience
  return isOurClient(azp) ? undefined : refusals.wrong_audience
}

/** Claims that logout tokens, security events and introspection answers have; and names that issuers give to kinds. */
function isOtherThanIdToken({ events, token_introspection, typ, token_use }: UnverifiedClaims) {
  if (events !== undefined || token_introspection !== undefined) return true
  return (typ !== undefined && typ !== 'ID') || (token_use !== undefined && token_use !== 'id')
}

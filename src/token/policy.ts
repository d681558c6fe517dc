import type { Algorithm } from './algorithms.ts'
import { type BindingPolicy, judgeConfirmation } from './confirmation.ts'
import type { AcceptedClaims } from './principal.ts'
import { type Refusal, refusals } from './refusal.ts'
import { type ClaimRequirements, hasRequiredClaims } from './required-claims.ts'
import { type IdTokenMark, isOtherKind } from './token-type.ts'
import type { UnverifiedClaims, UnverifiedHeader } from './unverified.ts'

/** What the tokens of one issuer must look like. */
export interface TokenPolicy {
  readonly issuer: string
  /** The audiences this API answers to; a token must name one of them exactly. */
  readonly audiences: ReadonlySet<string>
  /** The only audiences that a token may name beside them. Default: it may name any. */
  readonly otherAudiences?: ReadonlySet<string> | undefined
  /** The claim that has to name one of them where there is no `aud`; itself `aud` where there must be one. */
  readonly audienceClaim: string
  readonly algorithms: ReadonlySet<Algorithm>
  /** Accepted `typ` headers, normalized. */
  readonly types: ReadonlySet<string>
  /** Of these sets a token must have all claims of one; if there are none, nothing. */
  readonly requiredClaims: readonly ClaimRequirements[]
  /** What makes an ID token of a token. */
  readonly idTokenMarks: readonly IdTokenMark[]
  /** Seconds by which the clocks of issuer and API may differ. */
  readonly clockTolerance: number
  /** Seconds since `iat` for which a token counts, whatever its `exp`. Default: as long as `exp` says. */
  readonly maxTokenAge?: number | undefined
  /** Whether its JWTs must have all claims that RFC 9068 requires. Default: those that are always judged. */
  readonly isStrict?: boolean | undefined
  /** How tokens are bound to their sender. Default: not at all, and bound ones are refused. */
  readonly bindings?: BindingPolicy | undefined
}

/** The last second a Date can hold: times beyond it are a defect of the token. */
const maxSeconds = 8.64e12

/**
 * Judges the header of a token against the policy of its issuer (RFC 7515 section 5.2, RFC 9068 section 4).
 * @returns the first refusal, or undefined
 */
export function judgeHeader(header: UnverifiedHeader, policy: TokenPolicy): Refusal | undefined {
  if (!policy.algorithms.has(header.algorithm)) return refusals.unsupported_algorithm
  if (!policy.types.has(header.type)) return refusals.wrong_type
  return undefined
}

/**
 * Judges the claims of an access token (RFC 7519 section 4.1, RFC 9068 section 4). All comparisons are exact.
 * Looks at neither signature nor scope; run it first, so that late and alien tokens never cost cryptography.
 * @param now seconds since the epoch
 * @returns the first refusal, or undefined: then the claims are {@link AcceptedClaims}
 */
export function judgeClaims(
  claims: UnverifiedClaims,
  policy: TokenPolicy,
  now: number
): Refusal | undefined {
  if (claims['iss'] !== policy.issuer) return refusals.untrusted_issuer
  if (typeof claims['sub'] !== 'string' || claims['sub'] === '') return refusals.invalid_claims
  return (
    judgeTimes(claims, policy, now) ??
    judgeAudience(audienceOf(claims, policy), policy) ??
    (isOtherKind(claims, policy.idTokenMarks) ? refusals.wrong_type : undefined) ??
    (hasRequiredClaims(claims, policy.requiredClaims) ? undefined : refusals.invalid_claims) ??
    judgeConfirmation(claims['cnf'], policy.bindings)
  )
}

/** Says of claims without a refusal what the policy has checked. */
export function accepted(claims: UnverifiedClaims): AcceptedClaims {
  return claims as AcceptedClaims
}

/**
 * Judges `exp`, which has to be there, `nbf` and `iat` (RFC 7519 section 4.1), and the age that the policy sets.
 * @returns the refusal, or undefined
 */
export function judgeTimes(
  { exp, nbf, iat }: UnverifiedClaims,
  { clockTolerance: tolerance, maxTokenAge }: TokenPolicy,
  now: number
): Refusal | undefined {
  if (!isTime(exp)) return refusals.invalid_claims
  if (nbf !== undefined && !isTime(nbf)) return refusals.invalid_claims
  if (iat !== undefined && !isTime(iat)) return refusals.invalid_claims
  if (maxTokenAge !== undefined && iat === undefined) return refusals.invalid_claims
  if (endOf({ exp, iat }, maxTokenAge) + tolerance <= now) return refusals.expired
  if (nbf !== undefined && nbf - tolerance > now) return refusals.not_yet_valid
  if (iat !== undefined && iat - tolerance > now) return refusals.not_yet_valid
  return undefined
}

/** The second from which a token counts no more, differences of clocks aside: `exp`, unless the policy ends it sooner. */
export function endOf(
  { exp, iat }: { readonly exp: number; readonly iat?: unknown },
  maxTokenAge: number | undefined
): number {
  return maxTokenAge === undefined || typeof iat !== 'number'
    ? exp
    : Math.min(exp, iat + maxTokenAge)
}

/** What stands in for `aud` never stands beside it: a token for another API names that one there. */
function audienceOf(claims: UnverifiedClaims, { audienceClaim }: TokenPolicy): unknown {
  return claims['aud'] === undefined ? claims[audienceClaim] : claims['aud']
}

function judgeAudience(
  aud: unknown,
  { audiences: ours, otherAudiences: others }: TokenPolicy
): Refusal | undefined {
  if (typeof aud === 'string') return ours.has(aud) ? undefined : refusals.wrong_audience
  if (!Array.isArray(aud) || !aud.every((entry) => typeof entry === 'string')) {
    return refusals.invalid_claims
  }
  if (!aud.some((entry) => ours.has(entry))) return refusals.wrong_audience
  const isForUs = others === undefined || aud.every((entry) => ours.has(entry) || others.has(entry))
  return isForUs ? undefined : refusals.wrong_audience
}

/** Whether a value is a NumericDate (RFC 7519 section 2) that a Date can hold. */
export function isTime(value: unknown): value is number {
  return typeof value === 'number' && Math.abs(value) <= maxSeconds
}

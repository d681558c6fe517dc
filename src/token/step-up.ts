import type { Surroundings } from './demand.ts'
import { isTime } from './policy.ts'
import type { Principal } from './principal.ts'
import { type Refusal, refusals } from './refusal.ts'

/** How the user must have signed in (RFC 9470). */
export interface Authentication {
  /** Authentication context classes of which one is needed; empty if any will do. */
  readonly acr: readonly string[]
  /** Seconds since the sign-in, at most; undefined if its time does not matter. */
  readonly maxAge: number | undefined
}

/**
 * Judges the form of `acr` and `auth_time`, as far as they matter (RFC 9470 section 6.1). A sign-in in the future is
 * nonsense as well: it would stay recent.
 * @returns a refusal for a value that means nothing, undefined for a good or an absent one
 */
export function judgeAuthenticationClaims(
  { acr, maxAge }: Authentication,
  { issuer, claims }: Principal,
  { clock, clockToleranceOf }: Surroundings
): Refusal | undefined {
  const { acr: found, auth_time: time } = claims
  if (acr.length > 0 && found !== undefined && typeof found !== 'string')
    return refusals.invalid_claims
  if (maxAge === undefined || time === undefined) return undefined
  const isPast = isTime(time) && time - clockToleranceOf(issuer) <= clock() / 1000
  return isPast ? undefined : refusals.invalid_claims
}

/**
 * Whether the user signed in as demanded (RFC 9470 section 3). A claim that is absent meets nothing. The age counts in
 * whole seconds, as `auth_time` does; no tolerance is added to what the route allows.
 */
export function isAuthenticated(
  { acr, maxAge }: Authentication,
  { claims }: Principal,
  { clock }: Surroundings
): boolean {
  const { acr: found, auth_time: time } = claims
  if (acr.length > 0 && !(typeof found === 'string' && acr.includes(found))) return false
  return maxAge === undefined || (isTime(time) && time + maxAge >= Math.floor(clock() / 1000))
}

import { isTime } from './policy.ts'
import { type Refusal, refusals } from './refusal.ts'
import type { UnverifiedClaims } from './unverified.ts'

/**
 * Judges whether a token has the claims that RFC 9068 section 2.2 requires beyond those that are always looked at:
 * `client_id`, `iat` and `jti`, each of its type.
 * @returns the refusal, or undefined
 */
export function judgeStrictClaims({ client_id, iat, jti }: UnverifiedClaims): Refusal | undefined {
  return isText(client_id) && isTime(iat) && isText(jti) ? undefined : refusals.invalid_claims
}

function isText(value: unknown): boolean {
  return typeof value === 'string' && value !== ''
}

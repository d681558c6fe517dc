import type { TokenPolicy } from '../token/policy.ts'
import { readRequiredClaims, type RequiredClaims } from '../token/required-claims.ts'
import { type IdTokenMark, idTokenMarks } from '../token/token-type.ts'
import { check } from '../config/option-check.ts'

/** Claims that may name this API's audience: `aud`, or where providers name the client. */
export const audienceClaims = ['aud', 'client_id', 'azp', 'cid', 'appid'] as const

/** The claim that must name an audience of this API where a token has no `aud`. */
export type AudienceClaim = (typeof audienceClaims)[number]

export interface TokenMarkOptions {
  readonly issuer: string
  readonly audienceClaim?: AudienceClaim | undefined
  readonly requiredClaims?: RequiredClaims | readonly RequiredClaims[] | undefined
  readonly idTokenMarks?: readonly IdTokenMark[] | undefined
}

/**
 * Checks what is said of the marks by which an issuer's access tokens are told from its other tokens.
 * @throws {TypeError} that names setting and issuer, what was found and what is allowed
 */
export function readTokenMarks({
  issuer,
  audienceClaim = 'aud',
  requiredClaims,
  idTokenMarks: marks = idTokenMarks
}: TokenMarkOptions): Pick<TokenPolicy, 'audienceClaim' | 'requiredClaims' | 'idTokenMarks'> {
  const isAudienceClaim = audienceClaims.includes(audienceClaim)
  check(isAudienceClaim, `audienceClaim of ${issuer}`, audienceClaim, audienceClaims.join(', '))
  const isList = Array.isArray(marks) && marks.every((mark) => idTokenMarks.includes(mark))
  check(isList, `idTokenMarks of ${issuer}`, marks, `a list of ${idTokenMarks.join(', ')}`)
  const isSafe = requiredClaims !== undefined || idTokenMarks.every((mark) => marks.includes(mark))
  const instead = `${idTokenMarks.join(' and ')}; fewer only beside requiredClaims`
  check(isSafe, `idTokenMarks of ${issuer}`, marks, instead)
  const required = requiredClaims === undefined ? [] : readRequiredClaims(requiredClaims)
  const allowed = 'claims with their values, such as { "token_use": "access" }, or a list of such'
  check(required !== undefined, `requiredClaims of ${issuer}`, requiredClaims, allowed)
  return { audienceClaim, requiredClaims: required, idTokenMarks: marks }
}

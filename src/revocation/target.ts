import { ProblemError } from '../http/problem.ts'
import type { TrustedIssuers } from '../issuer/trusted-issuers.ts'
import { everyIssuer, isMarkValue, type Mark, maxValueLength } from './mark.ts'

/** Which access tokens are revoked; all but `issuedBefore` means those issued up to now. */
export type RevocationTarget =
  | { readonly jti: string; readonly issuer?: string | undefined }
  | { readonly subject: string; readonly issuer: string }
  | { readonly session: string; readonly issuer: string }
  | { readonly client: string; readonly issuer: string }
  /** All tokens, or all of an issuer, that were issued up to that second. */
  | { readonly issuedBefore: Date; readonly issuer?: string | undefined }

const kinds = {
  jti: 'token',
  subject: 'subject',
  session: 'session',
  client: 'client'
} as const satisfies Readonly<Record<string, Mark['kind']>>

/**
 * The mark of a target. Where it is about tokens issued up to now, those count as well that the clock of their issuer,
 * by as much as the two may differ, seems to have issued later.
 * @param now seconds since the epoch
 * @throws {ProblemError} `validation-failed`
 */
export function markOf(target: RevocationTarget, issuers: TrustedIssuers, now: number): Mark {
  const { issuer = everyIssuer } = target
  if (issuer !== everyIssuer && issuers.get(issuer) === undefined)
    throw wrong('issuer', 'is not trusted here')
  if ('issuedBefore' in target) return markOfAll(issuer, target.issuedBefore, now)
  for (const [name, kind] of Object.entries(kinds)) {
    const value: unknown = (target as Readonly<Record<string, unknown>>)[name]
    if (value === undefined) continue
    if (!isMarkValue(value)) throw wrong(name, `is not a text of 1 to ${maxValueLength} characters`)
    if (kind !== 'token' && issuer === everyIssuer) throw wrong('issuer', `is needed with ${name}`)
    const tolerance = issuers.get(issuer)?.policy.clockTolerance ?? 0
    return { kind, issuer, value, issuedUntil: Math.floor(now + tolerance) }
  }
  throw wrong('', 'has none of jti, subject, session, client, issuedBefore')
}

function markOfAll(issuer: string, time: Date, now: number): Mark {
  const seconds = time.getTime() / 1000
  // or nobody could get in until then, and no later mark could take that back
  if (!(seconds <= now)) throw wrong('issuedBefore', 'is not a time of the past')
  return { kind: 'all', issuer, value: '', issuedUntil: Math.floor(seconds) }
}

function wrong(name: string, fault: string): ProblemError {
  const detail = `${name === '' ? 'The target' : name} ${fault}.`
  const pointer = name === '' ? '' : `/${name}`
  return new ProblemError('validation-failed', { detail, errors: [{ detail, pointer }] })
}

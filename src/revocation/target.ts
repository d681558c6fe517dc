import { ProblemError } from '../http/problem.ts'
import { isIdentifierUrl } from '../issuer/identifier-url.ts'
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

/** Seconds by which the clock of an issuer may differ at most. */
const maxTolerance = 300
/** Seconds for an issuer that is not at hand. */
const usualTolerance = 5

/**
 * The mark of a target. Where it is about tokens issued up to now, those count as well that the clock of their issuer,
 * by as much as the two may differ, seems to have issued later.
 * @param now seconds since the epoch
 * @throws {ProblemError} `validation-failed`
 */
export function markOf(target: RevocationTarget, issuers: TrustedIssuers, now: number): Mark {
  const { issuer = everyIssuer } = target
  const isKnown = issuer === everyIssuer || issuers.get(issuer) !== undefined
  // one that is resolved at run time may be at hand in another instance only
  if (!isKnown && !(issuers.isOpen && isIdentifierUrl(issuer)))
    throw wrong('issuer', 'is not trusted here')
  if ('issuedBefore' in target) return markOfAll(issuer, target.issuedBefore, now)
  for (const [name, kind] of Object.entries(kinds)) {
    const value: unknown = (target as Readonly<Record<string, unknown>>)[name]
    if (value === undefined) continue
    if (!isMarkValue(value)) throw wrong(name, `is not a text of 1 to ${maxValueLength} characters`)
    if (kind !== 'token' && issuer === everyIssuer) throw wrong('issuer', `is needed with ${name}`)
    // a mark on a token must reach as far as any that exists, or one on all tokens would take its place and cover less
    const tolerance =
      kind === 'token'
        ? maxTolerance
        : (issuers.get(issuer)?.policy.clockTolerance ?? usualTolerance)
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

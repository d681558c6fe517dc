import type { TrustedIssuer } from '../issuer/trusted-issuer.ts'
import type { TrustedIssuers } from '../issuer/trusted-issuers.ts'
import { isTime } from '../token/policy.ts'
import type { EventStream } from './event-stream.ts'
import { marksOfSession } from './logout-token.ts'
import { isMarkValue, type Mark } from './mark.ts'
import { checkStatement, expect, readStatement, verifyStatement } from './statement.ts'
import { isObject } from '../json/object.ts'
import { namesOneOf } from '../token/audience.ts'

const sessionRevoked = 'https://schemas.openid.net/secevent/caep/event-type/session-revoked'

/** What a security event says. */
export interface SecurityEvent {
  /** The issuer whose stream it came on. */
  readonly issuer: string
  /** The URIs of what happened. */
  readonly types: readonly string[]
  /** Marks on the access tokens that it ends; none for an event that ends no session, or is not understood. */
  readonly marks: readonly Mark[]
}

/**
 * Verifies a security event token (RFC 8417; Shared Signals Framework 1.0 section 4.1) from the stream of an issuer
 * with the option `securityEvents`. Only session-revoked (CAEP 1.0 section 3.1) has an effect; one that came before
 * has the same marks again.
 * @param now seconds since the epoch
 * @throws {StatementRefusedError}
 * @throws {ProblemError} `issuer-unavailable`
 */
export async function readSecurityEvent(
  text: string,
  issuers: TrustedIssuers,
  now: number
): Promise<SecurityEvent> {
  const statement = readStatement(text)
  const { type, claims } = statement
  const { iss, aud, sub, exp, events } = claims
  expect(type === 'secevent+jwt', 'Its type is not secevent+jwt')
  expect(sub === undefined && exp === undefined, 'It has a sub or an exp')
  const streams = [...issuers.values()].filter(
    ({ revocation }) => revocation.events?.issuer === iss
  )
  expect(streams.length > 0, 'Its issuer has no stream here', 'invalid_issuer')
  const issuer = streams.find(({ revocation }) => isFor(revocation.events, aud))
  const stream = issuer?.revocation.events
  const isForUs = issuer !== undefined && stream !== undefined
  expect(isForUs, 'It is for another audience', 'invalid_audience')
  const { algorithms, clockTolerance } = issuer.policy
  const issuedAt = checkStatement(claims, now + clockTolerance)
  expect(isObject(events) && Object.keys(events).length > 0, 'It has no events')
  await verifyStatement(statement, { algorithms, keySet: stream.keySet ?? issuer.keySet })
  const marks = marksOfEvent(events[sessionRevoked], claims['sub_id'], { issuer, stream, issuedAt })
  return { issuer: issuer.policy.issuer, types: Object.keys(events), marks }
}

function isFor(stream: EventStream | undefined, aud: unknown): boolean {
  return stream !== undefined && namesOneOf(stream.audiences, aud)
}

interface EventContext {
  readonly issuer: TrustedIssuer
  readonly stream: EventStream
  /** Seconds since the epoch. */
  readonly issuedAt: number
}

function marksOfEvent(
  event: unknown,
  subject: unknown,
  { issuer: { policy }, stream, issuedAt }: EventContext
): readonly Mark[] {
  if (event === undefined) return []
  expect(isObject(event), 'Its event is malformed')
  const { event_timestamp: time = issuedAt } = event
  // what has not happened yet would end tokens that are still to be issued
  const hasHappened = isTime(time) && time <= issuedAt + policy.clockTolerance
  expect(hasHappened, 'Its event_timestamp is malformed or in the future')
  const named = subjectOf(subject, policy.issuer, stream)
  return named === undefined
    ? []
    : marksOfSession({ issuer: policy.issuer, ...named, issuedUntil: Math.floor(time) })
}

interface NamedSubject {
  readonly subject: string | undefined
  readonly session: string | undefined
}

/**
 * Whom a subject identifier names (RFC 9493; Shared Signals Framework section 3): a user as `iss_sub`, a session as
 * `opaque`, or both in a complex subject. Of that, what is not understood is left aside, unless the stream calls it
 * critical: the sessions of a user on some device are then ended with all the others of that user.
 * @returns undefined if it names nobody here
 */
function subjectOf(
  identifier: unknown,
  issuer: string,
  { criticalMembers }: EventStream
): NamedSubject | undefined {
  if (!isObject(identifier)) return undefined
  const isComplex = identifier['format'] === 'complex'
  if (isComplex && criticalMembers.some((name) => name in identifier)) return undefined
  const { user, session } = isComplex ? identifier : { user: identifier, session: identifier }
  const subject = userOf(user)
  if (subject !== undefined && subject.iss !== issuer) return undefined
  const named = { subject: subject?.sub, session: sessionOf(session) }
  return named.subject === undefined && named.session === undefined ? undefined : named
}

function userOf(identifier: unknown): { iss: unknown; sub: string } | undefined {
  if (!isObject(identifier) || identifier['format'] !== 'iss_sub') return undefined
  const { iss, sub } = identifier
  return isMarkValue(sub) ? { iss, sub } : undefined
}

function sessionOf(identifier: unknown): string | undefined {
  if (!isObject(identifier) || identifier['format'] !== 'opaque') return undefined
  const { id } = identifier
  return isMarkValue(id) ? id : undefined
}

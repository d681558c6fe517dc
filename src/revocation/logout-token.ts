import type { TrustedIssuer } from '../issuer/trusted-issuer.ts'
import type { TrustedIssuers } from '../issuer/trusted-issuers.ts'
import { isMarkValue, type Mark } from './mark.ts'
import {
  checkStatement,
  expect,
  readStatement,
  type Statement,
  verifyStatement
} from './statement.ts'
import { isObject } from '../json/object.ts'
import { issuerUnavailable } from '../issuer/upstream-problem.ts'
import { namesOneOf } from '../token/audience.ts'
import { IssuerUnavailable } from '../token/verdict.ts'

const logoutEvent = 'http://schemas.openid.net/event/backchannel-logout'

/** `JWT` says nothing, and some providers set it on whatever they sign. */
const acceptedTypes: ReadonlySet<unknown> = new Set([undefined, 'logout+jwt', 'jwt'])

/**
 * Verifies a logout token (OpenID Connect Back-Channel Logout 1.0 section 2.6) with the keys of its issuer, which must
 * be one with the option `backchannelLogout`. A `jti` that was seen before is not refused: its marks are there already.
 * @param now seconds since the epoch
 * @returns marks on the access tokens that end with the session
 * @throws {StatementRefusedError}
 * @throws {ProblemError} `issuer-unavailable`
 */
export async function readLogoutToken(
  text: string,
  issuers: TrustedIssuers,
  now: number
): Promise<readonly Mark[]> {
  const statement = readStatement(text)
  const issuer = await findIssuer(issuers, statement.claims['iss'])
  const clientIds = issuer?.revocation.logoutClientIds
  expect(
    issuer !== undefined && clientIds !== undefined,
    'Its issuer is not one that ends sessions here',
    'invalid_issuer'
  )
  const issuedUntil = checkLogoutToken(statement, clientIds, issuer, now)
  const { algorithms, issuer: signer } = issuer.policy
  await verifyStatement(statement, { algorithms, keySet: issuer.keySet, signer })
  const { sub, sid } = statement.claims
  return marksOfSession({ issuer: issuer.policy.issuer, subject: sub, session: sid, issuedUntil })
}

/** Finds one that is resolved at run time as well: other instances may have accepted its tokens. */
async function findIssuer(
  issuers: TrustedIssuers,
  iss: unknown
): Promise<TrustedIssuer | undefined> {
  const found = issuers.get(iss) ?? (await issuers.resolve(iss))
  if (found instanceof IssuerUnavailable) throw issuerUnavailable(found.retryAfterSeconds)
  return found
}

function checkLogoutToken(
  { type, claims }: Statement,
  clientIds: ReadonlySet<string>,
  { policy }: TrustedIssuer,
  now: number
): number {
  const { aud, exp, sub, sid, events, nonce } = claims
  expect(acceptedTypes.has(type), 'Its type is not that of a logout token')
  expect(namesOneOf(clientIds, aud), 'It is for another client', 'invalid_audience')
  const issuedAt = checkStatement(claims, now + policy.clockTolerance)
  const isLive = typeof exp === 'number' && exp + policy.clockTolerance > now
  expect(isLive, 'Its exp is missing, malformed or over')
  expect(isObject(events) && isObject(events[logoutEvent]), 'It has no logout event')
  expect(nonce === undefined, 'It has a nonce')
  expect(sub !== undefined || sid !== undefined, 'It has neither sub nor sid')
  for (const value of [sub, sid])
    expect(value === undefined || isMarkValue(value), 'Its sub or sid is malformed')
  return issuedAt
}

/** Whose tokens end; both members were checked. */
interface Session {
  readonly issuer: string
  readonly subject: unknown
  readonly session: unknown
  readonly issuedUntil: number
}

/**
 * Marks on the tokens of a session, or of a subject if no session is named. Tokens without `sid` may be of any session
 * of their subject, so that each of its sessions ends them.
 */
export function marksOfSession({ issuer, subject, session, issuedUntil }: Session): Mark[] {
  const mark = (kind: Mark['kind'], value: unknown): Mark[] =>
    typeof value === 'string' ? [{ kind, issuer, value, issuedUntil }] : []
  if (session === undefined) return mark('subject', subject)
  return [...mark('session', session), ...mark('sessionless', subject)]
}

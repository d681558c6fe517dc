import type { UnverifiedClaims } from '../token/unverified.ts'
import { expect, readSignedAnswer, type SignedAnswerContext } from './signed-answer.ts'
import { isObject } from '../json/object.ts'
import { namesOneOf } from '../token/audience.ts'

/** Media type of signed answers (RFC 9701 section 4); without `application/` the `typ` of their header. */
export const signedAnswerType = 'application/token-introspection+jwt'

export interface SignedIntrospectionContext extends SignedAnswerContext {
  /** The other name of this API: that of a client. */
  readonly clientId: string
}

/** Seconds that an answer may have taken: it is made for one request. */
const maxAge = 60

const what = 'the signed introspection answer'

/**
 * Verifies a signed introspection answer (RFC 9701 section 5) of at most 16 KiB. Only what stands in
 * `token_introspection` says something of the token.
 * @throws {IssuerFaultError} with the first check that failed
 */
export async function verifySignedAnswer(
  answer: string,
  context: SignedIntrospectionContext
): Promise<Readonly<Record<string, unknown>>> {
  const claims = await readSignedAnswer(answer, { what, type: 'token-introspection+jwt' }, context)
  checkClaims(claims, context)
  const { token_introspection: content } = claims
  expect(isObject(content), what, 'token_introspection')
  return content
}

function checkClaims(
  { iss, aud, iat }: UnverifiedClaims,
  { policy, clientId, clock }: SignedIntrospectionContext
): void {
  const { issuer, audiences, clockTolerance } = policy
  const now = clock() / 1000
  expect(iss === issuer, what, 'iss')
  expect(namesOneOf(new Set([clientId, ...audiences]), aud), what, 'aud')
  const isRecent =
    typeof iat === 'number' && iat <= now + clockTolerance && iat + maxAge + clockTolerance >= now
  expect(isRecent, what, 'iat')
}

import { isTime } from '../token/policy.ts'
import { deepFreeze } from '../token/principal.ts'
import type { UnverifiedClaims } from '../token/unverified.ts'
import type { BoundedResponse } from './bounded-fetch.ts'
import type { Decryption } from './decryption.ts'
import { IssuerFaultError } from './issuer-fault.ts'
import { isDeeper, maxDepth } from '../json/nesting.ts'
import { expect, openAnswer, readSignedAnswer, type SignedAnswerContext } from './signed-answer.ts'
import { namesOneOf } from '../token/audience.ts'
import { mediaTypeOf, parseJsonObject } from './response.ts'

/** The claims of a UserInfo answer (OpenID Connect Core 1.0 section 5.3.2), as the issuer sent them; deeply frozen. */
export type UserInfoClaims = Readonly<Record<string, unknown>> & { readonly sub: string }

export interface UserInfoAnswerContext extends SignedAnswerContext {
  /** Reads encrypted answers; undefined if none can be read. */
  readonly decrypt: Decryption | undefined
}

/** Whom an answer must be about, and for. */
export interface UserInfoAddressee {
  /** The token's own issuer: of the tenants that share a provider, one. */
  readonly issuer: string
  readonly subject: string
  /** The clients that a signed answer may be addressed to. */
  readonly clients: readonly string[]
}

const what = 'the UserInfo answer'

/**
 * Reads a 200 answer (Core section 5.3.2): JSON, or a JWT that is signed, encrypted, or signed and then encrypted. Nothing
 * of it is used unless it is about the token's own subject. A signature that is there is checked, with `iss`, `aud` and times.
 * @throws {IssuerFaultError} with the first check that failed
 */
export async function readUserInfoAnswer(
  response: BoundedResponse,
  addressee: UserInfoAddressee,
  context: UserInfoAnswerContext
): Promise<UserInfoClaims> {
  const claims = await contentOf(response, addressee, context)
  if (isDeeper(claims, maxDepth)) throw new IssuerFaultError(what, 'is nested too deep')
  if (claims['sub'] !== addressee.subject)
    throw new IssuerFaultError(what, 'is about another subject')
  return deepFreeze(claims as UserInfoClaims)
}

async function contentOf(
  response: BoundedResponse,
  addressee: UserInfoAddressee,
  context: UserInfoAnswerContext
): Promise<UnverifiedClaims> {
  const mediaType = mediaTypeOf(response)
  if (mediaType === 'application/json') return parseJsonObject(response, what)
  if (mediaType !== 'application/jwt') throw new IssuerFaultError(what, 'is neither JSON nor a JWT')
  const answer = response.body.toString('latin1').trim()
  const content = await openAnswer(answer, what, context.decrypt)
  // encrypted only: as authentic as plain JSON is, by the connection it came over
  const isOnlyEncrypted = content !== answer && content.startsWith('{')
  return isOnlyEncrypted
    ? parseJsonObject({ ...response, body: Buffer.from(content) }, what)
    : verifySigned(content, addressee, context)
}

async function verifySigned(
  answer: string,
  { issuer, clients }: UserInfoAddressee,
  context: SignedAnswerContext
): Promise<UnverifiedClaims> {
  const expected = { what, type: 'jwt', typeIfAbsent: 'jwt', signer: issuer }
  const signed = await readSignedAnswer(answer, expected, context)
  const { iss, aud, exp, nbf, iat: _iat, jti: _jti, ...claims } = signed
  const { clockTolerance } = context.policy
  const now = context.clock() / 1000
  expect(iss === issuer, what, 'iss')
  expect(namesOneOf(new Set(clients), aud), what, 'aud')
  expect(exp === undefined || (isTime(exp) && exp + clockTolerance > now), what, 'exp')
  expect(nbf === undefined || (isTime(nbf) && nbf - clockTolerance <= now), what, 'nbf')
  return claims
}

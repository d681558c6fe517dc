import { orLate } from '../issuer/deadline.ts'
import { findKey } from '../issuer/find-key.ts'
import type { KeySet } from '../issuer/key-set.ts'
import { type Algorithm, isAlgorithm } from '../token/algorithms.ts'
import { isTime } from '../token/policy.ts'
import { Refusal } from '../token/refusal.ts'
import { normalizedType } from '../token/token-type.ts'
import { decodeClaims, isKeyId, splitToken, type UnverifiedClaims } from '../token/unverified.ts'
import { issuerUnavailable } from '../issuer/upstream-problem.ts'

/** What is wrong with a statement, in the words of RFC 8935 section 2.4. */
export type StatementFault =
  | 'invalid_request'
  | 'invalid_key'
  | 'invalid_issuer'
  | 'invalid_audience'

/** A logout token or security event that is not believed. The message is for whoever sent it. */
export class StatementRefusedError extends Error {
  override readonly name = 'StatementRefusedError'
  readonly fault: StatementFault

  constructor(fault: StatementFault, message: string) {
    super(message)
    this.fault = fault
  }
}

/** A signed JWT by which an issuer tells something, as it came: nothing in it is to be believed yet. */
export interface Statement {
  readonly text: string
  readonly algorithm: Algorithm
  readonly keyId: string | undefined
  /** The `typ`, normalized; undefined if there is none. */
  readonly type: string | undefined
  readonly claims: UnverifiedClaims
}

/**
 * Reads a compact JWS of at most 16 KiB (RFC 7515 section 7.1) with claims in it; unlike an access token it may leave
 * out its `typ`.
 * @throws {StatementRefusedError}
 */
export function readStatement(text: string): Statement {
  const segments = readable(splitToken(text))
  const { alg, kid, typ, crit, b64 } = readable(decodeClaims(segments.header))
  const claims = readable(decodeClaims(segments.claims))
  expect(isAlgorithm(alg), 'Its signing algorithm is not accepted')
  expect(crit === undefined && b64 === undefined, 'It demands a header extension')
  expect(kid === undefined || isKeyId(kid), 'Its key id is malformed')
  expect(typ === undefined || typeof typ === 'string', 'Its type is malformed')
  const type = typ === undefined ? undefined : normalizedType(typ)
  return { text, algorithm: alg, keyId: kid, type, claims }
}

/** Whose keys a statement may be signed with. */
export interface StatementKeys {
  readonly algorithms: ReadonlySet<Algorithm>
  readonly keySet: KeySet
  /** Whom the key must sign for, where tenants share the set; default: the set's own issuer. */
  readonly signer?: string | undefined
}

/**
 * Checks the signature with a key of the issuer, which is asked for new ones if need be.
 * @throws {StatementRefusedError} `invalid_key`
 * @throws {ProblemError} `issuer-unavailable` if its keys can not be had now
 */
export async function verifyStatement(
  { text, algorithm, keyId }: Statement,
  { algorithms, keySet, signer }: StatementKeys
): Promise<void> {
  expect(algorithms.has(algorithm), 'Its signing algorithm is not accepted')
  const key = await orLate(findKey(keySet, { algorithm, keyId }, signer))
  if (key === 'late' || (key === undefined && keySet.isFailing))
    throw issuerUnavailable(keySet.retryAfterSeconds)
  expect(key?.verify(text, algorithm) === true, 'Its signature is invalid', 'invalid_key')
}

/** Checks what both kinds of statements have in common: the id, and the time they were made. */
export function checkStatement({ jti, iat }: UnverifiedClaims, latest: number): number {
  expect(typeof jti === 'string' && jti !== '', 'Its jti is missing or malformed')
  expect(isTime(iat) && iat <= latest, 'Its iat is missing, malformed or in the future')
  return Math.floor(iat)
}

/** @throws {StatementRefusedError} unless the condition holds */
export function expect(
  condition: boolean,
  message: string,
  fault: StatementFault = 'invalid_request'
): asserts condition {
  if (!condition) throw new StatementRefusedError(fault, message)
}

function readable<Part>(part: Part | Refusal): Part {
  if (part instanceof Refusal) throw new StatementRefusedError('invalid_request', 'It is no JWT')
  return part
}

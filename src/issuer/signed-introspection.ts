import type { TokenPolicy } from '../token/policy.ts'
import { Refusal } from '../token/refusal.ts'
import {
  decodeClaims,
  decodeHeader,
  splitToken,
  type UnverifiedClaims,
  type UnverifiedHeader
} from '../token/unverified.ts'
import { IssuerFaultError } from './issuer-fault.ts'
import type { KeySet } from './key-set.ts'

/** Media type of signed answers (RFC 9701 section 4); without `application/` the `typ` of their header. */
export const signedAnswerType = 'application/token-introspection+jwt'

export interface SignedAnswerContext {
  /** The issuer, its algorithms, and the audiences that this API goes by. */
  readonly policy: TokenPolicy
  readonly keySet: KeySet
  /** The other name of this API: that of a client. */
  readonly clientId: string
  /** Milliseconds since the epoch. */
  readonly clock: () => number
}

/** Seconds that an answer may have taken: it is made for one request. */
const maxAge = 60

/**
 * Verifies a signed introspection answer (RFC 9701 section 5) of at most 16 KiB. Only what stands in
 * `token_introspection` says something of the token.
 * @throws {IssuerFaultError} with the first check that failed
 */
export async function verifySignedAnswer(
  answer: string,
  context: SignedAnswerContext
): Promise<Readonly<Record<string, unknown>>> {
  const segments = readable(splitToken(answer))
  const header = readable(decodeHeader(segments.header))
  const claims = readable(decodeClaims(segments.claims))
  expect(`application/${header.type}` === signedAnswerType, 'typ')
  expect(context.policy.algorithms.has(header.algorithm), 'alg')
  checkClaims(claims, context)
  const key = await findKey(header, context.keySet)
  expect(key?.verify(answer, header.algorithm) === true, 'signature')
  const { token_introspection: content } = claims
  expect(isObject(content), 'token_introspection')
  return content
}

function checkClaims(
  { iss, aud, iat }: UnverifiedClaims,
  { policy, clientId, clock }: SignedAnswerContext
): void {
  const { issuer, audiences, clockTolerance } = policy
  const now = clock() / 1000
  const isUs = (name: unknown) => name === clientId || audiences.has(name as string)
  expect(iss === issuer, 'iss')
  expect(Array.isArray(aud) ? aud.some(isUs) : isUs(aud), 'aud')
  const isRecent =
    typeof iat === 'number' && iat <= now + clockTolerance && iat + maxAge + clockTolerance >= now
  expect(isRecent, 'iat')
}

async function findKey({ algorithm, keyId }: UnverifiedHeader, keySet: KeySet) {
  const key = keySet.find(algorithm, keyId)
  if (key !== undefined) return key
  await keySet.refreshForUnknownKey()
  return keySet.find(algorithm, keyId)
}

function readable<Part>(part: Part | Refusal): Part {
  if (part instanceof Refusal) throw fault(`can not be read: ${part.reason}`)
  return part
}

function expect(condition: boolean, name: string): asserts condition {
  if (!condition) throw fault(`has another ${name} than it must have`)
}

function fault(text: string): IssuerFaultError {
  return new IssuerFaultError('the signed introspection answer', text)
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

import type { TokenPolicy } from '../token/policy.ts'
import { Refusal } from '../token/refusal.ts'
import {
  decodeClaims,
  decodeHeader,
  splitToken,
  type UnverifiedClaims
} from '../token/unverified.ts'
import type { Decryption } from './decryption.ts'
import { IssuerFaultError } from './issuer-fault.ts'
import { orLate } from './deadline.ts'
import { findKey } from './find-key.ts'
import type { KeySet } from './key-set.ts'

export interface SignedAnswerContext {
  /** The issuer, its algorithms, and the audiences that this API goes by. */
  readonly policy: TokenPolicy
  readonly keySet: KeySet
  /** Milliseconds since the epoch. */
  readonly clock: () => number
}

/** What an answer must be, besides signed by its issuer. */
export interface ExpectedAnswer {
  /** Names the answer in errors. */
  readonly what: string
  /** The `typ` of its header, in lower case and without `application/`. */
  readonly type: string
  /** The type of an answer whose header names none; undefined if it has to. */
  readonly typeIfAbsent?: string
  /** Whom its key must sign for, where tenants share the set. Default: the set's own issuer. */
  readonly signer?: string
}

/**
 * Verifies the signature of an answer that an issuer signed as a compact JWS of at most 16 KiB, with the issuer's own
 * keys and algorithms (RFC 8725). Judges no claim.
 * @throws {IssuerFaultError} with the first check that failed
 */
export async function readSignedAnswer(
  answer: string,
  { what, type, typeIfAbsent, signer }: ExpectedAnswer,
  { policy, keySet }: SignedAnswerContext
): Promise<UnverifiedClaims> {
  const segments = readable(splitToken(answer), what)
  const header = readable(decodeHeader(segments.header, typeIfAbsent), what)
  const claims = readable(decodeClaims(segments.claims), what)
  expect(header.type === type, what, 'typ')
  expect(policy.algorithms.has(header.algorithm), what, 'alg')
  const key = await orLate(findKey(keySet, header, signer))
  if (key === 'late') throw new IssuerFaultError(what, 'waits for keys that do not come')
  expect(key?.verify(answer, header.algorithm) === true, what, 'signature')
  return claims
}

/**
 * Takes the encryption off an answer, if it has one: a compact JWE has five parts (RFC 7516 section 7.1).
 * @throws {IssuerFaultError} if there is no key for it
 */
export async function openAnswer(
  answer: string,
  what: string,
  decrypt: Decryption | undefined
): Promise<string> {
  if (answer.split('.').length !== 5) return answer
  if (decrypt === undefined) {
    throw new IssuerFaultError(what, 'is encrypted, and the issuer has no setting decryption')
  }
  const content = await decrypt(answer)
  if (content !== undefined) return content
  throw new IssuerFaultError(what, 'can not be decrypted with the key of this API')
}

/** @throws {IssuerFaultError} that names the member of the answer which is not as it must be */
export function expect(condition: boolean, what: string, name: string): asserts condition {
  if (!condition) throw new IssuerFaultError(what, `has another ${name} than it must have`)
}

function readable<Part>(part: Part | Refusal, what: string): Part {
  if (part instanceof Refusal) throw new IssuerFaultError(what, `can not be read: ${part.reason}`)
  return part
}

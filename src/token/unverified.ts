import { isUtf8 } from 'node:buffer'
import { isAlgorithm, type Algorithm } from './algorithms.ts'
import { decodeBase64url } from './base64url.ts'
import { type Refusal, refusals } from './refusal.ts'
import { normalizedType, noType } from './token-type.ts'
import { isObject } from '../json/object.ts'

/** Longest token that is looked at, in characters; Node itself accepts 16 KiB of header fields in all. */
export const maxTokenLength = 16_384

/** Longest key id that is looked at, in characters. */
const maxKeyIdLength = 256

/** The protected header of an access token, checked for form. Nothing in it is to be believed yet. */
export interface UnverifiedHeader {
  readonly algorithm: Algorithm
  readonly keyId: string | undefined
  /** The `typ` in lower case and without `application/`; {@link noType} if there is none. */
  readonly type: string
}

/** Claims whose signature was not checked yet. */
export type UnverifiedClaims = Readonly<Record<string, unknown>>

/** Where the three parts of a compact JWS meet. */
export interface Segments {
  readonly header: string
  readonly claims: string
}

const scratch = Buffer.allocUnsafeSlow(maxTokenLength)

/**
 * Cuts a compact JWS (RFC 7515 section 7.1) into its encoded header and claims.
 * Does not check the alphabet: that is done where a part is decoded. Checks the length, because decoders drop a character
 * that is left over (RFC 4648 section 4).
 */
export function splitToken(token: string): Segments | Refusal {
  if (token.length > maxTokenLength) return refusals.too_large
  const first = token.indexOf('.')
  const second = token.indexOf('.', first + 1)
  if (first < 1 || second <= first + 1 || token.indexOf('.', second + 1) !== -1) {
    return refusals.malformed
  }
  const isCutShort = (length: number) => length % 4 === 1
  if (
    isCutShort(first) ||
    isCutShort(second - first - 1) ||
    isCutShort(token.length - second - 1)
  ) {
    return refusals.malformed
  }
  return { header: token.slice(0, first), claims: token.slice(first + 1, second) }
}

/** Whether a text has the two dots of a compact JWS: then it is a JWT, or nothing; any other text is opaque. */
export function hasThreeParts(token: string): boolean {
  const first = token.indexOf('.')
  const second = token.indexOf('.', first + 1)
  return first !== -1 && second !== -1 && token.indexOf('.', second + 1) === -1
}

/**
 * Decodes and checks a protected header (RFC 7515 section 4): algorithm, key id, type; no critical or `b64`
 * extension (RFC 7797 section 7) and no nested token (RFC 7519 section 5.2). Header keys are never read.
 * @param typeIfAbsent the type of a header without `typ`; without it, such a header is refused
 */
export function decodeHeader(segment: string, typeIfAbsent?: string): UnverifiedHeader | Refusal {
  const header = decodeObject(segment)
  if (header === undefined) return refusals.malformed
  const { alg, kid, typ = typeIfAbsent, cty } = header
  if (!isAlgorithm(alg)) return refusals.unsupported_algorithm
  if ('crit' in header || 'b64' in header) return refusals.unsupported_header
  if (kid !== undefined && !isKeyId(kid)) return refusals.invalid_key_id
  if (typ !== undefined && typeof typ !== 'string') return refusals.wrong_type
  if (typeof cty === 'string' && normalizedType(cty) === 'jwt') return refusals.wrong_type
  return { algorithm: alg, keyId: kid, type: typ === undefined ? noType : normalizedType(typ) }
}

/** Decodes the claims: a UTF-8 JSON object (RFC 7519 section 7.2). */
export function decodeClaims(segment: string): UnverifiedClaims | Refusal {
  return decodeObject(segment) ?? refusals.malformed
}

/** Whether a value can name a key: text of 1 to 256 characters without lone surrogates. */
export function isKeyId(value: unknown): value is string {
  return (
    typeof value === 'string' &&
    value.length > 0 &&
    value.length <= maxKeyIdLength &&
    value.isWellFormed()
  )
}

function decodeObject(segment: string): Readonly<Record<string, unknown>> | undefined {
  const length = decodeBase64url(segment, scratch)
  if (length === undefined || !mayBeginObject(scratch[0])) return undefined
  const text = scratch.toString('utf8', 0, length)
  // it stands for octets that are no UTF-8, unless it was sent itself: only then they are looked at once more
  if (text.includes('\uFFFD') && !isUtf8(scratch.subarray(0, length))) return undefined
  try {
    const value: unknown = JSON.parse(text)
    return isObject(value) ? value : undefined
  } catch {
    return undefined
  }
}

/** A brace, or white space before one (RFC 8259 section 2): noise is told without making a text of it, which is slow. */
function mayBeginObject(octet: number | undefined): boolean {
  return octet === 0x7b || octet === 0x20 || octet === 0x09 || octet === 0x0a || octet === 0x0d
}

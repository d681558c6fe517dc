import { createPublicKey, type JsonWebKey, type KeyObject } from 'node:crypto'
import { type Algorithm, isAlgorithm, mlDsaAlgorithms } from '../token/algorithms.ts'
import { isKeyId } from '../token/unverified.ts'
import type { VerifyingKey } from '../token/verified-tokens.ts'

/** Tells whether the signature of a compact JWS is right. Never throws. */
export type SignatureCheck = (token: string, algorithm: Algorithm) => boolean

/** Makes the check of one public key, once, so that no request pays for it. */
export type SignatureCheckFactory = (key: PublicKey) => SignatureCheck

/** A public key of an issuer, checked and imported. */
export interface PublicKey {
  readonly keyId: string | undefined
  /** Whose tokens the JWK says it signs, as Entra's do; undefined for all that the set is for. */
  readonly issuer?: string | undefined
  /** The algorithms this key may verify: those of its type, or the one that the JWK names. */
  readonly algorithms: readonly Algorithm[]
  readonly keyObject: KeyObject
}

/** A public key that is ready to verify. */
export interface SigningKey extends VerifyingKey {
  readonly keyId: string | undefined
  /** As that of {@link PublicKey}. */
  readonly issuer?: string | undefined
  readonly algorithms: readonly Algorithm[]
  /** The key itself as SPKI, in base64: what makes two entries of a key set one and the same key. */
  readonly spki: string
  /** Checks a token whose header was not seen before: @fastify/jwt reads it once more, by rules of its own. */
  readonly verify: SignatureCheck
  /** Checks the signature alone, for a token whose very header {@link SigningKey.verify} has accepted before. */
  readonly verifySignature: SignatureCheck
  validUntil: number
}

/** Why an entry of a key set is not used; for the log. */
export class UnusableKeyError extends Error {
  override readonly name = 'UnusableKeyError'
}

const rsaAlgorithms: readonly Algorithm[] = ['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512']

/** By `kty` and `crv` or `alg`; what is not here never verifies anything (RFC 7518 3.4, RFC 8037 3, RFC 9964 3). */
const algorithmsByType: Readonly<Record<string, readonly Algorithm[]>> = {
  RSA: rsaAlgorithms,
  'EC P-256': ['ES256'],
  'EC P-384': ['ES384'],
  'EC P-521': ['ES512'],
  'OKP Ed25519': ['EdDSA', 'Ed25519'],
  ...Object.fromEntries(mlDsaAlgorithms.map((algorithm) => [`AKP ${algorithm}`, [algorithm]]))
}

/** Octets of a coordinate (RFC 7518 section 6.2.1.2). */
const coordinateLengths: Readonly<Record<string, number>> = {
  'P-256': 32,
  'P-384': 48,
  'P-521': 66
}

const secretMembers = ['d', 'p', 'q', 'dp', 'dq', 'qi', 'oth', 'k', 'priv'] as const

/**
 * Imports one entry of a key set for signature verification (RFC 7517 sections 4 and 5, RFC 7518 section 6).
 * @throws {UnusableKeyError} if the entry is no public signature key of a supported type and strength
 */
export function importJwk(jwk: unknown): PublicKey {
  if (typeof jwk !== 'object' || jwk === null) throw new UnusableKeyError('it is not an object')
  const members = jwk as Readonly<Record<string, unknown>>
  checkUse(members)
  const algorithms = algorithmsOf(members)
  const keyId = members['kid']
  if (keyId !== undefined && !isKeyId(keyId)) throw new UnusableKeyError('its kid is malformed')
  checkCoordinates(members)
  const issuer = members['issuer']
  if (issuer !== undefined && typeof issuer !== 'string')
    throw new UnusableKeyError('its issuer is malformed')
  return { keyId, issuer, algorithms, keyObject: importPublicKey(members) }
}

/** Whether a JWK holds more than a public key: members that nobody but its owner may see. */
export function isSecretKey(jwk: Readonly<Record<string, unknown>>): boolean {
  return secretMembers.some((name) => name in jwk)
}

function checkUse(jwk: Readonly<Record<string, unknown>>): void {
  if (isSecretKey(jwk)) throw new UnusableKeyError('it holds secret members')
  if (jwk['use'] !== undefined && jwk['use'] !== 'sig')
    throw new UnusableKeyError('its use is not sig')
  const operations = jwk['key_ops']
  if (operations !== undefined && !(Array.isArray(operations) && operations.includes('verify'))) {
    throw new UnusableKeyError('its key_ops lack verify')
  }
}

function algorithmsOf(jwk: Readonly<Record<string, unknown>>): readonly Algorithm[] {
  const { kty, alg } = jwk
  const type = typeOf(jwk)
  const fitting = Object.hasOwn(algorithmsByType, type) ? algorithmsByType[type] : undefined
  if (fitting === undefined) throw new UnusableKeyError('its type is not supported')
  if (alg === undefined) return fitting
  if (!isAlgorithm(alg) || !fitting.includes(alg))
    throw new UnusableKeyError('its alg does not fit its type')
  // RFC 9864 renamed EdDSA with this curve; both names mean the same signature
  return kty === 'OKP' ? fitting : [alg]
}

/** Only text names a type: an entry may hold an object there that can not even be written out. */
function typeOf({ kty, crv, alg }: Readonly<Record<string, unknown>>): string {
  if (kty === 'RSA') return kty
  const kind = kty === 'AKP' ? alg : crv
  return typeof kty === 'string' && typeof kind === 'string' ? `${kty} ${kind}` : ''
}

function checkCoordinates({ kty, crv, x, y }: Readonly<Record<string, unknown>>): void {
  if (kty !== 'EC') return
  const length = coordinateLengths[String(crv)]
  for (const coordinate of [x, y]) {
    if (typeof coordinate !== 'string' || Buffer.from(coordinate, 'base64url').length !== length) {
      throw new UnusableKeyError('a coordinate has the wrong length')
    }
  }
}

function importPublicKey(jwk: JsonWebKey): KeyObject {
  let key: KeyObject
  try {
    key = createPublicKey({ key: jwk, format: 'jwk' })
  } catch (cause) {
    throw new UnusableKeyError('it can not be imported', { cause })
  }
  const { modulusLength = 2048 } = key.asymmetricKeyDetails ?? {}
  // RFC 7518 section 3.3 sets the lower bound; above the upper one a verification takes milliseconds
  if (modulusLength < 2048 || modulusLength > 8192) {
    throw new UnusableKeyError('its modulus has less than 2048 or more than 8192 bits')
  }
  return key
}

import { constants, createHmac, generateKeyPairSync, sign } from 'node:crypto'
import type { KeyObject } from 'node:crypto'
import type { JWK } from 'jose'

/** A part of a token: bytes and text as they are, anything else as JSON. */
export type Part = Uint8Array | string | object | number | null

/** Makes a signature over the signing input (RFC 7515 section 5.1). */
export type Signer = (input: Uint8Array) => Uint8Array

/** Puts a compact token together without looking at anything (RFC 7515 section 7.1). */
export function rawToken(header: Part, payload: Part, signer: Signer): string {
  const input = `${encode(header)}.${encode(payload)}`
  return `${input}.${Buffer.from(signer(Buffer.from(input))).toString('base64url')}`
}

/** Encodes one part of a token as base64url. */
export function encode(part: Part): string {
  const plain = typeof part === 'string' || part instanceof Uint8Array
  return Buffer.from(plain ? part : JSON.stringify(part)).toString('base64url')
}

/**
 * Signs as `alg` says (RFC 7518 section 3, RFC 8037), with any key that node:crypto can bring to do it:
 * too short, of another curve, of another kind.
 */
export function signer(alg: string, key: KeyObject): Signer {
  const hash = key.asymmetricKeyType?.startsWith('ed') ? null : `sha${alg.slice(2)}`
  if (alg.startsWith('PS')) return pssSigner(alg, key, constants.RSA_PSS_SALTLEN_DIGEST)
  return (input) => sign(hash, input, { key, dsaEncoding: 'ieee-p1363' })
}

/** Signs PS* with a salt of that many bytes; RFC 7518 section 3.5 asks for the length of the hash. */
export function pssSigner(alg: string, key: KeyObject, saltLength: number): Signer {
  const padding = constants.RSA_PKCS1_PSS_PADDING
  return (input) => sign(`sha${alg.slice(2)}`, input, { key, padding, saltLength })
}

/** Signs ES* with the signature as DER, which is OpenSSL's form and not that of JWS. */
export function derSigner(alg: string, key: KeyObject): Signer {
  return (input) => sign(`sha${alg.slice(2)}`, input, { key, dsaEncoding: 'der' })
}

/** Signs HS256 with any secret, such as the text of a public key. */
export function hmacSigner(secret: string | Uint8Array): Signer {
  return (input) => createHmac('sha256', secret).update(input).digest()
}

/** Leaves the signature empty. */
export const unsigned: Signer = () => new Uint8Array()

/** A key that an issuer must not sign with, or can't. */
export interface WeakKey {
  /** The algorithm that it would be passed off as. */
  readonly alg: string
  /** As a careless issuer would publish it. */
  readonly publicJwk: JWK
  readonly privateKey: KeyObject
  /** Signs with it; for X25519, which has no signatures, with an Ed25519 key in its place. */
  readonly signer: Signer
}

/** Makes one key of each kind that must never verify a token (JWA-1, JWA-3, ED-2, ED-4); `kid` is the name. */
export function makeWeakKeys() {
  const { privateKey: ed25519 } = generateKeyPairSync('ed25519')
  const secp256k1 = generateKeyPairSync('ec', { namedCurve: 'secp256k1' })
  return {
    rsa1024: weakKey('rsa1024', 'RS256', generateKeyPairSync('rsa', { modulusLength: 1024 })),
    secp256k1: weakKey('secp256k1', 'ES256', secp256k1),
    ed448: weakKey('ed448', 'EdDSA', generateKeyPairSync('ed448')),
    x25519: weakKey('x25519', 'EdDSA', generateKeyPairSync('x25519'), ed25519)
  }
}

function weakKey(
  kid: string,
  alg: string,
  { publicKey, privateKey }: { publicKey: KeyObject; privateKey: KeyObject },
  signingKey = privateKey
): WeakKey {
  const publicJwk = { ...publicKey.export({ format: 'jwk' }), kid, alg, use: 'sig' } as JWK
  return { alg, publicJwk, privateKey, signer: signer(alg, signingKey) }
}

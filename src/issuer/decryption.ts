import { KeyObject } from 'node:crypto'
import { importPrivateKey } from './client-authentication.ts'
import { check, isListFrom, wrongOption } from '../config/option-check.ts'
import { readOptionFile } from '../config/option-file.ts'
import { isObject } from '../json/object.ts'

const rsaAlgorithms = ['RSA-OAEP-256', 'RSA-OAEP'] as const
const ecAlgorithms = ['ECDH-ES', 'ECDH-ES+A128KW', 'ECDH-ES+A256KW'] as const
const contentAlgorithms = ['A128GCM', 'A256GCM', 'A128CBC-HS256', 'A256CBC-HS512']

/** The key management algorithms that can be accepted (RFC 7518 section 4.1): never a symmetric one, nor RSA1_5. */
export const decryptionAlgorithms = [...rsaAlgorithms, ...ecAlgorithms]

/** How this API reads what an issuer encrypts to it: with exactly one key. */
export interface DecryptionOptions {
  /** Path of a file with the private key, as PEM or JWK; read once at the start. */
  readonly privateKeyFile?: string | undefined
  /** The private key itself: PEM, a JWK as text, or a key of `node:crypto`. */
  readonly privateKey?: string | KeyObject | undefined
  /** Accepted key management algorithms. Default: all that fit the key. */
  readonly algorithms?: readonly (typeof decryptionAlgorithms)[number][] | undefined
}

/** For the errors about the options, and how files are read. */
export interface DecryptionContext {
  /** Named in errors. */
  readonly issuer: string
  /** Default: Node's. @throws if it can not */
  readonly readFile?: ((path: string) => string) | undefined
}

/** Reads a compact JWE of at most 256 KiB. @returns its content; undefined if it was not made for this key */
export type Decryption = (jwe: string) => Promise<string | undefined>

const maxLength = 256 * 1024

/**
 * Prepares the decryption of compact JWEs (RFC 7516 section 5.2). What can be decrypted is by no means authentic: anybody
 * has the public key. Compressed content is refused, since its size is not known before it is there (RFC 8725bis 3.15).
 * @throws {TypeError} for a key that is missing or can not be used, and for algorithms that do not fit it
 */
export function createDecryption(
  options: DecryptionOptions,
  context: DecryptionContext = { issuer: 'the issuer' }
): Decryption {
  const name = `decryption of ${context.issuer}`
  check(isObject(options), name, options, 'an object with privateKeyFile or privateKey')
  const key = readKey(options, context)
  const keyManagementAlgorithms = algorithmsFor(key, options, context)
  const limits = { keyManagementAlgorithms, contentEncryptionAlgorithms: contentAlgorithms }

  return async (jwe) => {
    if (jwe.length > maxLength) return undefined
    const { compactDecrypt, decodeProtectedHeader, errors } = await import('jose')
    try {
      if ('zip' in decodeProtectedHeader(jwe)) return undefined
      const { plaintext } = await compactDecrypt(jwe, key, limits)
      return Buffer.from(plaintext).toString('utf8')
    } catch (cause) {
      const isItsFault = cause instanceof errors.JOSEError || cause instanceof TypeError
      if (isItsFault) return undefined
      throw cause
    }
  }
}

function readKey(
  { privateKeyFile, privateKey }: DecryptionOptions,
  { issuer, readFile }: DecryptionContext
): KeyObject {
  if ((privateKeyFile === undefined) === (privateKey === undefined)) {
    const found = privateKey === undefined ? 'no key' : 'two keys'
    throw wrongOption(`decryption of ${issuer}`, found, 'one of privateKeyFile, privateKey')
  }
  const name = `decryption.${privateKey === undefined ? 'privateKeyFile' : 'privateKey'} of ${issuer}`
  const given = privateKey ?? readOptionFile(name, String(privateKeyFile), readFile)
  const key = given instanceof KeyObject ? given : importPrivateKey(given)?.key
  if (key !== undefined && algorithmsOf(key).length > 0) return key
  throw wrongOption(
    name,
    'a key that is none or can not decrypt',
    'a private RSA key of 2048 bits or more, or an EC (P-256, P-384, P-521) or X25519 one, as PEM or JWK'
  )
}

const agreementCurves = new Set(['prime256v1', 'secp384r1', 'secp521r1'])

function algorithmsOf(key: KeyObject): readonly string[] {
  const { type, asymmetricKeyType, asymmetricKeyDetails } = key
  const { modulusLength = 0, namedCurve = '' } = asymmetricKeyDetails ?? {}
  if (type !== 'private') return []
  if (asymmetricKeyType === 'rsa') return modulusLength >= 2048 ? rsaAlgorithms : []
  if (asymmetricKeyType === 'x25519') return ecAlgorithms
  return asymmetricKeyType === 'ec' && agreementCurves.has(namedCurve) ? ecAlgorithms : []
}

function algorithmsFor(
  key: KeyObject,
  { algorithms }: DecryptionOptions,
  { issuer }: DecryptionContext
): string[] {
  const fitting = algorithmsOf(key)
  if (algorithms === undefined) return [...fitting]
  const name = `decryption.algorithms of ${issuer}`
  check(
    isListFrom(algorithms, fitting),
    name,
    algorithms,
    `with this key one or more of ${fitting.join(', ')}`
  )
  return [...algorithms]
}

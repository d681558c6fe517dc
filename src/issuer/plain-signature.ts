import { constants, type KeyObject, type SignKeyObjectInput, verify } from 'node:crypto'
import type { Algorithm } from '../token/algorithms.ts'
import { decodeBase64url } from '../token/base64url.ts'
import { maxTokenLength } from '../token/unverified.ts'
import type { SignatureCheck } from './signing-key.ts'

/** What node:crypto wants to hear of an algorithm. */
interface Parameters {
  /** null where the algorithm has a digest of its own. */
  readonly digest: string | null
  readonly options: Partial<SignKeyObjectInput>
}

const pkcs1 = { padding: constants.RSA_PKCS1_PADDING }
const pss = {
  padding: constants.RSA_PKCS1_PSS_PADDING,
  saltLength: constants.RSA_PSS_SALTLEN_DIGEST
}
const ecdsa = { dsaEncoding: 'ieee-p1363' } as const

const parametersOf: Readonly<Record<Algorithm, Parameters>> = {
  RS256: { digest: 'sha256', options: pkcs1 },
  RS384: { digest: 'sha384', options: pkcs1 },
  RS512: { digest: 'sha512', options: pkcs1 },
  PS256: { digest: 'sha256', options: pss },
  PS384: { digest: 'sha384', options: pss },
  PS512: { digest: 'sha512', options: pss },
  ES256: { digest: 'sha256', options: ecdsa },
  ES384: { digest: 'sha384', options: ecdsa },
  ES512: { digest: 'sha512', options: ecdsa },
  EdDSA: { digest: null, options: {} },
  Ed25519: { digest: null, options: {} },
  'ML-DSA-44': { digest: null, options: {} },
  'ML-DSA-65': { digest: null, options: {} },
  'ML-DSA-87': { digest: null, options: {} }
}

// used again for each token: it is verified before anything else can run
const signed = Buffer.allocUnsafeSlow(maxTokenLength)
const signature = Buffer.allocUnsafeSlow(maxTokenLength)

/**
 * Makes the check of the signature alone (RFC 7515 section 5.2, step 8), on node:crypto: nothing is decoded, and the
 * header is not looked at. That the algorithm fits the key, and that the header may be used, was checked before.
 */
export function createPlainSignatureCheck(
  key: KeyObject,
  algorithms: readonly Algorithm[]
): SignatureCheck {
  const prepared = new Map(
    algorithms.map((algorithm) => {
      const { digest, options } = parametersOf[algorithm]
      return [algorithm, { digest, key: { key, ...options } }]
    })
  )
  return (token, algorithm) => {
    const parameters = prepared.get(algorithm)
    // from the front: V8 goes backwards through the signature character by character
    const end = token.indexOf('.', token.indexOf('.') + 1)
    const length = decodeBase64url(token.slice(end + 1), signature)
    if (parameters === undefined || length === undefined || end < 1 || end > signed.length)
      return false
    // as UTF-8, in which no other text has the octets that were signed
    if (signed.write(token, 0, end, 'utf8') !== end) return false
    const { digest, key } = parameters
    return verify(digest, signed.subarray(0, end), key, signature.subarray(0, length))
  }
}

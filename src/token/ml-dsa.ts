import crypto, { type JsonWebKey } from 'node:crypto'

/**
 * Whether the cryptography of this Node has ML-DSA (FIPS 204): Node 24.7 or newer, over OpenSSL 3.5 or newer. Found out
 * by importing a key, since Node may be built with another OpenSSL than its own.
 */
export const hasMlDsa = hasSuchNode() && canImportKey()

/** Came with ML-DSA; asking for it spares older versions the error, which costs a start milliseconds. */
function hasSuchNode(): boolean {
  return 'encapsulate' in crypto
}

function canImportKey(): boolean {
  const pub = Buffer.alloc(1312).toString('base64url')
  const jwk: JsonWebKey = { kty: 'AKP', alg: 'ML-DSA-44', pub }
  try {
    crypto.createPublicKey({ key: jwk, format: 'jwk' })
    return true
  } catch {
    return false
  }
}

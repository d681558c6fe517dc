import { hasMlDsa } from './ml-dsa.ts'

const classicAlgorithms = [
  'RS256',
  'RS384',
  'RS512',
  'PS256',
  'PS384',
  'PS512',
  'ES256',
  'ES384',
  'ES512',
  'EdDSA',
  'Ed25519'
] as const

/** The post-quantum signatures of RFC 9964. */
export const mlDsaAlgorithms = ['ML-DSA-44', 'ML-DSA-65', 'ML-DSA-87'] as const

/** A JWS `alg` value that can be verified, the post-quantum ones only where this Node has them. */
export type Algorithm = (typeof classicAlgorithms)[number] | (typeof mlDsaAlgorithms)[number]

/** The signature algorithms that can be verified here (RFC 7518 section 3.1, RFC 8037, RFC 9864, RFC 9964): all asymmetric. */
export const supportedAlgorithms: readonly Algorithm[] = hasMlDsa
  ? [...classicAlgorithms, ...mlDsaAlgorithms]
  : classicAlgorithms

/** Whether a value is the exact, case-sensitive name of a supported algorithm. */
export function isAlgorithm(value: unknown): value is Algorithm {
  return (supportedAlgorithms as readonly unknown[]).includes(value)
}

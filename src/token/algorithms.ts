/** The signature algorithms this project can verify (RFC 7518 section 3.1, RFC 8037, RFC 9864): all asymmetric. */
export const supportedAlgorithms = [
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

/** A JWS `alg` value that can be verified. */
export type Algorithm = (typeof supportedAlgorithms)[number]

/** Whether a value is the exact, case-sensitive name of a supported algorithm. */
export function isAlgorithm(value: unknown): value is Algorithm {
  return (supportedAlgorithms as readonly unknown[]).includes(value)
}

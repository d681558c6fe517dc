export { startTestIssuer } from './testing/issuer.ts'
export type { MintOptions, TestIssuer, TestIssuerOptions } from './testing/issuer.ts'
export type { TestAlgorithm, TestKey } from './testing/keys.ts'

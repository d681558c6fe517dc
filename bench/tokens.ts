import { type KeyObject, randomBytes, randomUUID, sign } from 'node:crypto'
import type { TestIssuer } from '../src/testing/issuer.ts'

/** The algorithms that are measured: what most issuers sign with, and the two that are cheaper to send. */
export const measuredAlgorithms = ['RS256', 'ES256', 'EdDSA'] as const

export type MeasuredAlgorithm = (typeof measuredAlgorithms)[number]

/** What differs from a good token; `kid` is the key id in the header, the key stays the issuer's. */
export interface Flaw {
  readonly claims?: Readonly<Record<string, unknown>>
  readonly kid?: string
}

/** Makes access tokens by the thousand: about 850 characters with RS256, as real issuers send them. */
export type Mint = (algorithm: MeasuredAlgorithm, count: number, flaw?: Flaw) => string[]

/** The mint of an issuer. It signs without JOSE library, for which 300,000 tokens would take minutes. */
export function createMint(issuer: TestIssuer): Mint {
  return (algorithm, count, { claims, kid } = {}) => {
    const key = issuer.keys.find(({ algorithms }) => algorithms.includes(algorithm))
    if (key === undefined) throw new TypeError(`The issuer has no key for ${algorithm}`)
    const header = encode({ alg: algorithm, typ: 'at+jwt', kid: kid ?? key.kid })
    return Array.from({ length: count }, () => {
      const input = `${header}.${encode({ ...claimsOf(issuer), ...claims })}`
      return `${input}.${signatureOf(input, algorithm, key.privateKey)}`
    })
  }
}

/** Good tokens but for a key id that nobody has, another one each, and noise for a signature. */
export function randomKeyIdTokens(issuer: TestIssuer, count: number): string[] {
  const claims = encode(claimsOf(issuer))
  const signature = randomBytes(256).toString('base64url')
  return Array.from({ length: count }, () => {
    const header = encode({ alg: 'RS256', typ: 'at+jwt', kid: randomUUID() })
    return `${header}.${claims}.${signature}`
  })
}

/** What is no token at all: noise without dots, with two, and with brackets where JSON should be. */
export function garbage(count: number): string[] {
  const noise = () => randomBytes(180).toString('base64url')
  const shapes = [
    noise,
    () => `${noise()}.${noise()}.${noise()}`,
    () => `${encode({ alg: 'none' })}.${encode([])}.${noise()}`
  ]
  return Array.from({ length: count }, (_, index) => (shapes[index % shapes.length] ?? noise)())
}

function claimsOf({ issuer, audience }: TestIssuer): Record<string, unknown> {
  const now = Math.floor(Date.now() / 1000)
  return {
    iss: issuer,
    aud: audience,
    sub: randomUUID(),
    client_id: 'mobile-app',
    scope: 'openid profile email documents:read documents:write',
    iat: now,
    exp: now + 3600,
    jti: randomUUID(),
    sid: randomUUID()
  }
}

function encode(value: unknown): string {
  return Buffer.from(JSON.stringify(value)).toString('base64url')
}

function signatureOf(input: string, algorithm: MeasuredAlgorithm, key: KeyObject): string {
  const digest = algorithm === 'EdDSA' ? null : 'sha256'
  return sign(digest, Buffer.from(input), { key, dsaEncoding: 'ieee-p1363' }).toString('base64url')
}

import { createHash, generateKeyPairSync, type KeyObject, randomUUID } from 'node:crypto'
import { calculateJwkThumbprint, type JWK } from 'jose'
import type { Call } from './http-call.ts'
import { rawToken, signer } from './raw-token.ts'

/** What a proof says other than it should; `undefined` takes a member out. */
export interface ProofChanges {
  readonly header?: Readonly<Record<string, unknown>>
  readonly claims?: Readonly<Record<string, unknown>>
  /** Signs in place of the client's own key. */
  readonly key?: KeyObject
}

/** A client with a key, which makes any proof it is told to. */
export interface DpopClient {
  /** What the `cnf` of its tokens says. */
  readonly cnf: { readonly jkt: string }
  readonly privateKey: KeyObject
  /** A proof for a request that has this token (RFC 9449 section 4.2), by default a GET of `/whoami`. */
  readonly prove: (token: string, changes?: ProofChanges) => string
  /** A request with this token and a proof for it. */
  readonly call: (token: string, changes?: ProofChanges) => Call
}

/** The public URL of the APIs that proofs are made for. */
export const publicUrl = 'https://api.example.com'

/** Makes a client with an ES256 key. */
export async function createDpopClient(): Promise<DpopClient> {
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const jwk = publicKey.export({ format: 'jwk' }) as JWK
  const prove = (token: string, { header, claims, key = privateKey }: ProofChanges = {}) => {
    const protectedHeader = { typ: 'dpop+jwt', alg: 'ES256', jwk, ...header }
    const payload = {
      jti: randomUUID(),
      htm: 'GET',
      htu: `${publicUrl}/whoami`,
      iat: Math.floor(Date.now() / 1000),
      ath: digestOf(token),
      ...claims
    }
    return rawToken(protectedHeader, payload, signer(protectedHeader.alg, key))
  }
  return {
    cnf: { jkt: await calculateJwkThumbprint(jwk) },
    privateKey,
    prove,
    call: (token, changes) => callWith(token, prove(token, changes))
  }
}

/** A request with a token in the DPoP scheme, and with these proofs. */
export function callWith(token: string, ...proofs: readonly string[]): Call {
  return {
    lines: ['Authorization', `DPoP ${token}`, ...proofs.flatMap((proof) => ['DPoP', proof])]
  }
}

/** The `ath` of a token. */
export function digestOf(token: string): string {
  return createHash('sha256').update(token).digest('base64url')
}

import { createHash } from 'node:crypto'
import type { CryptoKey, JWK, JWSHeaderParameters, JWTPayload } from 'jose'
import { LRUCache } from 'lru-cache'
import type { Algorithm } from '../token/algorithms.ts'
import { ProofRefusal, proofRefusals } from './proof-refusal.ts'
import { normalizedTarget } from './target.ts'

/** The request that a proof must have been made for. */
export interface ProvenRequest {
  readonly method: string
  /** Normalized: see {@link normalizedTarget}. */
  readonly target: string | undefined
  /** The access token beside the proof. */
  readonly token: string
}

/** What a proof shows, its signature, method, target and access token checked. */
export interface Proof {
  /** RFC 7638 thumbprint of the key that signed it. */
  readonly keyThumbprint: string
  readonly id: string
  /** Seconds since the epoch, as the client's clock says. */
  readonly issuedAt: number
  readonly nonce: string | undefined
}

/** Reads a proof that came with a request. */
export type ProofReader = (proof: string, request: ProvenRequest) => Promise<Proof | ProofRefusal>

/** The key in the header of proofs, which a client sends the same each time; importing it costs more than verifying. */
interface KnownKey {
  readonly key: CryptoKey
  readonly keyThumbprint: string
}

const maxKnownKeys = 1000

const maxProofLength = 8192
const maxIdLength = 256
const compactJws = /^[\w-]+\.[\w-]+\.[\w-]+$/

/** The longest members of an RSA key, in base64url: a modulus of 4096 bits, an exponent of 4 octets. */
const maxRsaLengths = { n: 683, e: 6 }

/** Members that only private and symmetric keys have (RFC 7518 section 6). */
const privateMembers = ['d', 'p', 'q', 'dp', 'dq', 'qi', 'oth', 'k', 'priv']

/**
 * Makes the reader of DPoP proofs (RFC 9449 section 4.3). Does not judge time, nonce and reuse, nor whether the key is
 * that of the access token: who calls it has to. Whoever sends a proof chooses its key, and so what verifying costs: RSA
 * keys are bounded. Loads jose, which no plain bearer token needs.
 * @param algorithms the accepted ones
 */
export function createProofReader(algorithms: readonly Algorithm[]): ProofReader {
  const loading = import('jose')
  const options = { algorithms: [...algorithms], typ: 'dpop+jwt' }

  const known = new LRUCache<string, KnownKey>({ max: maxKnownKeys })

  const verify = async (proof: string) => {
    const { calculateJwkThumbprint, EmbeddedJWK, jwtVerify } = await loading
    const header = proof.slice(0, proof.indexOf('.'))
    const kept = known.get(header)
    const importKey = (unverified: JWSHeaderParameters) => {
      if (isCostly(unverified.jwk)) throw new TypeError('the key of a proof is too large')
      return EmbeddedJWK(unverified)
    }
    const getKey = kept === undefined ? importKey : () => kept.key
    try {
      const { payload, protectedHeader, key } = await jwtVerify(proof, getKey, options)
      const jwk = protectedHeader.jwk as JWK
      const keyThumbprint = kept?.keyThumbprint ?? (await calculateJwkThumbprint(jwk))
      if (kept === undefined) known.set(header, { key, keyThumbprint })
      return { payload, jwk, keyThumbprint }
    } catch {
      // whatever is thrown here, also by the runtime's cryptography, comes from what the client sent
      return undefined
    }
  }

  return async (proof, request) => {
    if (proof.length > maxProofLength || !compactJws.test(proof))
      return proofRefusals.proof_malformed
    const verified = await verify(proof)
    if (verified === undefined) return proofRefusals.proof_unverified
    const { payload, jwk, keyThumbprint } = verified
    if (privateMembers.some((name) => name in jwk)) return proofRefusals.proof_private_key
    const claims = claimsOf(payload)
    if (claims instanceof ProofRefusal) return claims
    return judgeRequest(payload, request) ?? { keyThumbprint, ...claims }
  }
}

/** Whether a key of RSA is larger than any in use; a member that is no text, whose length says nothing, counts as such. */
function isCostly(jwk: JWK | undefined): boolean {
  if (jwk?.kty !== 'RSA') return false
  const { n, e } = jwk as Record<string, unknown>
  const isBounded = (member: unknown, longest: number) =>
    typeof member === 'string' && member.length <= longest
  return !isBounded(n, maxRsaLengths.n) || !isBounded(e, maxRsaLengths.e)
}

function claimsOf(payload: JWTPayload): Omit<Proof, 'keyThumbprint'> | ProofRefusal {
  const { jti, iat, nonce, htm, htu, ath } = payload as Record<string, unknown>
  const isId = typeof jti === 'string' && jti !== '' && jti.length <= maxIdLength
  const isNonce = nonce === undefined || typeof nonce === 'string'
  if (!isId || !Number.isFinite(iat) || !isNonce) return proofRefusals.proof_claims
  if (![htm, htu, ath].every((claim) => typeof claim === 'string'))
    return proofRefusals.proof_claims
  return { id: jti, issuedAt: iat as number, nonce }
}

function judgeRequest(
  { htm, htu, ath }: JWTPayload,
  { method, target, token }: ProvenRequest
): ProofRefusal | undefined {
  if (htm !== method) return proofRefusals.proof_method
  if (target === undefined || normalizedTarget(htu as string) !== target)
    return proofRefusals.proof_target
  const digest = createHash('sha256').update(token, 'latin1').digest('base64url')
  return ath === digest ? undefined : proofRefusals.proof_token
}

import { createHash } from 'node:crypto'
import type { ReplayStore } from '../state/replay-store.ts'
import type { Scheme } from '../token/authorization.ts'
import type { Confirmation } from '../token/confirmation.ts'
import { type Refusal, refusals } from '../token/refusal.ts'
import type { BindingSettings, ProofSettings } from './binding-options.ts'
import {
  type CertificateFinder,
  type CertifiedRequest,
  createCertificateFinder,
  fieldsOf
} from './client-certificate.ts'
import { createProofReader, type Proof } from './dpop-proof.ts'
import { createNonces, type Nonces } from './nonces.ts'
import { ProofRefusal, proofRefusals } from './proof-refusal.ts'
import { targetOf } from './target.ts'

/** A request with an access token, as far as a proof of possession is about it. */
export interface BoundRequest extends CertifiedRequest {
  readonly scheme: Scheme
  readonly token: string
  readonly method: string
  /** The target of the request line, as it came. */
  readonly url: string
}

/** The caller has shown to be the one that the token was issued to. */
export interface Proven {
  /** Set if the client used, or needs, another nonce than the newest. */
  readonly nonce: string | undefined
}

/**
 * Judges whether the sender of a verified token is the one it was issued to. A token with both a key and a certificate
 * needs both.
 */
export interface BindingJudge {
  /** @throws {StateUnavailableError} if nobody can tell whether a proof was used before */
  judge(
    confirmation: Confirmation | undefined,
    request: BoundRequest
  ): Promise<Proven | Refusal | ProofRefusal>
  /** Makes the nonce that the next proof is to hold; undefined if none needs any. */
  readonly newestNonce: (() => string) | undefined
  /** Whether answers vary by the Client-Cert field of this request. */
  isForwarded(request: CertifiedRequest): boolean
}

export interface BindingJudgeOptions extends BindingSettings {
  readonly store: Pick<ReplayStore, 'take'>
  readonly publicUrl: () => string
  /** Milliseconds since the epoch. Default `Date.now`. */
  readonly clock?: (() => number) | undefined
}

/** Seconds since a proof was made, at most, where no nonce tells its time (RFC 9449 section 11.1). */
const maxAge = 60
/** Seconds by which the clock of a client may be ahead. */
const maxLead = 10
/** Milliseconds for which a proof is remembered after its time: the clocks of other instances may be behind. */
const memoryMargin = 10_000

const proven: Proven = Object.freeze({ nonce: undefined })

/** Makes the judge of an API. */
export function createBindingJudge(options: BindingJudgeOptions): BindingJudge {
  const { proofs, clientCertFrom = [], clock } = options
  const certificates = createCertificateFinder(clientCertFrom)
  const nonces = proofs?.nonces === true ? createNonces(proofs.nonceSecret, clock) : undefined
  const judgeProof = proofs && createProofJudge(proofs, nonces, options)

  return {
    newestNonce: nonces?.current,
    isForwarded: (request) => certificates.isForwarded(request),
    async judge(confirmation, request) {
      const { certificateThumbprint, keyThumbprint } = confirmation ?? {}
      const refusal = judgeCertificate(certificateThumbprint, request, certificates)
      if (refusal !== undefined) return refusal
      if (request.scheme === 'bearer')
        return keyThumbprint === undefined ? proven : refusals.sender_constrained
      if (keyThumbprint === undefined || judgeProof === undefined) return refusals.not_bound_to_key
      return judgeProof(keyThumbprint, request)
    }
  }
}

function judgeCertificate(
  thumbprint: string | undefined,
  request: BoundRequest,
  certificates: CertificateFinder
): Refusal | ProofRefusal | undefined {
  if (thumbprint === undefined) return undefined
  const found = certificates.find(request)
  if (found.kind === 'malformed') return proofRefusals.certificate_malformed
  const isTheOne = found.kind === 'certificate' && found.thumbprint === thumbprint
  return isTheOne ? undefined : refusals.wrong_certificate
}

/** Reuse is looked at last, so that only a proof that is good in all else is remembered. */
function createProofJudge(
  { algorithms }: ProofSettings,
  nonces: Nonces | undefined,
  { store, publicUrl, clock = Date.now }: BindingJudgeOptions
) {
  const readProof = createProofReader(algorithms)

  return async (
    keyThumbprint: string,
    { method, url, token, rawHeaders }: BoundRequest
  ): Promise<Proven | Refusal | ProofRefusal> => {
    const [field, ...more] = fieldsOf(rawHeaders, 'dpop')
    if (field === undefined) return proofRefusals.proof_missing
    if (more.length > 0) return proofRefusals.proof_repeated
    const target = targetOf(publicUrl(), url)
    const proof = await readProof(field, { method, target, token })
    if (proof instanceof ProofRefusal) return proof
    if (proof.keyThumbprint !== keyThumbprint) return refusals.wrong_proof_key
    const until =
      nonces === undefined ? timeOf(proof, clock()) : timeOfNonce(proof, clock(), nonces)
    if (until instanceof ProofRefusal) return until
    const name = createHash('sha256').update(JSON.stringify([keyThumbprint, target, proof.id]))
    const isFirst = await store.take(name.digest('base64url'), until + memoryMargin)
    if (!isFirst) return proofRefusals.proof_reused
    const newest = nonces?.current()
    return proof.nonce === newest || newest === undefined ? proven : { nonce: newest }
  }
}

/** @returns until when the proof counts, in milliseconds since the epoch */
function timeOf({ issuedAt }: Proof, now: number): number | ProofRefusal {
  const age = now / 1000 - issuedAt
  return age <= maxAge && age >= -maxLead ? (issuedAt + maxAge) * 1000 : proofRefusals.proof_stale
}

/** At least its time without a nonce: another list, or another instance, may need none. */
function timeOfNonce(proof: Proof, now: number, nonces: Nonces): number | ProofRefusal {
  const until = proof.nonce === undefined ? undefined : nonces.validUntil(proof.nonce)
  if (until === undefined) return proofRefusals.nonce_needed
  const withoutNonce = timeOf(proof, now)
  return withoutNonce instanceof ProofRefusal ? until : Math.max(until, withoutNonce)
}

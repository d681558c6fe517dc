/** What is wrong with a proof of possession, as the client is told: fixed texts, and nothing that the proof said. */
const descriptions = {
  proof_missing: 'The request has no DPoP proof',
  proof_repeated: 'The request has more than one DPoP field',
  proof_malformed: 'The DPoP proof is not a well-formed JWT',
  proof_unverified: 'The type, algorithm, key or signature of the DPoP proof is not accepted',
  proof_private_key: 'The DPoP proof holds a private key',
  proof_claims: 'A required claim of the DPoP proof is missing or malformed',
  proof_method: 'The DPoP proof is for another method',
  proof_target: 'The DPoP proof is for another URL',
  proof_token: 'The DPoP proof is for another access token',
  proof_stale: 'The DPoP proof was not made just now',
  proof_reused: 'The DPoP proof was used before',
  nonce_needed: 'The DPoP proof needs the nonce of this answer',
  certificate_malformed: 'The Client-Cert field holds no certificate'
} as const

/** A stable name of what is wrong with a proof, for logs and metrics. */
export type ProofRefusalReason = keyof typeof descriptions

/** The verdict "this proof shows nothing". A value, as a Refusal is. */
export class ProofRefusal {
  readonly reason: ProofRefusalReason
  readonly description: string

  constructor(reason: ProofRefusalReason, description: string) {
    this.reason = reason
    this.description = description
    Object.freeze(this)
  }
}

/** The refusals of proofs, one shared instance for each reason. */
export const proofRefusals: Readonly<Record<ProofRefusalReason, ProofRefusal>> = Object.freeze(
  Object.fromEntries(
    Object.entries(descriptions).map(([reason, description]) => [
      reason,
      new ProofRefusal(reason as ProofRefusalReason, description)
    ])
  ) as Record<ProofRefusalReason, ProofRefusal>
)

import type { Algorithm } from '../token/algorithms.ts'
import type { Scheme } from '../token/authorization.ts'
import { type ChallengeParameters, formatChallenge } from '../token/challenge.ts'

/** What a client has to know of DPoP proofs before it makes one. */
export interface ProofChallenge {
  readonly algorithms: readonly Algorithm[]
  /** Whether no issuer's tokens are accepted without DPoP. */
  readonly isRequired: boolean
}

/**
 * Writes the challenges of an answer, one for each scheme, the best first (RFC 9449 section 7.2). What is wrong stands
 * in that of the scheme that was used. Where DPoP is required, Bearer is not offered: it only answers who used it.
 * @param used undefined if the request had no credentials, or nobody can tell
 * @param proofs undefined if DPoP is off: then there is a Bearer challenge alone
 */
export function writeChallenges(
  parameters: ChallengeParameters,
  used: Scheme | undefined,
  proofs: ProofChallenge | undefined
): readonly string[] {
  if (proofs === undefined) return [formatChallenge(parameters)]
  const { realm, resource_metadata, error } = parameters
  const offered = offeredSchemes(used, proofs)
  const blamed = used ?? offered[0]
  return offered.map((scheme) => {
    const said =
      error === undefined || scheme === blamed ? parameters : { realm, resource_metadata }
    if (scheme === 'bearer') return formatChallenge(said)
    return formatChallenge({ ...said, algs: proofs.algorithms.join(' ') }, 'DPoP')
  })
}

function offeredSchemes(used: Scheme | undefined, { isRequired }: ProofChallenge): Scheme[] {
  if (!isRequired) return ['bearer', 'dpop']
  return used === 'bearer' ? ['dpop', 'bearer'] : ['dpop']
}

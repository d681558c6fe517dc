/**
 * Parameters of a challenge (RFC 6750 section 3, RFC 9449 section 7.1, RFC 9470 section 3, RFC 9728 section 5.1), as they
 * are written.
 */
export interface ChallengeParameters {
  readonly realm: string
  readonly error?:
    | 'invalid_request'
    | 'invalid_token'
    | 'insufficient_scope'
    | 'insufficient_user_authentication'
    | 'invalid_dpop_proof'
    | 'use_dpop_nonce'
    | undefined
  readonly error_description?: string | undefined
  /** Scopes, split by one space. */
  readonly scope?: string | undefined
  /** Authentication context classes, split by one space, the preferred first. */
  readonly acr_values?: string | undefined
  /** Whole seconds since the user signed in, at most. */
  readonly max_age?: string | undefined
  /** URL of the protected resource metadata. */
  readonly resource_metadata?: string | undefined
  /** Signature algorithms of DPoP proofs, split by one space; in DPoP challenges only. */
  readonly algs?: string | undefined
}

/** Text that may stand in every parameter of a challenge (RFC 6750 section 3): no quote, no backslash, no control. */
const safeText = /^[\x20-\x21\x23-\x5B\x5D-\x7E]+$/

/** Whether a text may be sent in a challenge. */
export function isChallengeText(text: unknown): text is string {
  return typeof text === 'string' && safeText.test(text)
}

/**
 * Writes a challenge, as it stands in a WWW-Authenticate field. Parameters without a value are left out.
 * @throws {TypeError} if a value could break out of its quotes: none of them ever comes from a request
 */
export function formatChallenge(
  parameters: ChallengeParameters,
  scheme: 'Bearer' | 'DPoP' = 'Bearer'
): string {
  const { realm, algs, error, error_description, scope, acr_values, max_age, resource_metadata } =
    parameters
  const described = { error, error_description, scope, acr_values, max_age, resource_metadata }
  const written = Object.entries({ realm, algs, ...described })
    .filter(([, value]) => value !== undefined)
    .map(([name, value]) => {
      if (!isChallengeText(value))
        throw new TypeError(`${name}: ${JSON.stringify(value)} may not stand in a challenge`)
      return `${name}="${value}"`
    })
  return `${scheme} ${written.join(', ')}`
}

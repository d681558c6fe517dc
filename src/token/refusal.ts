/**
 * Why an access token is refused. All are `invalid_token` to the client (RFC 6750 section 3.1), which is told the
 * fixed description and nothing that the token said.
 */
const descriptions = {
  malformed: 'The access token is malformed',
  too_large: 'The access token is too large',
  unsupported_algorithm: 'The signing algorithm of the access token is not accepted',
  unsupported_header: 'The access token demands a header extension that is not supported',
  invalid_key_id: 'The key id of the access token is malformed',
  wrong_type: 'The token is not an access token of an accepted type',
  untrusted_issuer: 'The issuer of the access token is not trusted',
  invalid_claims: 'A required claim of the access token is missing or malformed',
  expired: 'The access token expired',
  not_yet_valid: 'The access token is not valid yet',
  wrong_audience: 'The access token is not meant for this API',
  sender_constrained: 'The access token is bound to a key and is not accepted as a bearer token',
  not_encrypted: 'The access token is not encrypted',
  undecryptable: 'The access token can not be decrypted',
  not_sender_constrained:
    'The access token is not bound to its sender, as it must be here: get one with DPoP or a client certificate',
  not_bound_to_key:
    'The access token is not bound to a key: it can not be sent with the DPoP scheme',
  wrong_proof_key: 'The access token is bound to another key than that of the DPoP proof',
  wrong_certificate:
    'The access token is bound to a client certificate that did not come with the request',
  unknown_key: 'The signing key of the access token is unknown',
  bad_signature: 'The signature of the access token is invalid',
  revoked: 'The access token was revoked',
  invalid_status: 'The status list of the issuer says that the access token is not valid',
  inactive: 'The issuer says that the access token is not active',
  refused_by_issuer: 'The issuer no longer accepts the access token'
} as const

/** A stable name of what is wrong with a token, for logs and metrics. */
export type RefusalReason = keyof typeof descriptions

/**
 * The verdict "this token does not open the door". A value, not an Error: a refusal is expected, and building a
 * stack for each costs more than all the checks together.
 */
export class Refusal {
  readonly reason: RefusalReason
  readonly description: string

  constructor(reason: RefusalReason, description: string) {
    this.reason = reason
    this.description = description
    Object.freeze(this)
  }
}

/** The refusals, one shared instance for each reason. */
export const refusals: Readonly<Record<RefusalReason, Refusal>> = Object.freeze(
  Object.fromEntries(
    Object.entries(descriptions).map(([reason, description]) => [
      reason,
      new Refusal(reason as RefusalReason, description)
    ])
  ) as Record<RefusalReason, Refusal>
)

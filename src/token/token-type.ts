/** A media type of a `typ` or `cty` header for comparison: lower case, without `application/` (RFC 7515 4.1.9). */
export function normalizedType(value: string): string {
  const type = value.toLowerCase()
  const short = type.startsWith('application/') ? type.slice(12) : type
  return short.includes('/') ? type : short
}

/** The type of a token without a `typ` header; no header can say so, since types are compared in lower case. */
export const noType = 'ABSENT'

/** A type as options have it: a media type, or `absent` for none. */
export function typeOfOption(value: string): string {
  return value === 'absent' ? noType : normalizedType(value)
}

/** Claims that only other kinds of JWT have: ID token, logout token or security event, introspection response. */
const foreignClaims = ['at_hash', 'c_hash', 's_hash', 'events', 'token_introspection'] as const

/** What ID tokens have, and the access tokens of few issuers: a nonce; an audience that is their own client. */
export const idTokenMarks = ['nonce', 'own_audience'] as const

/** A mark by which an ID token is told from an access token. */
export type IdTokenMark = (typeof idTokenMarks)[number]

/** Keycloak names the kind of its tokens in a claim; its access tokens say `Bearer`. */
const foreignPayloadTypes: ReadonlySet<unknown> = new Set(['ID', 'Refresh', 'Offline', 'Logout'])

/** Cognito's word in JWTs, and that of Ory Hydra in introspection answers. */
const accessTokenUses: ReadonlySet<unknown> = new Set(['access', 'access_token'])

/**
 * Whether claims mark another kind of JWT than an access token (RFC 8725 sections 3.11 and 3.12). The type header
 * tells little, since many issuers send `JWT` for everything and sign everything with one key.
 * @param marks which of the marks that some issuers' access tokens share with ID tokens count
 */
export function isOtherKind(
  claims: Readonly<Record<string, unknown>>,
  marks: readonly IdTokenMark[]
): boolean {
  if (claims['nonce'] !== undefined && marks.includes('nonce')) return true
  for (const name of foreignClaims) if (claims[name] !== undefined) return true
  if (foreignPayloadTypes.has(claims['typ'])) return true
  const { token_use } = claims
  if (token_use !== undefined && !accessTokenUses.has(token_use)) return true
  return isAudienceOfItself(claims) && marks.includes('own_audience')
}

/** An ID token is addressed to the client that asked for it and grants nothing. */
function isAudienceOfItself({
  azp,
  aud,
  scope,
  scp,
  roles
}: Readonly<Record<string, unknown>>): boolean {
  if (azp === undefined || scope !== undefined || scp !== undefined || roles !== undefined)
    return false
  return aud === azp || (Array.isArray(aud) && aud.length === 1 && aud[0] === azp)
}

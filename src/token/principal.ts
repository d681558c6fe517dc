import { type ClaimMapping, plainMapping } from './claim-mapping.ts'
import { grantedRoles } from './roles.ts'
import { grantedScopes } from './scope.ts'
import { withImplied } from './scope-hierarchy.ts'

/** What a verified access token says of its caller. Frozen, and shared by all requests with that token. */
export interface Principal {
  /** The token's `iss`, exactly as configured. */
  readonly issuer: string
  /** The token's `sub`: unique only together with the issuer. */
  readonly subject: string
  /** `client_id`, or `azp` where the issuer sends that; undefined if the token names no client. */
  readonly clientId: string | undefined
  /** The granted scopes, in the token's order, without repetitions; then those that they imply. */
  readonly scopes: readonly string[]
  /** The caller's roles, from where the issuer's `claims.roles` option says; none if it says nothing. */
  readonly roles: readonly string[]
  /** The token's `aud`, always as a list. */
  readonly audience: readonly string[]
  /** The token's `exp`: seconds since the epoch. */
  readonly expiresAt: number
  /** All claims of the token, deeply frozen. Only those named above were checked. */
  readonly claims: Readonly<Record<string, unknown>>
}

/** Claims that the policy has accepted: the members it checked, and whatever else the issuer sent. */
export interface AcceptedClaims extends Readonly<Record<string, unknown>> {
  readonly iss: string
  readonly sub: string
  readonly aud: string | readonly string[]
  readonly exp: number
}

/** The principal of accepted claims. Owns them from then on: the claims object is frozen when it is first read. */
export function createPrincipal(
  claims: AcceptedClaims,
  mapping: ClaimMapping = plainMapping
): Principal {
  return new VerifiedPrincipal(claims, mapping)
}

/** One claim that is no object, read without freezing all of them as {@link Principal.claims} does. */
export function claimOf(principal: Principal, name: string): unknown {
  return principal instanceof VerifiedPrincipal
    ? VerifiedPrincipal.claimOf(principal, name)
    : principal.claims[name]
}

class VerifiedPrincipal implements Principal {
  readonly issuer: string
  readonly subject: string
  readonly clientId: string | undefined
  readonly scopes: readonly string[]
  readonly audience: readonly string[]
  readonly expiresAt: number
  readonly #claims: AcceptedClaims
  readonly #mapping: ClaimMapping
  #roles: readonly string[] | undefined

  constructor(claims: AcceptedClaims, mapping: ClaimMapping) {
    this.issuer = claims.iss
    this.subject = claims.sub
    this.clientId = textOf(claims['client_id']) ?? textOf(claims['azp'])
    this.scopes = withImplied(grantedScopes(claims), mapping.scopes)
    this.audience = Object.freeze(typeof claims.aud === 'string' ? [claims.aud] : [...claims.aud])
    this.expiresAt = claims.exp
    this.#claims = claims
    this.#mapping = mapping
    Object.freeze(this)
  }

  static claimOf(principal: VerifiedPrincipal, name: string): unknown {
    return principal.#claims[name]
  }

  // read on demand, as the claims are: most routes ask for no role
  get roles(): readonly string[] {
    return (this.#roles ??= grantedRoles(this.#claims, this.#mapping.roles))
  }

  // frozen on demand: most routes never look, and walking all claims would be felt on every new token
  get claims(): Readonly<Record<string, unknown>> {
    return Object.isFrozen(this.#claims) ? this.#claims : deepFreeze(this.#claims)
  }
}

function textOf(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' ? value : undefined
}

/** Freezes a JSON value and all that is in it, so that those who share it can not change it for one another. */
export function deepFreeze<T extends object>(value: T): T {
  const waiting: object[] = [value]
  for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
    Object.freeze(next)
    for (const member of Object.values(next) as unknown[]) {
      if (typeof member === 'object' && member !== null) waiting.push(member)
    }
  }
  return value
}

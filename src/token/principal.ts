import { type ClaimMapping, plainMapping } from './claim-mapping.ts'
import { type Confirmation, confirmationOf } from './confirmation.ts'
import { claimAt, type ClaimPath, grantedRoles } from './roles.ts'
import { grantedScopes, scopesAt } from './scope.ts'
import { withImplied } from './scope-hierarchy.ts'

/** What a verified access token says of its caller. Frozen, and shared by all requests with that token. */
export interface Principal {
  /** The token's `iss`, exactly as configured. */
  readonly issuer: string
  /** The token's `sub`: unique only together with the issuer. */
  readonly subject: string
  /** `client_id`, else `azp`, or what the issuer's `claims.client` names; undefined if the token names no client. */
  readonly clientId: string | undefined
  /** The token's `jti`, or what the issuer's `claims.tokenId` names; undefined if it has none. */
  readonly tokenId: string | undefined
  /** The granted scopes, in the token's order, without repetitions; then those that they imply. */
  readonly scopes: readonly string[]
  /** The caller's roles, from where the issuer's `claims.roles` option says; none if it says nothing. */
  readonly roles: readonly string[]
  /** The token's `aud`, always as a list; empty where another claim stands in for it (`audienceClaim`). */
  readonly audience: readonly string[]
  /** The token's `exp`: seconds since the epoch. */
  readonly expiresAt: number
  /** The key or certificate that the caller has proved to have; undefined for a plain bearer token. */
  readonly confirmation: Confirmation | undefined
  /** All claims of the token, deeply frozen. Only those named above were checked. */
  readonly claims: Readonly<Record<string, unknown>>
}

/** Claims that the policy has accepted: the members it checked, and whatever else the issuer sent. */
export interface AcceptedClaims extends Readonly<Record<string, unknown>> {
  readonly iss: string
  readonly sub: string
  readonly aud?: string | readonly string[] | undefined
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
  readonly confirmation: Confirmation | undefined
  readonly #claims: AcceptedClaims
  readonly #mapping: ClaimMapping
  #roles: readonly string[] | undefined

  constructor(claims: AcceptedClaims, mapping: ClaimMapping) {
    this.issuer = claims.iss
    this.subject = claims.sub
    this.clientId = firstText(claims, mapping.client)
    this.scopes = withImplied(scopesOf(claims, mapping), mapping.scopes)
    this.audience = Object.freeze(audienceOf(claims))
    this.expiresAt = claims.exp
    this.confirmation = confirmationOf(claims['cnf'])
    this.#claims = claims
    this.#mapping = mapping
    Object.freeze(this)
  }

  get tokenId(): string | undefined {
    return firstText(this.#claims, this.#mapping.tokenId)
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

function scopesOf(claims: AcceptedClaims, { scopeClaims }: ClaimMapping): readonly string[] {
  return scopeClaims === undefined ? grantedScopes(claims) : scopesAt(claims, scopeClaims)
}

function audienceOf({ aud = [] }: AcceptedClaims): string[] {
  return typeof aud === 'string' ? [aud] : [...aud]
}

function firstText(claims: AcceptedClaims, paths: readonly ClaimPath[]): string | undefined {
  for (const path of paths) {
    const value = claimAt(claims, path)
    if (typeof value === 'string' && value !== '') return value
  }
  return undefined
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

import { type DetailsDeclaration, hasDetails } from './authorization-details.ts'
import type { Demand } from './demand.ts'
import type { Principal } from './principal.ts'
import { refusals } from './refusal.ts'
import { isAuthenticated, judgeAuthenticationClaims } from './step-up.ts'

/** What a route requires, checked for form: what was not declared is empty or undefined. */
export interface Requirements {
  readonly scopes: readonly string[]
  readonly anyScope: readonly string[]
  /** All scopes the route names, split by spaces, as a challenge and the metadata show them; undefined if none. */
  readonly scope: string | undefined
  readonly acr: readonly string[]
  readonly maxAge: number | undefined
  readonly issuers: readonly string[]
  readonly clients: readonly string[]
  /** Whether the token must be bound to its sender. */
  readonly senderConstrained: boolean
  /** Roles that are all needed. */
  readonly roles: readonly string[]
  readonly authorizationDetails: DetailsDeclaration | undefined
  readonly allow: ((principal: Principal) => boolean) | undefined
}

/**
 * The demands that follow from requirements, and nothing for what was not declared. First comes what makes the token a
 * bad one, then what no new token would mend, then what a new sign-in mends, then what a larger grant mends; last the
 * route's own predicate, which sees only callers that meet all the rest.
 */
export function demandsOf(required: Requirements): readonly Demand[] {
  const needsSignIn = required.acr.length > 0 || required.maxAge !== undefined
  const { issuers, clients, roles, scope, authorizationDetails, allow } = required
  return Object.freeze([
    ...(required.senderConstrained ? [bound] : []),
    ...(needsSignIn ? [soundAuthentication(required)] : []),
    ...(issuers.length > 0 ? [issuerAmong(issuers)] : []),
    ...(clients.length > 0 ? [clientAmong(clients)] : []),
    ...(roles.length > 0 ? [allRoles(roles)] : []),
    ...(needsSignIn ? [authentication(required)] : []),
    ...(scope === undefined ? [] : [granted(required)]),
    ...(authorizationDetails === undefined ? [] : [details(authorizationDetails)]),
    ...(allow === undefined ? [] : [allowed(allow)])
  ])
}

/** What it is bound to was proved before any demand is judged. */
function bound({ confirmation }: Principal) {
  return confirmation === undefined ? refusals.not_sender_constrained : undefined
}

function soundAuthentication(required: Requirements): Demand {
  return (principal, surroundings) => judgeAuthenticationClaims(required, principal, surroundings)
}

function issuerAmong(issuers: readonly string[]): Demand {
  return ({ issuer }) => (issuers.includes(issuer) ? undefined : 'issuer_not_allowed')
}

function clientAmong(clients: readonly string[]): Demand {
  return ({ clientId }) =>
    clientId !== undefined && clients.includes(clientId) ? undefined : 'client_not_allowed'
}

function allRoles(needed: readonly string[]): Demand {
  return ({ roles }) =>
    needed.every((role) => roles.includes(role)) ? undefined : 'insufficient_role'
}

function authentication(required: Requirements): Demand {
  return (principal, surroundings) => {
    if (isAuthenticated(required, principal, surroundings)) return undefined
    return hasScopes(required, principal)
      ? 'insufficient_user_authentication'
      : 'insufficient_user_authentication_and_scope'
  }
}

function granted(required: Requirements): Demand {
  return (principal) => (hasScopes(required, principal) ? undefined : 'insufficient_scope')
}

function details(needed: DetailsDeclaration): Demand {
  return (...judged) =>
    hasDetails(needed, ...judged) ? undefined : 'insufficient_authorization_details'
}

/** Whatever is not exactly true or false is a defect of the predicate: a promise, above all, must not open the door. */
function allowed(allow: (principal: Principal) => unknown): Demand {
  return (principal) => {
    const answer = allow(principal)
    if (typeof answer !== 'boolean')
      throw new TypeError(`config.auth.allow: answered ${typeof answer}, allowed: true or false`)
    return answer ? undefined : 'caller_not_allowed'
  }
}

function hasScopes({ scopes, anyScope }: Requirements, { scopes: granted }: Principal): boolean {
  for (const scope of scopes) if (!granted.includes(scope)) return false
  return anyScope.length === 0 || anyScope.some((scope) => granted.includes(scope))
}

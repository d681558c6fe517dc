import type { ProblemKind } from '../src/http/problem.ts'
import type { ChallengeParameters } from '../src/token/challenge.ts'
import type { Denial } from '../src/token/demand.ts'
import type { Guard } from '../src/token/guard.ts'

/** What a client is told: fixed text, and what the route declares. */
export interface Told {
  readonly kind: ProblemKind
  /** One sentence without its full stop; beside an error code also its description. */
  readonly detail: string
  /** What the challenge says of this route and this refusal. */
  readonly challenge: Partial<ChallengeParameters>
}

/** What the client is told whose token is good but does not meet the demands of a route. */
export const denialAnswers: Readonly<Record<Denial, (guard: Guard) => Told>> = {
  insufficient_scope: (guard) => ({
    kind: 'insufficient-scope',
    detail: `This operation needs ${scopeNeeded(guard)}`,
    challenge: { error: 'insufficient_scope', scope: guard.scope }
  }),
  insufficient_user_authentication: (guard) => ({
    kind: 'insufficient-user-authentication',
    detail: `This operation needs ${signInNeeded(guard)}`,
    challenge: stepUp(guard)
  }),
  insufficient_user_authentication_and_scope: (guard) => ({
    kind: 'insufficient-user-authentication',
    detail: `This operation needs ${signInNeeded(guard)}, and ${scopeNeeded(guard)}`,
    challenge: { ...stepUp(guard), scope: guard.scope }
  }),
  issuer_not_allowed: () => accessDenied('is not open to the issuer of the access token'),
  client_not_allowed: () => accessDenied('is not open to the client of the access token'),
  insufficient_role: ({ roles }) => accessDenied(`needs the role ${roles.join(' and ')}`),
  insufficient_authorization_details: (guard) => ({
    kind: 'insufficient-scope',
    detail: `This operation needs ${detailsNeeded(guard)}`,
    challenge: { error: 'insufficient_scope', scope: guard.scope }
  }),
  caller_not_allowed: () => accessDenied('is not open to this caller')
}

/** RFC 6750 has no error code for it, and asking for more scope would not help: the challenge says nothing. */
function accessDenied(why: string): Told {
  return { kind: 'access-denied', detail: `This operation ${why}`, challenge: {} }
}

function stepUp({ acr, maxAge }: Guard): Partial<ChallengeParameters> {
  return {
    error: 'insufficient_user_authentication',
    acr_values: acr.length === 0 ? undefined : acr.join(' '),
    max_age: maxAge?.toString()
  }
}

function scopeNeeded({ scopes, anyScope }: Guard): string {
  const all = scopes.length === 0 ? [] : [`the scope ${scopes.join(' and ')}`]
  const any = anyScope.length === 0 ? [] : [`one of the scopes ${anyScope.join(', ')}`]
  return [...all, ...any].join(' and ')
}

function detailsNeeded({ authorizationDetails }: Guard): string {
  const { type = '', actions = [], datatypes = [] } = authorizationDetails ?? {}
  const rights = [...actions, ...datatypes]
  const needed = rights.length === 0 ? '' : ` with ${rights.join(' and ')}`
  return `authorization details of type ${type}${needed}`
}

function signInNeeded({ acr, maxAge }: Guard): string {
  const strength = acr.length === 0 ? [] : [`of class ${acr.join(' or ')}`]
  const age = maxAge === undefined ? [] : [`at most ${maxAge} seconds ago`]
  return `a sign-in ${[...strength, ...age].join(', ')}`
}

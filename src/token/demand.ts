import type { Principal } from './principal.ts'
import type { Refusal } from './refusal.ts'

/** Why a caller whose token is good may not use a route, for logs and answers. */
export type Denial =
  | 'insufficient_scope'
  | 'insufficient_user_authentication'
  /** Both of them at once. */
  | 'insufficient_user_authentication_and_scope'
  | 'issuer_not_allowed'
  | 'client_not_allowed'
  | 'insufficient_role'
  | 'insufficient_authorization_details'
  | 'caller_not_allowed'

/** What a demand may have to know besides the principal. */
export interface Surroundings {
  /** Milliseconds since the epoch. */
  readonly clock: () => number
  /** Seconds by which the clock of an issuer may differ from ours. */
  readonly clockToleranceOf: (issuer: string) => number
  /** Whether a location, as the tokens of an issuer write it, is this API. */
  readonly isThisApi: (location: string, issuer: string) => boolean
}

/**
 * One thing that a guard demands of a principal, made when the route is declared.
 * @returns undefined if it is met; a refusal if the token turns out to be malformed in what only this route reads
 */
export type Demand = (
  principal: Principal,
  surroundings: Surroundings,
  /** The path parameters of the request. */
  params: unknown
) => Denial | Refusal | undefined

import type { Demand, Denial, Surroundings } from './demand.ts'
import type { Principal } from './principal.ts'
import type { Refusal } from './refusal.ts'
import { isScope } from './scope.ts'
import { isAuthenticated, judgeAuthenticationClaims } from './step-up.ts'

/** What a route demands of its caller; an empty object demands a valid token and nothing more. */
export interface GuardDeclaration {
  /** Scopes that are all needed. */
  readonly scopes?: readonly string[] | undefined
  /** Scopes of which one is needed. */
  readonly anyScope?: readonly string[] | undefined
  /** Authentication context classes of which one is needed, the preferred first (RFC 9470). */
  readonly acr?: readonly string[] | undefined
  /** Whole seconds since the user signed in, at most (RFC 9470). */
  readonly maxAge?: number | undefined
}

/** A checked declaration: what was not declared is empty or undefined. */
export interface Guard {
  readonly scopes: readonly string[]
  readonly anyScope: readonly string[]
  /** All scopes the route names, split by spaces, as a challenge and the metadata show them; undefined if none. */
  readonly scope: string | undefined
  readonly acr: readonly string[]
  readonly maxAge: number | undefined
  /** What is asked of a principal, in this order. Nothing is in it that was not declared. */
  readonly demands: readonly Demand[]
}

/** The members of a declaration, and what each may be. */
const allowed = {
  scopes: 'a list of one or more scopes (RFC 6749 section 3.3)',
  anyScope: 'a list of one or more scopes (RFC 6749 section 3.3)',
  acr: 'a list of one or more authentication context classes, printable ASCII without spaces',
  maxAge: 'whole seconds, 0 or more'
} as const

/**
 * Checks what a route declares as `config.auth`.
 * @returns the guard, or undefined for a public route (`false`)
 * @throws {TypeError} that says what was found and what is allowed
 */
export function parseGuard(declaration: unknown): Guard | undefined {
  if (declaration === false) return undefined
  if (declaration === undefined) return createGuard({})
  if (typeof declaration !== 'object' || declaration === null || Array.isArray(declaration)) {
    throw invalid('config.auth', declaration, 'false, or an object such as { scopes: […] }')
  }
  for (const name of Object.keys(declaration)) {
    if (!Object.hasOwn(allowed, name))
      throw invalid(`config.auth.${name}`, name, Object.keys(allowed).join(', '))
  }
  return createGuard(declaration)
}

/** What a guard says of a principal: the first of its demands that is not met, or undefined. */
export function judge(
  { demands }: Guard,
  principal: Principal,
  surroundings: Surroundings
): Denial | Refusal | undefined {
  for (const demand of demands) {
    const denial = demand(principal, surroundings)
    if (denial !== undefined) return denial
  }
  return undefined
}

function createGuard(declaration: GuardDeclaration): Guard {
  const scopes = listOf('scopes', declaration.scopes, isScope)
  const anyScope = listOf('anyScope', declaration.anyScope, isScope)
  const named = [...new Set([...scopes, ...anyScope])]
  const checked = {
    scopes,
    anyScope,
    scope: named.length === 0 ? undefined : named.join(' '),
    // in a challenge they stand as scopes do: one value, split by spaces (RFC 9470 section 3)
    acr: listOf('acr', declaration.acr, isScope),
    maxAge: secondsOf('maxAge', declaration.maxAge)
  }
  return Object.freeze({ ...checked, demands: Object.freeze(demandsOf(checked)) })
}

/** First what makes the token a bad one, then what a new sign-in mends, then what is missing in the grant. */
function demandsOf(guard: Omit<Guard, 'demands'>): Demand[] {
  const demands: Demand[] = []
  const hasScopes = (principal: Principal) => grants(guard, principal)
  if (guard.acr.length > 0 || guard.maxAge !== undefined) {
    demands.push(
      (...judged) => judgeAuthenticationClaims(guard, ...judged),
      (principal, surroundings) => {
        if (isAuthenticated(guard, principal, surroundings)) return undefined
        return hasScopes(principal)
          ? 'insufficient_user_authentication'
          : 'insufficient_user_authentication_and_scope'
      }
    )
  }
  if (guard.scope !== undefined)
    demands.push((principal) => (hasScopes(principal) ? undefined : 'insufficient_scope'))
  return demands
}

function grants(
  { scopes, anyScope }: Pick<Guard, 'scopes' | 'anyScope'>,
  { scopes: granted }: Principal
): boolean {
  for (const scope of scopes) if (!granted.includes(scope)) return false
  return anyScope.length === 0 || anyScope.some((scope) => granted.includes(scope))
}

function listOf(
  name: keyof typeof allowed,
  value: unknown,
  isEntry: (entry: unknown) => entry is string
): readonly string[] {
  if (value === undefined) return []
  if (!Array.isArray(value) || value.length === 0 || !value.every(isEntry))
    throw invalid(`config.auth.${name}`, value, allowed[name])
  return Object.freeze([...value])
}

function secondsOf(name: 'maxAge', value: unknown): number | undefined {
  if (value === undefined) return undefined
  if (!Number.isSafeInteger(value) || (value as number) < 0)
    throw invalid(`config.auth.${name}`, value, allowed[name])
  return value as number
}

function invalid(name: string, found: unknown, allowed: string): TypeError {
  return new TypeError(`${name}: found ${JSON.stringify(found)}, allowed: ${allowed}`)
}

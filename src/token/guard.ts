import { types } from 'node:util'
import { type DetailsDeclaration, isDetailsDeclaration } from './authorization-details.ts'
import type { Demand, Denial, Surroundings } from './demand.ts'
import { deepFreeze, type Principal } from './principal.ts'
import type { Refusal } from './refusal.ts'
import { demandsOf, type Requirements } from './requirements.ts'
import { isScope } from './scope.ts'
import { isObject } from '../json/object.ts'
import { isListOf, isText, wrongValue } from '../config/option-check.ts'

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
  /** Issuers whose tokens are allowed, of those that are trusted. */
  readonly issuers?: readonly string[] | undefined
  /** Clients whose tokens are allowed. */
  readonly clients?: readonly string[] | undefined
  /** Whether the token must be bound to a key or certificate of its sender (RFC 9449, RFC 8705). Default false. */
  readonly senderConstrained?: boolean | undefined
  /** Roles or permissions that are all needed, as the issuer's `claims.roles` option finds them. */
  readonly roles?: readonly string[] | undefined
  /** What one object of the token's `authorization_details` must grant (RFC 9396). */
  readonly authorizationDetails?: DetailsDeclaration | undefined
  /**
   * Whether the issuer is asked about the token each time, if it is one that the issuer is asked about (`introspection`):
   * a revoked one is then refused at once. Default false.
   */
  readonly uncached?: boolean | undefined
  /**
   * Whether a request without credentials is let in as well, with null as its `request.principal`; also one whose token is
   * in the query alone, or in a scheme that is not accepted: neither is ever read. One that has a token is judged as
   * without this member: by all the others, and a bad token is refused. Default false.
   */
  readonly optional?: boolean | undefined
  /** Asked last, and at once: false refuses the caller, a throw is an internal error. */
  readonly allow?: ((principal: Principal) => boolean) | undefined
}

/** A checked declaration. */
export interface Guard extends Requirements {
  /** What is asked of a principal, in this order. */
  readonly demands: readonly Demand[]
  /** Whether no kept introspection answer will do. */
  readonly uncached: boolean
  /** Whether requests without credentials are let in. */
  readonly optional: boolean
}

const scopeList = 'a list of one or more scopes (RFC 6749 section 3.3)'

/** The members of a declaration, and what each may be. */
const allowed = {
  scopes: scopeList,
  anyScope: scopeList,
  acr: 'a list of one or more authentication context classes, printable ASCII without spaces',
  maxAge: 'whole seconds, 0 or more',
  issuers: 'a list of one or more issuers',
  clients: 'a list of one or more client ids',
  senderConstrained: 'true or false',
  roles: 'a list of one or more roles',
  authorizationDetails:
    'an object with a type and perhaps lists of actions and datatypes, and the path parameter identifier',
  uncached: 'true or false',
  optional: 'true or false',
  allow: 'a function of the principal that answers true or false at once'
} as const satisfies Record<keyof GuardDeclaration, string>

/**
 * Checks what a route declares as `config.auth`.
 * @returns the guard, or undefined for a public route (`false`)
 * @throws {TypeError} that says what was found and what is allowed
 */
export function parseGuard(declaration: unknown): Guard | undefined {
  if (declaration === false) return undefined
  if (declaration === undefined) return createGuard({})
  if (!isObject(declaration)) {
    throw wrongValue('config.auth', declaration, 'false, or an object such as { scopes: […] }')
  }
  for (const name of Object.keys(declaration)) {
    if (!Object.hasOwn(allowed, name))
      throw wrongValue(`config.auth.${name}`, name, Object.keys(allowed).join(', '))
  }
  return createGuard(declaration)
}

/**
 * What a guard says of a principal: the first of its demands that is not met, or undefined.
 * @param params the path parameters of the request
 * @throws whatever the predicate of the route throws
 */
export function judge(
  { demands }: Guard,
  principal: Principal,
  surroundings: Surroundings,
  params?: unknown
): Denial | Refusal | undefined {
  for (const demand of demands) {
    const denial = demand(principal, surroundings, params)
    if (denial !== undefined) return denial
  }
  return undefined
}

function createGuard(declaration: GuardDeclaration): Guard {
  const scopes = listOf('scopes', declaration.scopes, isScope)
  const anyScope = listOf('anyScope', declaration.anyScope, isScope)
  const named = [...new Set([...scopes, ...anyScope])]
  const required = {
    scopes,
    anyScope,
    scope: named.length === 0 ? undefined : named.join(' '),
    // in a challenge they stand as scopes do: one value, split by spaces (RFC 9470 section 3)
    acr: listOf('acr', declaration.acr, isScope),
    maxAge: secondsOf(declaration.maxAge),
    issuers: listOf('issuers', declaration.issuers, isText),
    clients: listOf('clients', declaration.clients, isText),
    senderConstrained: switchOf('senderConstrained', declaration.senderConstrained),
    roles: listOf('roles', declaration.roles, isText),
    authorizationDetails: detailsOf(declaration.authorizationDetails),
    allow: predicateOf(declaration.allow)
  }
  const uncached = switchOf('uncached', declaration.uncached)
  const optional = switchOf('optional', declaration.optional)
  return Object.freeze({ ...required, demands: demandsOf(required), uncached, optional })
}

function listOf(
  name: keyof typeof allowed,
  value: unknown,
  isEntry: (entry: unknown) => entry is string
): readonly string[] {
  if (value === undefined) return []
  if (!isListOf(value, isEntry)) throw wrongValue(`config.auth.${name}`, value, allowed[name])
  return Object.freeze([...value])
}

function switchOf(name: keyof typeof allowed, value: unknown): boolean {
  if (value === undefined || typeof value === 'boolean') return value === true
  throw wrongValue(`config.auth.${name}`, value, allowed[name])
}

function secondsOf(value: unknown): number | undefined {
  if (value === undefined) return undefined
  if (!Number.isSafeInteger(value) || (value as number) < 0)
    throw wrongValue('config.auth.maxAge', value, allowed.maxAge)
  return value as number
}

function detailsOf(value: unknown): DetailsDeclaration | undefined {
  if (value === undefined) return undefined
  if (!isDetailsDeclaration(value))
    throw wrongValue('config.auth.authorizationDetails', value, allowed.authorizationDetails)
  return deepFreeze(structuredClone(value))
}

function predicateOf(value: GuardDeclaration['allow']): Requirements['allow'] {
  if (value === undefined) return undefined
  if (typeof value !== 'function') throw wrongValue('config.auth.allow', value, allowed.allow)
  if (types.isAsyncFunction(value))
    throw wrongValue('config.auth.allow', 'an async function', allowed.allow)
  return value
}

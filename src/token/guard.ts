import type { Principal } from './principal.ts'
import { isScope } from './scope.ts'

/** What a route demands of its caller; an empty object demands a valid token and nothing more. */
export interface GuardDeclaration {
  /** Scopes that are all needed. */
  readonly scopes?: readonly string[] | undefined
  /** Scopes of which one is needed. */
  readonly anyScope?: readonly string[] | undefined
}

/** A checked declaration. */
export interface Guard {
  readonly scopes: readonly string[]
  readonly anyScope: readonly string[]
  /** All scopes the route names, split by spaces, as a challenge and the metadata show them; undefined if none. */
  readonly scope: string | undefined
}

const members = new Set(['scopes', 'anyScope'])

/**
 * Checks what a route declares as `config.auth`.
 * @returns the guard, or undefined for a public route (`false`)
 * @throws {TypeError} that says what was found and what is allowed
 */
export function parseGuard(declaration: unknown): Guard | undefined {
  if (declaration === false) return undefined
  if (declaration === undefined) return createGuard({})
  if (typeof declaration !== 'object' || declaration === null || Array.isArray(declaration)) {
    throw invalid('config.auth', declaration, 'false, or an object with scopes or anyScope')
  }
  for (const name of Object.keys(declaration)) {
    if (!members.has(name)) throw invalid(`config.auth.${name}`, name, [...members].join(', '))
  }
  return createGuard(declaration)
}

/** Whether the scopes of a principal satisfy a guard. */
export function allows({ scopes, anyScope }: Guard, principal: Principal): boolean {
  const granted = principal.scopes
  for (const scope of scopes) if (!granted.includes(scope)) return false
  return anyScope.length === 0 || anyScope.some((scope) => granted.includes(scope))
}

function createGuard(declaration: GuardDeclaration): Guard {
  const scopes = scopesOf('scopes', declaration.scopes)
  const anyScope = scopesOf('anyScope', declaration.anyScope)
  const named = [...new Set([...scopes, ...anyScope])]
  return Object.freeze({
    scopes,
    anyScope,
    scope: named.length === 0 ? undefined : named.join(' ')
  })
}

function scopesOf(name: string, value: readonly string[] | undefined): readonly string[] {
  if (value === undefined) return []
  if (!Array.isArray(value) || value.length === 0 || !value.every(isScope)) {
    throw invalid(
      `config.auth.${name}`,
      value,
      'a list of one or more scopes (RFC 6749 section 3.3)'
    )
  }
  return Object.freeze([...value])
}

function invalid(name: string, found: unknown, allowed: string): TypeError {
  return new TypeError(`${name}: found ${JSON.stringify(found)}, allowed: ${allowed}`)
}

import { isScope } from './scope.ts'
import { isObject } from '../json/object.ts'
import { check, isListOf, wrongValue } from '../config/option-check.ts'

/** By scope, all the scopes that come with it, near and far. */
export type ScopeHierarchy = ReadonlyMap<string, readonly string[]>

/** What is said of scopes: by scope, those that whoever has it has as well. */
export type ScopeImplications = Readonly<Record<string, readonly string[]>>

/** The hierarchy in which every scope stands for itself alone. */
export const flatHierarchy: ScopeHierarchy = new Map()

/**
 * Follows implications to their ends.
 * @throws {TypeError} for what is no scope, and for a scope that implies itself
 */
export function createScopeHierarchy(implies: ScopeImplications | undefined): ScopeHierarchy {
  if (implies === undefined) return flatHierarchy
  if (!isObject(implies))
    throw wrongValue('scopeImplies', implies, 'an object of scopes, each with a list of scopes')
  const direct = new Map(Object.entries(implies))
  for (const [scope, implied] of direct) checkEntry(scope, implied)
  const followed = new Map<string, readonly string[]>()
  for (const scope of direct.keys()) follow(scope, { direct, followed, way: [] })
  return followed
}

/** The scopes with those that they imply; the very list that was given if they imply none. */
export function withImplied(
  scopes: readonly string[],
  hierarchy: ScopeHierarchy
): readonly string[] {
  if (hierarchy.size === 0 || !scopes.some((scope) => hierarchy.has(scope))) return scopes
  const implied = scopes.flatMap((scope) => hierarchy.get(scope) ?? [])
  return Object.freeze([...new Set([...scopes, ...implied])])
}

interface Walk {
  readonly direct: ScopeHierarchy
  readonly followed: Map<string, readonly string[]>
  /** The scopes that led here. */
  readonly way: readonly string[]
}

function follow(scope: string, { direct, followed, way }: Walk): readonly string[] {
  const known = followed.get(scope)
  if (known !== undefined) return known
  const here = [...way, scope]
  if (way.includes(scope))
    throw wrongValue('scopeImplies', here.join(' > '), 'no scope that implies itself')
  const next = direct.get(scope) ?? []
  const far = next.flatMap((one) => follow(one, { direct, followed, way: here }))
  const all = Object.freeze([...new Set([...next, ...far])])
  if (direct.has(scope)) followed.set(scope, all)
  return all
}

function checkEntry(scope: string, implied: unknown): void {
  const name = `scopeImplies[${JSON.stringify(scope)}]`
  check(isScope(scope), 'scopeImplies', scope, 'scopes (RFC 6749 section 3.3)')
  const allowed = 'a list of one or more scopes (RFC 6749 section 3.3)'
  check(isListOf(implied, isScope), name, implied, allowed)
}

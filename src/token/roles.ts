import { isObject } from '../json/object.ts'

/** Where a claim is: the names of members, from the outermost inwards. */
export type ClaimPath = readonly string[]

/** Stands, as the last name, for the names of an object's members. */
const memberNames = '*'

/** Whether a text names a claim: names joined by dots, none of them empty; or one name that is a URI. */
export function isClaimPath(value: unknown): value is string {
  if (typeof value !== 'string') return false
  const path = parseClaimPath(value)
  return path.every((name) => name !== '') && !path.slice(0, -1).includes(memberNames)
}

/**
 * `realm_access.roles` is a member of a member; `https://api.example.com/roles` is one name, dots and all; `roles.*`
 * stands for the names of the members of `roles`.
 */
export function parseClaimPath(text: string): ClaimPath {
  if (text.endsWith(`.${memberNames}`)) return [...parseClaimPath(text.slice(0, -2)), memberNames]
  return text.includes('://') ? [text] : text.split('.')
}

const noRoles: readonly string[] = Object.freeze([])

/**
 * The roles that claims grant: those of all paths, without repetitions. A claim is an array of strings, or a string,
 * which is one role; any other form grants nothing. Roles are compared exactly.
 */
export function grantedRoles(
  claims: Readonly<Record<string, unknown>>,
  paths: readonly ClaimPath[]
): readonly string[] {
  if (paths.length === 0) return noRoles
  const found = paths.flatMap((path) => rolesIn(claimAt(claims, path)))
  return Object.freeze([...new Set(found)])
}

function rolesIn(value: unknown): readonly string[] {
  const roles: unknown[] = Array.isArray(value) ? value : [value]
  const isRole = (role: unknown): role is string => typeof role === 'string'
  return roles.every(isRole) ? roles.filter((role) => role !== '') : noRoles
}

/** The value of a claim; for a path that ends in `*`, the names of its members. Undefined if there is none. */
export function claimAt(claims: unknown, path: ClaimPath): unknown {
  let value = claims
  for (const name of path) value = name === memberNames ? namesIn(value) : memberOf(value, name)
  return value
}

function memberOf(value: unknown, name: string): unknown {
  return hasMember(value, name) ? value[name] : undefined
}

/** A member that is false or null says that there is no such role. */
function namesIn(value: unknown): readonly string[] | undefined {
  if (!isObject(value)) return undefined
  return Object.entries(value).flatMap(([name, member]) =>
    member === false || member === null ? [] : [name]
  )
}

function hasMember(value: unknown, name: string): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && Object.hasOwn(value, name)
}

/** Where a claim is: the names of members, from the outermost inwards. */
export type ClaimPath = readonly string[]

/** Whether a text names a claim: names joined by dots, none of them empty; or one name that is a URI. */
export function isClaimPath(value: unknown): value is string {
  return typeof value === 'string' && parseClaimPath(value).every((name) => name !== '')
}

/** `realm_access.roles` is a member of a member; `https://api.example.com/roles` is one name, dots and all. */
export function parseClaimPath(text: string): ClaimPath {
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

function claimAt(claims: unknown, path: ClaimPath): unknown {
  return path.reduce((value, name) => (hasMember(value, name) ? value[name] : undefined), claims)
}

function hasMember(value: unknown, name: string): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && Object.hasOwn(value, name)
}

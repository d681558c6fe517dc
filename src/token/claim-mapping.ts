import { type ClaimPath, isClaimPath, parseClaimPath } from './roles.ts'
import { flatHierarchy, type ScopeHierarchy } from './scope-hierarchy.ts'

/** Where an issuer puts what no specification gives a place. */
export interface ClaimNames {
  /**
   * The claim, or claims, with the caller's roles or permissions: names joined by dots (`realm_access.roles`), or a URI
   * as one name. Default: none, and nobody has a role.
   */
  readonly roles?: string | readonly string[] | undefined
}

/** How a principal is read from claims, beyond what all issuers have in common. */
export interface ClaimMapping {
  readonly roles: readonly ClaimPath[]
  /** The same for all issuers of an API. */
  readonly scopes: ScopeHierarchy
}

/** The mapping of an issuer that says nothing. */
export const plainMapping: ClaimMapping = Object.freeze({ roles: [], scopes: flatHierarchy })

/**
 * Checks where an issuer has its claims.
 * @throws {TypeError} that names the option, what was found and what is allowed
 */
export function createClaimMapping(
  names: ClaimNames = {},
  scopes: ScopeHierarchy = flatHierarchy
): ClaimMapping {
  if (typeof names !== 'object' || names === null || Array.isArray(names))
    throw invalid('claims', names, 'an object such as { roles: "realm_access.roles" }')
  for (const name of Object.keys(names))
    if (name !== 'roles') throw invalid(`claims.${name}`, name, 'roles')
  return Object.freeze({ roles: pathsOf(names.roles), scopes })
}

function pathsOf(roles: ClaimNames['roles']): readonly ClaimPath[] {
  if (roles === undefined) return []
  const paths: unknown = typeof roles === 'string' ? [roles] : roles
  if (!Array.isArray(paths) || paths.length === 0 || !paths.every(isClaimPath))
    throw invalid('claims.roles', roles, 'one or more claims such as realm_access.roles')
  return paths.map(parseClaimPath)
}

function invalid(name: string, found: unknown, allowed: string): TypeError {
  return new TypeError(`${name}: found ${JSON.stringify(found)}, allowed: ${allowed}`)
}

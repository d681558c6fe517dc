import { type ClaimPath, isClaimPath, parseClaimPath } from './roles.ts'
import { flatHierarchy, type ScopeHierarchy } from './scope-hierarchy.ts'
import { isObject } from '../json/object.ts'
import { check, isListOf, wrongValue } from '../config/option-check.ts'

/** One or more claims: names joined by dots (`realm_access.roles`), or a URI as one name. */
type ClaimName = string | readonly string[]

/**
 * Where an issuer puts what no specification gives a place. A name that ends in `.*` stands for the names of an
 * object's members; `{audience}` in it for each audience of this API.
 */
export interface ClaimNames {
  /** The caller's roles or permissions, those of all claims. Default: none, and nobody has a role. */
  readonly roles?: ClaimName | undefined
  /** The granted scopes, those of all claims. Default `scope`, or `scp` where there is none. */
  readonly scopes?: ClaimName | undefined
  /** The client that the token was issued to: the first claim that has one. Default `client_id`, then `azp`. */
  readonly client?: ClaimName | undefined
  /** The identifier of the token: the first claim that has one. Default `jti`. */
  readonly tokenId?: ClaimName | undefined
}

/** How a principal is read from claims, beyond what all issuers have in common. */
export interface ClaimMapping {
  readonly roles: readonly ClaimPath[]
  /** Undefined for the claims that all issuers may have. */
  readonly scopeClaims: readonly ClaimPath[] | undefined
  readonly client: readonly ClaimPath[]
  readonly tokenId: readonly ClaimPath[]
  /** The same for all issuers of an API. */
  readonly scopes: ScopeHierarchy
}

/** The mapping of an issuer that says nothing. */
export const plainMapping: ClaimMapping = Object.freeze({
  roles: [],
  scopeClaims: undefined,
  client: [['client_id'], ['azp']],
  tokenId: [['jti']],
  scopes: flatHierarchy
})

const knownNames: Readonly<Record<keyof ClaimNames, true>> = {
  roles: true,
  scopes: true,
  client: true,
  tokenId: true
}
const names = Object.keys(knownNames)

/**
 * Checks where an issuer has its claims.
 * @param audiences what `{audience}` stands for
 * @throws {TypeError} that names the option, what was found and what is allowed
 */
export function createClaimMapping(
  claims: ClaimNames = {},
  scopes: ScopeHierarchy = flatHierarchy,
  audiences: ReadonlySet<string> = new Set()
): ClaimMapping {
  // a plain boolean, so that the names keep their types
  const isMapping: boolean = isObject(claims)
  check(isMapping, 'claims', claims, 'an object such as { roles: "realm_access.roles" }')
  for (const name of Object.keys(claims))
    if (!names.includes(name)) throw wrongValue(`claims.${name}`, name, names.join(', '))
  const pathsOf = (name: keyof ClaimNames) => readPaths(name, claims[name], audiences)
  return Object.freeze({
    roles: pathsOf('roles') ?? plainMapping.roles,
    scopeClaims: pathsOf('scopes'),
    client: pathsOf('client') ?? plainMapping.client,
    tokenId: pathsOf('tokenId') ?? plainMapping.tokenId,
    scopes
  })
}

function readPaths(
  name: string,
  found: ClaimName | undefined,
  audiences: ReadonlySet<string>
): readonly ClaimPath[] | undefined {
  if (found === undefined) return undefined
  const texts: unknown = typeof found === 'string' ? [found] : found
  if (!isListOf(texts, isClaimPath))
    throw wrongValue(`claims.${name}`, found, 'one or more claims such as realm_access.roles')
  return texts.flatMap((text) => forAudiences(parseClaimPath(text), audiences))
}

/** Put in after the path is cut, so that dots of an audience do not count. */
function forAudiences(path: ClaimPath, audiences: ReadonlySet<string>): readonly ClaimPath[] {
  const placeholder = '{audience}'
  if (!path.some((name) => name.includes(placeholder))) return [path]
  return [...audiences].map((audience) =>
    path.map((name) => name.replaceAll(placeholder, () => audience))
  )
}

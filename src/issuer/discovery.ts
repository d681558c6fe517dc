import { type BoundedFetch, type BoundedResponse, isAllowedUrl } from './bounded-fetch.ts'
import { IssuerFaultError } from './issuer-fault.ts'
import { parseJsonObject } from './response.ts'
import { documentHome } from './issuer-template.ts'

/** What is used of an issuer's metadata (OpenID Connect Discovery 1.0 section 3, RFC 8414 section 2). */
export interface IssuerMetadata {
  readonly issuer: string
  readonly jwks_uri: string
  readonly userinfo_endpoint: string | undefined
  readonly introspection_endpoint: string | undefined
  readonly token_endpoint: string | undefined
}

/** Most octets of a discovery document or key set. */
export const maxMetadataBytes = 1024 * 1024

/**
 * Reads the discovery document of an issuer: OpenID Connect's first, then the one of RFC 8414.
 * @throws {IssuerFaultError} if neither is there, or the one that is there is not this issuer's
 * @throws {UpstreamError}
 */
export async function discover(issuer: string, fetch: BoundedFetch): Promise<IssuerMetadata> {
  const first = await readDocument(openidConfigurationUrl(issuer), fetch)
  const found =
    first.status === 404 ? await readDocument(authorizationServerUrl(issuer), fetch) : first
  return parseMetadata(parseJsonObject(found, 'the discovery document'), issuer)
}

/**
 * Compares the RFC 8414 document, if there is one, with the metadata in use (RFC 9068 section 4).
 * @returns whether they agree; true as well if there is no second document
 */
export async function agreesWithAuthorizationServerMetadata(
  metadata: IssuerMetadata,
  fetch: BoundedFetch
): Promise<boolean> {
  const response = await readDocument(authorizationServerUrl(metadata.issuer), fetch)
  if (response.status !== 200) return true
  const second = parseJsonObject(response, 'the authorization server metadata')
  return second['issuer'] === metadata.issuer && second['jwks_uri'] === metadata.jwks_uri
}

/** Checks metadata that was read from the issuer or kept from an earlier run. @throws {IssuerFaultError} */
export function parseMetadata(
  document: Readonly<Record<string, unknown>>,
  issuer: string
): IssuerMetadata {
  const { issuer: named, jwks_uri } = document
  const userinfo_endpoint = document['userinfo_endpoint'] ?? undefined
  const introspection_endpoint = document['introspection_endpoint'] ?? undefined
  if (named !== issuer) {
    // for the log, where a name without end would be repeated at every attempt
    const other = typeof named === 'string' ? JSON.stringify(named.slice(0, 200)) : 'without a name'
    throw new IssuerFaultError(issuer, `the discovery document is of the issuer ${other}`)
  }
  const home = new URL(issuer)
  if (!isAllowedUrl(jwks_uri, home))
    throw new IssuerFaultError(issuer, 'its jwks_uri is missing or not allowed')
  if (userinfo_endpoint !== undefined && !isAllowedUrl(userinfo_endpoint, home)) {
    throw new IssuerFaultError(issuer, 'its userinfo_endpoint is not allowed')
  }
  if (introspection_endpoint !== undefined && !isAllowedUrl(introspection_endpoint, home)) {
    throw new IssuerFaultError(issuer, 'its introspection_endpoint is not allowed')
  }
  // few need it, and they are told that it is missing: no reason to do without the issuer's keys
  const { token_endpoint: tokenEndpoint } = document
  const token_endpoint = isAllowedUrl(tokenEndpoint, home) ? tokenEndpoint : undefined
  return { issuer, jwks_uri, userinfo_endpoint, introspection_endpoint, token_endpoint }
}

function readDocument(url: string, fetch: BoundedFetch): Promise<BoundedResponse> {
  return fetch(url, { maxBytes: maxMetadataBytes, headers: { accept: 'application/json' } })
}

/** One final slash is removed before the suffix is added (Discovery section 4.1). */
function openidConfigurationUrl(issuer: string): string {
  return `${documentHome(issuer).replace(/\/$/, '')}/.well-known/openid-configuration`
}

/** RFC 8414 section 3.1 puts the suffix between host and path. */
function authorizationServerUrl(issuer: string): string {
  const { origin, pathname } = new URL(documentHome(issuer))
  return `${origin}/.well-known/oauth-authorization-server${pathname.replace(/\/$/, '')}`
}

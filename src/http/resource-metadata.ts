/** Path of the metadata of a protected resource whose URL has no path (RFC 9728 section 3). */
export const metadataRoot = '/.well-known/oauth-protected-resource'

/** Route of the metadata of a protected resource whose path is not known yet. */
export const metadataBelowRoot = `${metadataRoot}/*`

/** Path of the metadata of a protected resource: the suffix stands between host and path (RFC 9728 section 3.1). */
export function metadataPath(resource: string): string {
  const { pathname, search } = new URL(resource)
  return metadataRoot + (pathname === '/' ? '' : pathname) + search
}

/** URL of the metadata of a protected resource, an absolute URL (RFC 9728 section 3.1). */
export function metadataUrl(resource: string): string {
  return new URL(resource).origin + metadataPath(resource)
}

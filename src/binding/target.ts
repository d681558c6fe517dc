/**
 * The target URI of a request as its client sees it (RFC 9449 section 4.3): the public URL of the API and the path of
 * the request, without query. Nothing of it comes from the Host field.
 * @param url the request line's target: `/path?query`, or an absolute URL
 * @returns undefined if there is no such URL
 */
export function targetOf(publicUrl: string, url: string): string | undefined {
  const path = url.replace(/^https?:\/\/[^/?#]*/i, '')
  // a router may find a path in what has none (`http://host?/path`)
  return path.startsWith('/') ? normalizedTarget(publicUrl.replace(/\/+$/, '') + path) : undefined
}

/**
 * Normalizes a URL by syntax and scheme (RFC 3986 sections 6.2.2 and 6.2.3): two that name the same target become the
 * same text. Drops query and fragment.
 * @returns undefined for what is no http or https URL
 */
export function normalizedTarget(text: string): string | undefined {
  const url = URL.canParse(text) ? new URL(text) : undefined
  if (url === undefined || !/^https?:$/.test(url.protocol)) return undefined
  url.search = ''
  url.hash = ''
  return url.href.replaceAll(/%[0-9a-f]{2}/gi, decodeUnreserved)
}

/** Letters, digits and `-._~` mean the same with and without percent-encoding; of others the hex digits do. */
function decodeUnreserved(encoded: string): string {
  const character = String.fromCharCode(Number.parseInt(encoded.slice(1), 16))
  return /[\w.~-]/.test(character) ? character : encoded.toUpperCase()
}

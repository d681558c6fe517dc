import { isLoopbackHost } from './bounded-fetch.ts'

/**
 * Whether a text is an absolute URL that can name an issuer or an API: https (http on loopback hosts only), without
 * credentials, query, fragment or white space (OpenID Connect Discovery 1.0 section 2, RFC 9728 section 1.2).
 */
export function isIdentifierUrl(text: string): boolean {
  if (/[\s?#\\]/.test(text) || !/^https?:\/\//.test(text) || !URL.canParse(text)) return false
  const { protocol, hostname, username, password } = new URL(text)
  return username + password === '' && (protocol === 'https:' || isLoopbackHost(hostname))
}

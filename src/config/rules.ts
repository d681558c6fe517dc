import { isIPv4, isIPv6 } from 'node:net'
import { isIdentifierUrl } from '../issuer/identifier-url.ts'

/** True for what can stand as a host in a URL: a name, or an IP address without brackets, and no port. */
export function isHost(text: string): boolean {
  if (text.includes(':')) return isIPv6(text) && !text.includes('%')
  return /^[^\s/?#@\\[\]]+$/.test(text) && URL.canParse(`http://${text}`)
}

/** True for {@link isIdentifierUrl} URLs to which a path can be appended. */
export function isBaseUrl(text: string): boolean {
  return isIdentifierUrl(text) && !text.endsWith('/')
}

/** True for an exact origin as browsers send it; apps have schemes of their own (`capacitor://localhost`). */
export function isOrigin(text: string): boolean {
  if (!/^[a-z][a-z0-9+.-]*:\/\/[^\s/?#@*\\]+$/.test(text) || !URL.canParse(text)) return false
  return !text.startsWith('http') || new URL(text).origin === text
}

/** True for an IP address or a CIDR block that is not the whole Internet. */
export function isAddressBlock(text: string): boolean {
  const [address = '', prefix, ...rest] = text.split('/')
  const bits = addressBits(address)
  if (bits === 0 || rest.length > 0) return false
  return prefix === undefined || (/^[1-9]\d{0,2}$/.test(prefix) && Number(prefix) <= bits)
}

/** True for the database URLs that this version opens. */
export function isDatabaseUrl(text: string): boolean {
  return text === 'memory://' || (/^postgres(ql)?:\/\/\S+$/.test(text) && URL.canParse(text))
}

/** True for the URL of a Redis server: `redis://…`, or `rediss://…` for TLS. */
export function isRedisUrl(text: unknown): text is string {
  return typeof text === 'string' && /^rediss?:\/\/\S+$/.test(text) && URL.canParse(text)
}

/** True for a directory, or `memory://` for none. */
export function isDataDirectory(text: string): boolean {
  return text === 'memory://' || (text !== '' && !/^[a-z][a-z0-9+.-]+:/i.test(text))
}

function addressBits(address: string): number {
  if (isIPv4(address)) return 32
  return isIPv6(address) ? 128 : 0
}

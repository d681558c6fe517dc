import { ConfigError } from './error.ts'
import type { Config } from './schema.ts'

/**
 * The issuers whose tokens open what administrators do. Default: those that are listed by their own name. Tenants of a
 * provider are not, because who runs one can grant any scope there.
 * @throws {ConfigError} for one that is not among the issuers
 */
export function adminIssuersOf({ adminIssuers, issuers }: Config): readonly string[] {
  const listed = issuers.filter(({ tenants }) => tenants === undefined).map(({ issuer }) => issuer)
  const stranger = adminIssuers?.find((issuer) => !listed.includes(issuer))
  if (stranger === undefined) return adminIssuers ?? listed
  const allowed = `issuers that are listed without tenants: ${listed.join(', ') || 'there is none'}`
  throw new ConfigError('adminIssuers', JSON.stringify(stranger), allowed)
}

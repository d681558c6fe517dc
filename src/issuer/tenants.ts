import { hasPlaceholder, isIssuerTemplate, isTenantId } from './issuer-template.ts'
import { check, isListOf, wrongOption } from '../config/option-check.ts'

export interface TenantOptions {
  readonly issuer: string
  readonly tenants?: readonly string[] | 'any' | undefined
  readonly tokens?: readonly string[] | undefined
  readonly securityEvents?: object | undefined
}

/**
 * Checks which tenants of a provider are trusted. Anybody can get a tenant of a large provider, and with it tokens that
 * look as good as others: so "any" has to be said.
 * @throws {TypeError} that names the option, what was found and what is allowed
 */
export function checkTenants({ issuer, tenants, tokens, securityEvents }: TenantOptions): void {
  if (!hasPlaceholder(issuer)) {
    check(tenants === undefined, 'tenants', tenants, 'nothing, as issuer has no {tenantid}')
    return
  }
  check(isIssuerTemplate(issuer), 'issuer', issuer, '{tenantid} as one segment of the path')
  const isList = isListOf(tenants, isTenantId)
  check(isList || tenants === 'any', 'tenants', tenants, 'a list of lower-case GUIDs, or "any"')
  if (isList && new Set(tenants).size < tenants.length)
    throw wrongOption('tenants', 'a tenant twice', 'each once')
  const isJwt = tokens === undefined || !tokens.includes('opaque')
  check(isJwt, 'tokens', tokens, 'jwt alone, as issuer has {tenantid}')
  // a session that they name could be one of any tenant: the event would be taken, and end nothing
  if (securityEvents !== undefined)
    throw wrongOption('securityEvents', 'a value', 'nothing, as issuer has {tenantid}')
}

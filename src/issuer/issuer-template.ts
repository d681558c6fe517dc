/** What stands for the tenant in the issuer of a provider with many tenants, as Entra's metadata writes it. */
export const tenantMark = '{tenantid}'

/** How a tenant is written in `iss`: comparisons stay exact, so there is one spelling. */
const tenantId = /[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}/

/** Whether an issuer is written with something to fill in, so that no token can have it as its `iss`. */
export function hasPlaceholder(issuer: string): boolean {
  return /[{}]/.test(issuer)
}

/** Whether an issuer has {@link tenantMark} as one whole segment of its path, and nothing else to fill in. */
export function isIssuerTemplate(issuer: string): boolean {
  const [start = '', end, ...more] = issuer.split(tenantMark)
  if (end === undefined || more.length > 0 || hasPlaceholder(start + end)) return false
  return /^https?:\/\/[^/]+\/(?:.*\/)?$/.test(start) && /^(?:\/|$)/.test(end)
}

/** Whether a text is the id of a tenant: a GUID in lower case, as tokens have it. */
export function isTenantId(text: unknown): text is string {
  return typeof text === 'string' && text.length === 36 && tenantId.test(text)
}

/** The issuer of one tenant, as its tokens say it. */
export function issuerOfTenant(template: string, tenant: string): string {
  return template.replace(tenantMark, tenant)
}

/** Whether `iss` is exactly what the template becomes for some tenant. */
export function fitsTemplate(template: string, iss: string): boolean {
  const tenant = tenantId.exec(iss)?.[0]
  return tenant !== undefined && template.replaceAll(tenantMark, tenant) === iss
}

/**
 * Whether a key may sign for an issuer. In key sets that several issuers share each key says whose it is: a tenant's, or
 * with a template, every tenant's. What is no URL is something else than an issuer, and says nothing.
 */
export function maySignFor(iss: string, keyIssuer: string | undefined): boolean {
  if (keyIssuer === undefined || !/^https?:\/\//.test(keyIssuer)) return true
  return keyIssuer === iss || fitsTemplate(keyIssuer, iss)
}

/** The URL below which the metadata of an issuer stands: for a template, that of all tenants together. */
export function documentHome(issuer: string): string {
  return issuer.replace(tenantMark, 'common')
}

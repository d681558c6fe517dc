import { LRUCache } from 'lru-cache'
import type { Entries } from './issuer-entries.ts'
import { fitsTemplate, issuerOfTenant } from './issuer-template.ts'
import type { TrustedIssuer } from './trusted-issuer.ts'

/** Finds an issuer by its exact identifier. */
type Find = (iss: string) => TrustedIssuer | undefined

/** The issuers that tokens name, where options may name the template of several. */
export interface Tenants {
  readonly byIss: ReadonlyMap<string, TrustedIssuer>
  /** Find the tenant of a template with any tenant; in the order of the options. */
  readonly templates: readonly Find[]
}

/** Tenants of one template that are kept at hand; making one again costs next to nothing. */
const maxTenants = 1000

/**
 * Spreads templates to their tenants, which share key set, connections and all else but their name.
 * @throws {TypeError} if a tenant is listed by itself as well
 */
export function spreadTenants(entries: Entries): Tenants {
  const byIss = new Map<string, TrustedIssuer>()
  const templates: Find[] = []
  for (const { options, issuer } of entries.values()) {
    const { tenants } = options
    if (tenants === 'any') templates.push(createTenantFinder(issuer))
    for (const iss of namesOf(options.issuer, tenants)) {
      if (byIss.has(iss)) throw new TypeError(`issuers: ${iss} is listed twice`)
      byIss.set(iss, tenants === undefined ? issuer : tenantOf(issuer, iss))
    }
  }
  return { byIss, templates }
}

function namesOf(issuer: string, tenants: readonly string[] | 'any' | undefined) {
  if (tenants === 'any') return []
  return tenants?.map((tenant) => issuerOfTenant(issuer, tenant)) ?? [issuer]
}

function createTenantFinder(template: TrustedIssuer): Find {
  const known = new LRUCache<string, TrustedIssuer>({ max: maxTenants })
  return (iss) => {
    const found = known.get(iss)
    if (found !== undefined || !fitsTemplate(template.policy.issuer, iss)) return found
    const tenant = tenantOf(template, iss)
    known.set(iss, tenant)
    return tenant
  }
}

function tenantOf(template: TrustedIssuer, iss: string): TrustedIssuer {
  return { ...template, policy: { ...template.policy, issuer: iss } }
}

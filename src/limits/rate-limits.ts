/** What is counted: requests of one caller, requests from one address, refused access tokens from one address. */
export const policyNames = ['principal', 'address', 'failed'] as const

export type PolicyName = (typeof policyNames)[number]

/** So many requests, or refusals, in so many seconds. */
export interface RatePolicy {
  readonly name: PolicyName
  readonly quota: number
  readonly window: number
}

/** How a caller or an address stands. */
export interface Standing {
  readonly remaining: number
  /** Seconds until all is allowed again. */
  readonly ttlInSeconds: number
}

/** The limits that are on. */
export type RateLimits = Partial<Readonly<Record<PolicyName, RatePolicy>>>

/** What the service allows unless its settings say otherwise: more than an app or an office needs, less than a flood. */
export const defaultRateLimit = 'principal=6000/60, address=30000/60, failed=3000/60'

/** What {@link parseRateLimits} reads, in words. */
export const rateLimitForm =
  'off, or a list such as principal=6000/60, address=30000/60, failed=3000/60 (requests/seconds, or off)'

const entry = /^([a-z]+)=(?:off|([1-9]\d{0,8})\/([1-9]\d{0,4}))$/

/**
 * Reads limits: `off`, or a list of `name=requests/seconds` and `name=off`, separated by commas. What it does not name
 * is as {@link defaultRateLimit} says.
 * @returns undefined for any other text
 */
export function parseRateLimits(text: string): RateLimits | undefined {
  if (text === 'off') return {}
  const limits: Partial<Record<PolicyName, RatePolicy>> = {}
  // what comes later counts more
  for (const part of `${defaultRateLimit}, ${text}`.split(',')) {
    const [, name, quota, window] = entry.exec(part.trim()) ?? []
    if (!isPolicyName(name)) return undefined
    delete limits[name]
    if (quota !== undefined) limits[name] = { name, quota: Number(quota), window: Number(window) }
  }
  return limits
}

function isPolicyName(name: string | undefined): name is PolicyName {
  return policyNames.some((known) => known === name)
}

/** The RateLimit-Policy field: what is allowed (draft-ietf-httpapi-ratelimit-headers, section 3). */
export function policyField(limits: RateLimits): string {
  const policies = policyNames.flatMap((name) => limits[name] ?? [])
  return policies.map(({ name, quota, window }) => `"${name}";q=${quota};w=${window}`).join(', ')
}

/** The RateLimit field: what is left, and for how many seconds (section 4 of the same draft). */
export function currentField({ name }: RatePolicy, { remaining, ttlInSeconds }: Standing): string {
  return `"${name}";r=${remaining};t=${ttlInSeconds}`
}

const counted: Readonly<Record<PolicyName, string>> = {
  principal: 'requests of one caller',
  address: 'requests from one address',
  failed: 'refused access tokens from one address'
}

/** What a client is told that goes beyond a limit. */
export function excessDetail({ name, quota, window }: RatePolicy): string {
  return `More than ${quota} ${counted[name]} in ${window} seconds.`
}

import { silentObserver, type Observer } from '../observe/observer.ts'
import { type Algorithm, supportedAlgorithms } from '../token/algorithms.ts'
import { type ClaimMapping, type ClaimNames, createClaimMapping } from '../token/claim-mapping.ts'
import type { ScopeHierarchy } from '../token/scope-hierarchy.ts'
import type { TokenPolicy } from '../token/policy.ts'
import { normalizedType } from '../token/token-type.ts'
import { type BoundedFetchOptions, createBoundedFetch } from './bounded-fetch.ts'
import { isIdentifierUrl } from './identifier-url.ts'
import { KeySet, type KeySetStore } from './key-set.ts'
import { createKeySource } from './key-source.ts'
import type { SignatureCheckFactory } from './signing-key.ts'
import { createUserInfoReader, type UserInfoReader } from './userinfo.ts'

/** What is said of an issuer in the options or the configuration. Only `issuer` and `audience` are required. */
export interface IssuerOptions {
  /** The issuer's identifier, compared with `iss` byte by byte. An https URL; http on loopback only. */
  readonly issuer: string
  /** The audience, or audiences, that this API answers to. */
  readonly audience: string | readonly string[]
  /** Accepted signature algorithms. Default: all supported ones, which are all asymmetric. */
  readonly algorithms?: readonly Algorithm[] | undefined
  /** Accepted `typ` headers. Default `at+jwt` and `JWT`; RFC 9068 alone wants `at+jwt`. */
  readonly typ?: readonly string[] | undefined
  /** Seconds by which the clocks of issuer and API may differ, 0 to 300. Default 5. */
  readonly clockTolerance?: number | undefined
  /** Whether `/me` asks the issuer's UserInfo with the caller's token. Default `forward`. */
  readonly userinfo?: 'forward' | 'off' | undefined
  /** Where this issuer puts what has no standard claim. */
  readonly claims?: ClaimNames | undefined
}

/** What all issuers of one API share. */
export interface TrustDependencies {
  readonly prepare: SignatureCheckFactory
  /** Scopes that imply others. Default: none does. */
  readonly scopes?: ScopeHierarchy | undefined
  readonly observer?: Observer | undefined
  readonly store?: KeySetStore | undefined
  /** Milliseconds since the epoch. Default `Date.now`. */
  readonly clock?: (() => number) | undefined
  readonly fetch?: BoundedFetchOptions | undefined
}

/** An issuer whose tokens are accepted: what they must look like, how they are read, its keys, and its UserInfo. */
export interface TrustedIssuer {
  readonly policy: TokenPolicy
  readonly mapping: ClaimMapping
  readonly keySet: KeySet
  /** undefined if UserInfo is off for this issuer. */
  readonly readUserInfo: UserInfoReader | undefined
  /** Stops asking the issuer and ends the connections to it. */
  close(): Promise<void>
}

/** The trusted issuers by their exact identifier. */
export type TrustedIssuers = ReadonlyMap<string, TrustedIssuer>

/**
 * Builds the fixed map of issuers; nothing is fetched.
 * @throws {TypeError} that names the option, what was found and what is allowed
 */
export function createTrustedIssuers(
  issuers: readonly IssuerOptions[],
  dependencies: TrustDependencies
): TrustedIssuers {
  const isList = Array.isArray(issuers) && issuers.length > 0
  check(isList, 'issuers', issuers, 'a list of one or more issuers')
  const trusted = new Map<string, TrustedIssuer>()
  for (const options of issuers) {
    checkNames(options)
    const policy = createPolicy(options)
    if (trusted.has(policy.issuer)) throw new TypeError(`issuers: ${policy.issuer} is listed twice`)
    trusted.set(policy.issuer, createTrustedIssuer(policy, options, dependencies))
  }
  return trusted
}

function createTrustedIssuer(
  policy: TokenPolicy,
  { userinfo = 'forward', claims }: IssuerOptions,
  {
    prepare,
    scopes,
    observer = silentObserver,
    store,
    clock,
    fetch: fetchOptions
  }: TrustDependencies
): TrustedIssuer {
  const { issuer } = policy
  const mapping = createClaimMapping(claims, scopes)
  const fetchKeys = createBoundedFetch(issuer, fetchOptions)
  // with connections of its own, so that keys never wait behind a UserInfo endpoint that hangs
  const fetchUserInfo = createBoundedFetch(issuer, fetchOptions)
  const source = createKeySource(issuer, fetchKeys, observer)
  const keySet = new KeySet({ issuer, source, prepare, observer, store, clock })
  const readUserInfo =
    userinfo === 'off' ? undefined : createUserInfoReader({ keySet, fetch: fetchUserInfo, clock })
  const close = async (): Promise<void> => {
    keySet.close()
    await Promise.all([fetchKeys.close(), fetchUserInfo.close()])
  }
  return { policy, mapping, keySet, readUserInfo, close }
}

const optionNames: readonly string[] = [
  'issuer',
  'audience',
  'algorithms',
  'typ',
  'claims',
  'clockTolerance',
  'userinfo'
] satisfies (keyof IssuerOptions)[]

/** A name that is mistyped, or of another version, would leave its check out without a word. */
function checkNames(options: unknown): void {
  check(typeof options === 'object' && options !== null, 'issuers', options, 'objects')
  const unknown = Object.keys(options).find((name) => !optionNames.includes(name))
  if (unknown === undefined) return
  throw new TypeError(`${unknown}: found an unknown option, allowed: ${optionNames.join(', ')}`)
}

function createPolicy(options: IssuerOptions): TokenPolicy {
  const { issuer, audience, algorithms = supportedAlgorithms, typ = ['at+jwt', 'JWT'] } = options
  const { clockTolerance = 5, userinfo } = options
  checkIssuer(issuer)
  const audiences = typeof audience === 'string' ? [audience] : audience
  checkTexts('audience', audiences)
  checkTexts('typ', typ)
  checkTexts('algorithms', algorithms, supportedAlgorithms)
  check(
    userinfo === undefined || userinfo === 'forward' || userinfo === 'off',
    'userinfo',
    userinfo,
    'forward or off'
  )
  const isTolerance =
    Number.isFinite(clockTolerance) && clockTolerance >= 0 && clockTolerance <= 300
  check(isTolerance, 'clockTolerance', clockTolerance, '0 to 300 seconds')
  return {
    issuer,
    audiences: new Set(audiences),
    algorithms: new Set(algorithms),
    types: new Set(typ.map(normalizedType)),
    clockTolerance
  }
}

function checkIssuer(issuer: unknown): asserts issuer is string {
  const allowed = 'an https URL without query and fragment (http on loopback only)'
  check(typeof issuer === 'string' && isIdentifierUrl(issuer), 'issuer', issuer, allowed)
}

function checkTexts(name: string, values: unknown, allowed?: readonly string[]): void {
  const expected =
    allowed === undefined ? 'one or more non-empty strings' : `one or more of ${allowed.join(', ')}`
  const isList = Array.isArray(values) && values.length > 0
  const fits = (value: unknown) =>
    typeof value === 'string' && value !== '' && (allowed?.includes(value) ?? true)
  check(isList && values.every(fits), name, values, expected)
}

function check(
  condition: boolean,
  name: string,
  found: unknown,
  allowed: string
): asserts condition {
  if (!condition)
    throw new TypeError(`${name}: found ${JSON.stringify(found)}, allowed: ${allowed}`)
}

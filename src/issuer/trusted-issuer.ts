import { silentObserver, type Observer } from '../observe/observer.ts'
import { type Algorithm, supportedAlgorithms } from '../token/algorithms.ts'
import { type ClaimMapping, type ClaimNames, createClaimMapping } from '../token/claim-mapping.ts'
import type { ScopeHierarchy } from '../token/scope-hierarchy.ts'
import type { TokenPolicy } from '../token/policy.ts'
import { normalizedType } from '../token/token-type.ts'
import type { Verifier } from '../token/verdict.ts'
import { type BoundedFetchOptions, createBoundedFetch } from './bounded-fetch.ts'
import { createCallerClaims } from './caller-claims.ts'
import { createDecryption, type DecryptionOptions } from './decryption.ts'
import { isIdentifierUrl } from './identifier-url.ts'
import { KeySet, type KeySetStore } from './key-set.ts'
import { createKeySource } from './key-source.ts'
import {
  createOpaqueTokenJudge,
  type IntrospectionOptions,
  type OpaqueTokenSettings,
  readOpaqueTokenOptions,
  refuseSecondIssuerOfOpaqueTokens,
  type TokenKind
} from './opaque-token-options.ts'
import { check } from './option-check.ts'
import type { SignatureCheckFactory } from './signing-key.ts'
import type { TokenExchange } from './token-exchange.ts'
import type { TokenExchangeSettings } from './token-exchange-options.ts'
import type { UserInfoReader } from './userinfo.ts'
import { checkUserInfoMode, type UserInfoMode } from './userinfo-modes.ts'

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
  /**
   * Where `/me` has its claims from. Default `forward`: from UserInfo, with the caller's token. `exchange`: with a token
   * exchanged for it; `introspection`: from the issuer's answer about the token; `claims`: from the token itself.
   */
  readonly userinfo?: UserInfoMode | undefined
  /** As which client tokens are exchanged at the issuer (RFC 8693). Default: they are not. */
  readonly tokenExchange?: TokenExchangeSettings | undefined
  /** The key of this API for what the issuer encrypts to it. Default: nothing encrypted is read. */
  readonly decryption?: DecryptionOptions | undefined
  /** Where this issuer puts what has no standard claim. */
  readonly claims?: ClaimNames | undefined
  /**
   * Kinds of its access tokens. Default `jwt`, verified here. `opaque` ones are introspected; with `opaque` alone, its
   * JWTs are introspected too. One issuer of an API may have opaque tokens, since they say nothing of their issuer.
   */
  readonly tokens?: readonly TokenKind[] | undefined
  /** Needed for `opaque` tokens and for `userinfo: 'introspection'`, and for nothing else. */
  readonly introspection?: IntrospectionOptions | undefined
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
  /** Reads the files that options name. Default: Node's. @throws if it can not */
  readonly readFile?: ((path: string) => string) | undefined
}

/** An issuer whose tokens are accepted: what they must look like, how they are read, its keys, and its UserInfo. */
export interface TrustedIssuer {
  readonly policy: TokenPolicy
  readonly mapping: ClaimMapping
  readonly keySet: KeySet
  /** undefined if UserInfo is off for this issuer. */
  readonly readUserInfo: UserInfoReader | undefined
  /** undefined if this API is no client of the issuer that may exchange tokens. */
  readonly exchangeToken: TokenExchange | undefined
  /** Whether its JWTs are verified here, and not by asking. */
  readonly verifiesJwts: boolean
  /** Judges tokens by asking the issuer; undefined if it is never asked. */
  readonly opaqueTokens: Verifier | undefined
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
    const opaque = readOpaqueTokenOptions(options, dependencies)
    trusted.set(policy.issuer, createTrustedIssuer(policy, options, opaque, dependencies))
  }
  refuseSecondIssuerOfOpaqueTokens(issuers)
  return trusted
}

function createTrustedIssuer(
  policy: TokenPolicy,
  options: IssuerOptions,
  opaque: OpaqueTokenSettings | undefined,
  dependencies: TrustDependencies
): TrustedIssuer {
  const { issuer } = policy
  const { tokens, claims, decryption } = options
  const { prepare, scopes, observer = silentObserver, store, clock = Date.now } = dependencies
  const { fetch: fetchOptions, readFile } = dependencies
  const decrypt = decryption && createDecryption(decryption, { issuer, readFile })
  const mapping = createClaimMapping(claims, scopes)
  // connections of their own, so that keys never wait behind an endpoint that hangs
  const fetchKeys = createBoundedFetch(issuer, fetchOptions)
  const fetchIntrospection = createBoundedFetch(issuer, fetchOptions)
  const source = createKeySource(issuer, fetchKeys, observer)
  const keySet = new KeySet({ issuer, source, prepare, observer, store, clock })
  const context = { policy, mapping, observer, clock, decrypt }
  const introspect = opaque && createOpaqueTokenJudge(opaque, fetchIntrospection, keySet, context)
  const about = { ...context, keySet, introspect, fetchOptions, readFile }
  const callers = createCallerClaims(options, about)
  const close = async (): Promise<void> => {
    keySet.close()
    await Promise.all([fetchKeys.close(), fetchIntrospection.close(), callers.close()])
  }
  return {
    policy,
    mapping,
    keySet,
    readUserInfo: callers.readUserInfo,
    exchangeToken: callers.exchangeToken,
    verifiesJwts: tokens?.includes('jwt') ?? true,
    opaqueTokens: tokens?.includes('opaque') ? introspect : undefined,
    close
  }
}

const knownOptions: Readonly<Record<keyof IssuerOptions, true>> = {
  issuer: true,
  audience: true,
  algorithms: true,
  typ: true,
  clockTolerance: true,
  userinfo: true,
  claims: true,
  tokens: true,
  introspection: true,
  tokenExchange: true,
  decryption: true
}
const optionNames = Object.keys(knownOptions)

/** A name that is mistyped, or of another version, would leave its check out without a word. */
function checkNames(options: unknown): void {
  check(typeof options === 'object' && options !== null, 'issuers', options, 'objects')
  const unknown = Object.keys(options).find((name) => !optionNames.includes(name))
  if (unknown === undefined) return
  throw new TypeError(`${unknown}: found an unknown option, allowed: ${optionNames.join(', ')}`)
}

function createPolicy(options: IssuerOptions): TokenPolicy {
  const { issuer, audience, algorithms = supportedAlgorithms, typ = ['at+jwt', 'JWT'] } = options
  const { clockTolerance = 5 } = options
  checkIssuer(issuer)
  const audiences = typeof audience === 'string' ? [audience] : audience
  checkTexts('audience', audiences)
  checkTexts('typ', typ)
  checkTexts('algorithms', algorithms, supportedAlgorithms)
  checkUserInfoMode(options)
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

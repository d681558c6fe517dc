import { silentObserver, type Observer } from '../observe/observer.ts'
import { createClaimMapping } from '../token/claim-mapping.ts'
import type { ScopeHierarchy } from '../token/scope-hierarchy.ts'
import type { TokenEncryption } from '../token/encrypted-tokens.ts'
import type { JudgingIssuer } from '../token/id-token.ts'
import type { TokenPolicy } from '../token/policy.ts'
import type { Verifier } from '../token/verdict.ts'
import { type BoundedFetchOptions, createBoundedFetch } from './bounded-fetch.ts'
import { createCallerClaims } from './caller-claims.ts'
import { createDecryption, type Decryption } from './decryption.ts'
import { readIdTokenOptions, refuseClaimsOfIdTokens } from './id-token-options.ts'
import { KeySet, type KeySetStore } from './key-set.ts'
import { createKeySource, type KeySource } from './key-source.ts'
import {
  createOpaqueTokenJudge,
  type OpaqueTokenSettings,
  readOpaqueTokenOptions
} from './opaque-token-options.ts'
import { withPreset } from './presets.ts'
import { withProfile } from './profile.ts'
import { checkNames, type IssuerOptions } from './issuer-options.ts'
import { createPolicy } from './issuer-policy.ts'
import type { SignatureCheckFactory } from './signing-key.ts'
import { createStaticKeySource, withStaticKeys } from './static-keys.ts'
import { readTokenEncryption } from './token-encryption.ts'
import { createIssuerRevocation, type IssuerRevocation } from '../revocation/issuer-revocation.ts'
import {
  createStatusCheck,
  createStatusListMemory,
  type StatusCheck,
  type StatusListMemory
} from '../revocation/token-status.ts'
import type { RevokedTokens } from '../token/revoked-tokens.ts'
import { checkTenants } from './tenants.ts'
import type { TokenExchange } from './token-exchange.ts'
import type { UserInfoReader } from './userinfo.ts'

/** What all issuers of one API share. */
export interface TrustDependencies {
  readonly prepare: SignatureCheckFactory
  /** Scopes that imply others. Default: none does. */
  readonly scopes?: ScopeHierarchy | undefined
  readonly observer?: Observer | undefined
  readonly store?: KeySetStore | undefined
  /** What is known of revoked tokens. Default: nothing, and no issuer may say how it tells of them. */
  readonly revoked?: RevokedTokens | undefined
  /** Where the status lists of all issuers are kept. Default: those of each by themselves. */
  readonly statusLists?: StatusListMemory | undefined
  /** Judges what its options came to. Default: all is admitted. @throws {TypeError} that names the option */
  readonly admit?: ((policy: TokenPolicy) => void) | undefined
  /** Milliseconds since the epoch. Default `Date.now`. */
  readonly clock?: (() => number) | undefined
  readonly fetch?: BoundedFetchOptions | undefined
  /** Reads the files that options name. Default: Node's. @throws if it can not */
  readonly readFile?: ((path: string) => string) | undefined
}

/** An issuer whose tokens are accepted: what they must look like, how they are read, its keys, and its UserInfo. */
export interface TrustedIssuer extends JudgingIssuer {
  readonly keySet: KeySet
  /** Whether the API is not ready without its keys. */
  readonly required: boolean
  /** undefined if UserInfo is off for this issuer. */
  readonly readUserInfo: UserInfoReader | undefined
  /** undefined if this API is no client of the issuer that may exchange tokens. */
  readonly exchangeToken: TokenExchange | undefined
  /** Whether its JWTs are verified here, and not by asking. */
  readonly verifiesJwts: boolean
  /** Judges tokens by asking the issuer; undefined if it is never asked. */
  readonly opaqueTokens: Verifier | undefined
  /** How its encrypted tokens are read; undefined if they are not. */
  readonly encryption: TokenEncryption | undefined
  /** How it tells of tokens that end early. */
  readonly revocation: IssuerRevocation
  /** Looks up the status of its JWTs; undefined if nobody wants that. */
  readonly statusOf: StatusCheck | undefined
  /** Stops asking the issuer and ends the connections to it. */
  close(): Promise<void>
}

/**
 * Builds what is trusted of one issuer; nothing is fetched.
 * @throws {TypeError} that names the option, what was found and what is allowed
 */
export function createTrustedIssuer(
  given: IssuerOptions,
  dependencies: TrustDependencies
): TrustedIssuer {
  checkNames(given)
  refuseClaimsOfIdTokens(given)
  const options = withStaticKeys(withProfile(withPreset(given)))
  const policy = createPolicy(options)
  checkTenants(options)
  dependencies.admit?.(policy)
  const { issuer, decryption } = options
  const { readFile } = dependencies
  const decrypt = decryption && createDecryption(decryption, { issuer, readFile })
  const read = {
    decrypt,
    staticKeys: createStaticKeySource(options, policy, dependencies),
    opaque: readOpaqueTokenOptions(options, dependencies),
    encryption: readTokenEncryption(options, decrypt)
  }
  return assemble(policy, options, read, dependencies)
}

/** Options that were checked, their files read. */
interface ReadOptions {
  readonly decrypt: Decryption | undefined
  readonly staticKeys: KeySource | undefined
  readonly opaque: OpaqueTokenSettings | undefined
  readonly encryption: TokenEncryption | undefined
}

function assemble(
  policy: TokenPolicy,
  options: IssuerOptions,
  { opaque, encryption, decrypt, staticKeys }: ReadOptions,
  dependencies: TrustDependencies
): TrustedIssuer {
  const { issuer } = policy
  const { tokens, claims, required = true } = options
  const { prepare, scopes, observer = silentObserver, store, revoked } = dependencies
  const { clock = Date.now, fetch: fetchOptions, readFile } = dependencies
  const mapping = createClaimMapping(claims, scopes, policy.audiences)
  // connections of their own, so that keys never wait behind an endpoint that hangs
  const fetchKeys = createBoundedFetch(issuer, fetchOptions)
  const fetchIntrospection = createBoundedFetch(issuer, fetchOptions)
  const fetchStatusLists = createBoundedFetch(issuer, fetchOptions)
  const keySet = new KeySet({
    issuer,
    source: staticKeys ?? createKeySource(issuer, fetchKeys, observer),
    prepare,
    observer,
    store: staticKeys === undefined ? store : undefined,
    insists: required,
    inherits: staticKeys === undefined,
    clock
  })
  const revocation = createIssuerRevocation(options, dependencies)
  const context = { policy, mapping, observer, revoked, clock, decrypt }
  const introspect = opaque && createOpaqueTokenJudge(opaque, fetchIntrospection, keySet, context)
  const { statusLists: memory = createStatusListMemory() } = dependencies
  const statuses = { policy, keySet, fetch: fetchStatusLists, memory, observer, clock }
  const statusOf = createStatusCheck(options, statuses)
  const about = { ...context, keySet, introspect, fetchOptions, readFile }
  const callers = createCallerClaims(options, about)
  const close = async (): Promise<void> => {
    keySet.close()
    await revocation.close()
    const fetches = [fetchKeys, fetchIntrospection, fetchStatusLists, callers]
    await Promise.all(fetches.map((fetch) => fetch.close()))
  }
  return {
    policy,
    mapping,
    keySet,
    required,
    readUserInfo: callers.readUserInfo,
    exchangeToken: callers.exchangeToken,
    verifiesJwts: tokens?.some((kind) => kind !== 'opaque') ?? true,
    idTokens: readIdTokenOptions(options, mapping),
    opaqueTokens: tokens?.includes('opaque') === true ? introspect : undefined,
    encryption,
    revocation,
    statusOf,
    close
  }
}

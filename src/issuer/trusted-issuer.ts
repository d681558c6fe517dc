import { readBindingPolicy } from '../binding/binding-options.ts'
import { silentObserver, type Observer } from '../observe/observer.ts'
import { type Algorithm, supportedAlgorithms } from '../token/algorithms.ts'
import { type ClaimNames, createClaimMapping } from '../token/claim-mapping.ts'
import type { BindingMode } from '../token/confirmation.ts'
import type { ScopeHierarchy } from '../token/scope-hierarchy.ts'
import type { TokenEncryption } from '../token/encrypted-tokens.ts'
import type { JudgingIssuer } from '../token/id-token.ts'
import type { TokenPolicy } from '../token/policy.ts'
import type { RequiredClaims } from '../token/required-claims.ts'
import { type IdTokenMark, typeOfOption } from '../token/token-type.ts'
import type { Verifier } from '../token/verdict.ts'
import { type BoundedFetchOptions, createBoundedFetch } from './bounded-fetch.ts'
import type { DecryptionOptions } from './decryption.ts'
import { type IdTokenOptions, readIdTokenOptions } from './id-token-options.ts'
import { isIdentifierUrl } from './identifier-url.ts'
import { KeySet, type KeySetStore } from './key-set.ts'
import { createKeySource } from './key-source.ts'
import {
  createOpaqueTokenJudge,
  type IntrospectionOptions,
  type OpaqueTokenSettings,
  readOpaqueTokenOptions,
  type TokenKind
} from './opaque-token-options.ts'
import { onFirstCall } from './on-first-call.ts'
import { check } from './option-check.ts'
import { type PresetName, withPreset } from './presets.ts'
import { bindingsOf, type ProfileName, withProfile } from './profile.ts'
import type { SignatureCheckFactory } from './signing-key.ts'
import { readTokenEncryption, type TokenEncryptionOptions } from './token-encryption.ts'
import { type AudienceClaim, readTokenMarks } from './token-marks.ts'
import {
  createIssuerRevocation,
  type IssuerRevocation,
  type IssuerRevocationOptions
} from '../revocation/issuer-revocation.ts'
import type { RevokedTokens } from '../token/revoked-tokens.ts'
import { checkTenants } from './tenants.ts'
import { createUserInfoReader, type UserInfoReader } from './userinfo.ts'

/** What is said of an issuer in the options or the configuration. Only `issuer` and `audience` are required. */
export interface IssuerOptions extends IssuerRevocationOptions {
  /**
   * The issuer's identifier, compared with `iss` byte by byte. An https URL; http on loopback only. With `{tenantid}` as
   * a segment of its path it stands for the tenants of one provider, as in Entra's metadata.
   */
  readonly issuer: string
  /** Whose tokens are accepted, where `issuer` has `{tenantid}`: ids of tenants, or every tenant of the provider. */
  readonly tenants?: readonly string[] | 'any' | undefined
  /**
   * Whether its keys are read at the start, and the API is not ready without them; else they are read when the first
   * token needs them. Default true, in lists of more than 100 issuers false.
   */
  readonly required?: boolean | undefined
  /** The audience, or audiences, that this API answers to. */
  readonly audience: string | readonly string[]
  /** Fills in what is known of a provider; what is said beside it wins. Default: nothing is filled in. */
  readonly preset?: PresetName | undefined
  /** Sets and enforces all that a specification asks; what contradicts it stops the start. Default: none does. */
  readonly profile?: ProfileName | undefined
  /** The claim that must name an `audience` where a token has no `aud`. Default `aud`: it must have one. */
  readonly audienceClaim?: AudienceClaim | undefined
  /**
   * Claims that its access tokens have, with their values (`*`: any), and other tokens of it have not:
   * `{ token_use: 'access' }`. Of a list, one entry has to be met.
   */
  readonly requiredClaims?: RequiredClaims | readonly RequiredClaims[] | undefined
  /**
   * What shows that a token is an ID token: a `nonce`, or the token's own client as its only audience and nothing
   * granted (`own_audience`). Default both; fewer only beside `requiredClaims`, for access tokens that have them too.
   */
  readonly idTokenMarks?: readonly IdTokenMark[] | undefined
  /** Accepted signature algorithms. Default: all supported ones, which are all asymmetric. */
  readonly algorithms?: readonly Algorithm[] | undefined
  /** Accepted `typ` headers; `absent` for none. Default `at+jwt` and `JWT`; RFC 9068 alone wants `at+jwt`. */
  readonly typ?: readonly string[] | undefined
  /** Seconds by which the clocks of issuer and API may differ, 0 to 300. Default 5. */
  readonly clockTolerance?: number | undefined
  /** Whether `/me` asks the issuer's UserInfo with the caller's token. Default `forward`. */
  readonly userinfo?: 'forward' | 'off' | undefined
  /** Where this issuer puts what has no standard claim. */
  readonly claims?: ClaimNames | undefined
  /**
   * Kinds of its access tokens. Default `jwt`, verified here. `opaque` ones are introspected; with `opaque` alone, its
   * JWTs are introspected too. One issuer of an API may have opaque tokens, since they say nothing of their issuer.
   * `id` takes ID tokens in their place; without `jwt` its access tokens are then refused.
   */
  readonly tokens?: readonly TokenKind[] | undefined
  /** Whether its tokens may, or must, be bound to a key of the client (RFC 9449). Default `off`: bound ones are refused. */
  readonly dpop?: BindingMode | undefined
  /** Whether its tokens may, or must, be bound to a certificate of the client (RFC 8705). Default `off`. */
  readonly mtls?: BindingMode | undefined
  /** Needed for `opaque` tokens, and for nothing else. */
  readonly introspection?: IntrospectionOptions | undefined
  /** Which ID tokens are taken; only with `id` among `tokens`. Default, where that is all: those for the `audience`. */
  readonly idTokens?: IdTokenOptions | undefined
  /** The private key of this API, for what the issuer encrypts to it. */
  readonly decryption?: DecryptionOptions | undefined
  /**
   * Whether its access tokens are encrypted: nested JWTs (RFC 7519 section 5.2). `required` refuses plain ones. Default
   * `optional` with `decryption`, else `off`.
   */
  readonly encryptedTokens?: TokenEncryptionOptions['encryptedTokens']
}

/** What all issuers of one API share. */
export interface TrustDependencies {
  readonly prepare: SignatureCheckFactory
  /** Scopes that imply others. Default: none does. */
  readonly scopes?: ScopeHierarchy | undefined
  readonly observer?: Observer | undefined
  readonly store?: KeySetStore | undefined
  /** What is known of revoked tokens. Default: nothing, and no issuer may say how it tells of them. */
  readonly revoked?: RevokedTokens | undefined
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
  /** Whether its JWTs are verified here, and not by asking. */
  readonly verifiesJwts: boolean
  /** Judges tokens by asking the issuer; undefined if it is never asked. */
  readonly opaqueTokens: Verifier | undefined
  /** How its encrypted tokens are read; undefined if they are not. */
  readonly encryption: TokenEncryption | undefined
  /** How it tells of tokens that end early. */
  readonly revocation: IssuerRevocation
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
  const options = withProfile(withPreset(given))
  const policy = createPolicy(options)
  checkTenants(options)
  const read = {
    opaque: readOpaqueTokenOptions(options, dependencies),
    encryption: readTokenEncryption(options, dependencies)
  }
  return assemble(policy, options, read, dependencies)
}

/** Options that were checked, their files read. */
interface ReadOptions {
  readonly opaque: OpaqueTokenSettings | undefined
  readonly encryption: TokenEncryption | undefined
}

function assemble(
  policy: TokenPolicy,
  options: IssuerOptions,
  { opaque, encryption }: ReadOptions,
  dependencies: TrustDependencies
): TrustedIssuer {
  const { userinfo = 'forward', tokens, claims, required = true } = options
  const {
    prepare,
    scopes,
    observer = silentObserver,
    store,
    revoked,
    clock,
    fetch: fetchOptions
  } = dependencies
  const { issuer } = policy
  const mapping = createClaimMapping(claims, scopes, policy.audiences)
  // connections of their own, so that keys never wait behind an endpoint that hangs
  const fetchKeys = createBoundedFetch(issuer, fetchOptions)
  const fetchUserInfo = createBoundedFetch(issuer, fetchOptions)
  const fetchIntrospection = createBoundedFetch(issuer, fetchOptions)
  const source = createKeySource(issuer, fetchKeys, observer)
  const keySet = new KeySet({ issuer, source, prepare, observer, store, insists: required, clock })
  const revocation = createIssuerRevocation(options, dependencies)
  const close = async (): Promise<void> => {
    keySet.close()
    await revocation.close()
    await Promise.all([fetchKeys.close(), fetchUserInfo.close(), fetchIntrospection.close()])
  }
  const context = { policy, mapping, observer, revoked, clock }
  return {
    policy,
    mapping,
    keySet,
    required,
    readUserInfo:
      userinfo === 'off'
        ? undefined
        : onFirstCall(() => createUserInfoReader({ keySet, fetch: fetchUserInfo, clock })),
    verifiesJwts: tokens?.some((kind) => kind !== 'opaque') ?? true,
    idTokens: readIdTokenOptions(options, mapping),
    opaqueTokens: opaque && createOpaqueTokenJudge(opaque, fetchIntrospection, keySet, context),
    encryption,
    revocation,
    close
  }
}

const knownOptions: Readonly<Record<keyof IssuerOptions, true>> = {
  issuer: true,
  audience: true,
  preset: true,
  audienceClaim: true,
  requiredClaims: true,
  idTokenMarks: true,
  algorithms: true,
  typ: true,
  clockTolerance: true,
  tenants: true,
  required: true,
  userinfo: true,
  claims: true,
  tokens: true,
  introspection: true,
  decryption: true,
  encryptedTokens: true,
  profile: true,
  idTokens: true,
  dpop: true,
  mtls: true,
  backchannelLogout: true,
  securityEvents: true
}
const optionNames = Object.keys(knownOptions)

/** A name that is mistyped, or of another version, would leave its check out without a word. */
function checkNames(options: unknown): void {
  check(typeof options === 'object' && options !== null, 'issuers', options, 'objects')
  const unknown = Object.keys(options).find((name) => !optionNames.includes(name))
  if (unknown === undefined) return
  throw new TypeError(`${unknown}: found an unknown option, allowed: ${optionNames.join(', ')}`)
}

/** Shared by the issuers that say nothing, of which there may be thousands. */
const everyAlgorithm: ReadonlySet<Algorithm> = new Set(supportedAlgorithms)

function createPolicy(options: IssuerOptions): TokenPolicy {
  const { issuer, audience, algorithms = supportedAlgorithms, typ = ['at+jwt', 'JWT'] } = options
  const { clockTolerance = 5, userinfo, required = true } = options
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
  check(typeof required === 'boolean', 'required', required, 'true or false')
  const isTolerance =
    Number.isFinite(clockTolerance) && clockTolerance >= 0 && clockTolerance <= 300
  check(isTolerance, 'clockTolerance', clockTolerance, '0 to 300 seconds')
  return {
    issuer,
    audiences: new Set(audiences),
    algorithms: algorithms === supportedAlgorithms ? everyAlgorithm : new Set(algorithms),
    types: new Set(typ.map(typeOfOption)),
    ...readTokenMarks(options),
    clockTolerance,
    isStrict: options.profile !== undefined,
    bindings: bindingsOf(options, readBindingPolicy(options))
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

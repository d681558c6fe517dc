import type { Algorithm } from '../token/algorithms.ts'
import type { ClaimNames } from '../token/claim-mapping.ts'
import type { BindingMode } from '../token/confirmation.ts'
import type { RequiredClaims } from '../token/required-claims.ts'
import type { IdTokenMark } from '../token/token-type.ts'
import type { DecryptionOptions } from './decryption.ts'
import type { IdTokenOptions } from './id-token-options.ts'
import type { IntrospectionOptions, TokenKind } from './opaque-token-options.ts'
import { check } from '../config/option-check.ts'
import type { PresetName } from './presets.ts'
import type { ProfileName } from './profile.ts'
import type { StaticKeyOptions } from './static-keys.ts'
import type { TokenEncryptionOptions } from './token-encryption.ts'
import type { AudienceClaim } from './token-marks.ts'
import type { IssuerRevocationOptions } from '../revocation/issuer-revocation.ts'
import type { StatusListMode } from '../revocation/token-status.ts'
import type { TokenExchangeSettings } from './token-exchange-options.ts'
import type { UserInfoMode } from './userinfo-modes.ts'
import { isObject } from '../json/object.ts'

/** What is said of an issuer in the options or the configuration. Only `issuer` and `audience` are required. */
export interface IssuerOptions extends IssuerRevocationOptions, StaticKeyOptions {
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
  /**
   * The only audiences that its access tokens may name beside `audience`, such as the URL of its UserInfo; an empty list
   * allows none. Default: any, since RFC 9068 section 4 asks no more than that ours is there.
   */
  readonly otherAudiences?: readonly string[] | undefined
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
  /** Seconds since `iat` for which its tokens count at most, 1 to 157,680,000; they must have one then. Default: until `exp`. */
  readonly maxTokenAge?: number | undefined
  /**
   * Where `/me` has its claims from. Default `forward`: from UserInfo, with the caller's token. `exchange`: with a token
   * exchanged for it; `introspection`: from the issuer's answer about the token; `claims`: from the token itself, which
   * is the default with static keys.
   */
  readonly userinfo?: UserInfoMode | undefined
  /** As which client tokens are exchanged at the issuer (RFC 8693). Default: they are not. */
  readonly tokenExchange?: TokenExchangeSettings | undefined
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
  /**
   * Whether the status lists that its JWTs name are asked whether they still count (Token Status List); with `required`
   * they must name one. Default `off`.
   */
  readonly statusList?: StatusListMode | undefined
  /** Needed for `opaque` tokens and for `userinfo: 'introspection'`, and for nothing else. */
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
  maxTokenAge: true,
  otherAudiences: true,
  tenants: true,
  required: true,
  userinfo: true,
  claims: true,
  tokens: true,
  introspection: true,
  tokenExchange: true,
  decryption: true,
  encryptedTokens: true,
  profile: true,
  idTokens: true,
  dpop: true,
  mtls: true,
  backchannelLogout: true,
  securityEvents: true,
  statusList: true,
  jwks: true,
  jwksFile: true
}
const optionNames = Object.keys(knownOptions)

/** A name that is mistyped, or of another version, would leave its check out without a word. */
export function checkNames(options: unknown): void {
  check(isObject(options), 'issuers', options, 'objects')
  const unknown = Object.keys(options).find((name) => !optionNames.includes(name))
  if (unknown === undefined) return
  throw new TypeError(`${unknown}: found an unknown option, allowed: ${optionNames.join(', ')}`)
}

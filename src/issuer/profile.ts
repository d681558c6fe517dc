import type { Algorithm } from '../token/algorithms.ts'
import type { BindingMode, BindingPolicy } from '../token/confirmation.ts'
import { normalizedType } from '../token/token-type.ts'
import type { TokenKind } from './opaque-token-options.ts'
import { check, isListFrom, isListOf, wrongOption } from '../config/option-check.ts'

/** The sets of rules that one word switches on. */
export const profileNames = ['rfc9068', 'fapi2'] as const

/**
 * `rfc9068`: JWT access tokens as their specification has them, with all that it requires. `fapi2`: that, and what the
 * FAPI 2.0 Security Profile asks of resource servers (section 5.3.4): bound tokens, few algorithms, revocation.
 */
export type ProfileName = (typeof profileNames)[number]

/** What a profile sets, or judges, of the options of an issuer. */
export interface ProfiledOptions {
  readonly issuer: string
  readonly profile?: ProfileName | undefined
  readonly tokens?: readonly TokenKind[] | undefined
  readonly typ?: readonly string[] | undefined
  readonly audienceClaim?: string | undefined
  readonly algorithms?: readonly Algorithm[] | undefined
  readonly dpop?: BindingMode | undefined
  readonly mtls?: BindingMode | undefined
  readonly backchannelLogout?: object | undefined
  readonly securityEvents?: object | undefined
}

/** FAPI 2.0 Security Profile section 5.4.1; for tokens, proofs and our own assertions. Key sizes: see signing-key.ts. */
const fapiAlgorithms: readonly Algorithm[] = ['PS256', 'ES256', 'EdDSA', 'Ed25519']

/**
 * The options of an issuer with what its profile sets; without one they are returned as they are.
 * @throws {TypeError} that names setting and issuer, what was found and what is allowed, if an option contradicts it
 */
export function withProfile<Options extends ProfiledOptions>(options: Options): Options {
  const { profile, issuer } = options
  if (profile === undefined) return options
  check(profileNames.includes(profile), `profile of ${issuer}`, profile, profileNames.join(', '))
  checkKinds(options)
  checkForm(options)
  const strict = { ...options, typ: ['at+jwt'] }
  if (profile === 'rfc9068') return strict
  checkRevocation(options)
  return { ...strict, algorithms: algorithmsOf(options), ...bindingModesOf(options) }
}

/** What a profile says of bound tokens, and of the proofs beside them. */
export function bindingsOf({ profile }: ProfiledOptions, bindings: BindingPolicy): BindingPolicy {
  if (profile !== 'fapi2') return bindings
  return Object.freeze({ ...bindings, isRequired: true, proofAlgorithms: fapiAlgorithms })
}

/** The only signature algorithms of what this API signs to authenticate to the issuer; undefined: any. */
export function assertionAlgorithmsOf(
  profile: ProfileName | undefined
): readonly Algorithm[] | undefined {
  return profile === 'fapi2' ? fapiAlgorithms : undefined
}

/** An ID token is none of these tokens; and rules for JWTs say nothing where the issuer judges them. */
function checkKinds({ issuer, profile, tokens = ['jwt'] }: ProfiledOptions): void {
  if (!Array.isArray(tokens)) return
  const fits = !tokens.includes('id') && (profile === 'fapi2' || tokens.includes('jwt'))
  const allowed = profile === 'fapi2' ? 'jwt, opaque' : '"jwt", alone or with "opaque"'
  check(fits, `tokens of ${issuer}`, tokens, `${allowed}, by profile ${profile}`)
}

function checkForm({ issuer, profile, typ, audienceClaim = 'aud' }: ProfiledOptions): void {
  const isType = (value: unknown): value is string =>
    typeof value === 'string' && normalizedType(value) === 'at+jwt'
  const fits = typ === undefined || isListOf(typ, isType)
  check(fits, `typ of ${issuer}`, typ, `["at+jwt"], by profile ${profile}`)
  const name = `audienceClaim of ${issuer}`
  check(audienceClaim === 'aud', name, audienceClaim, `aud, by profile ${profile}`)
}

/** A JWT is verified here, so that introspection, which is for opaque tokens, says nothing of it (section 5.3.4 item 3). */
function checkRevocation(options: ProfiledOptions): void {
  const { issuer, tokens = ['jwt'], backchannelLogout, securityEvents } = options
  const isTold = backchannelLogout !== undefined || securityEvents !== undefined
  if (isTold || !tokens.includes('jwt')) return
  throw wrongOption(
    `profile of ${issuer}`,
    '"fapi2" and nothing that tells of revoked JWTs',
    'with backchannelLogout or securityEvents, or with tokens ["opaque"] and introspection'
  )
}

function algorithmsOf({ issuer, algorithms = fapiAlgorithms }: ProfiledOptions) {
  const fits = isListFrom(algorithms, fapiAlgorithms)
  const allowed = `one or more of ${fapiAlgorithms.join(', ')}, by profile fapi2`
  check(fits, `algorithms of ${issuer}`, algorithms, allowed)
  return algorithms
}

/** With one kind of binding it is required; with both, either will do. Nothing said: DPoP, which needs no TLS of ours. */
function bindingModesOf({ issuer, dpop, mtls = 'off' }: ProfiledOptions) {
  const modes = { dpop: dpop ?? counterpartOf(mtls), mtls }
  const isBound = modes.dpop === 'required' || mtls === 'required'
  if (isBound || (modes.dpop === 'optional' && mtls === 'optional')) return modes
  throw wrongOption(
    `dpop of ${issuer}`,
    `${JSON.stringify(modes.dpop)}, with mtls ${JSON.stringify(mtls)}`,
    'one of them required, or both optional, by profile fapi2'
  )
}

function counterpartOf(mtls: BindingMode): BindingMode {
  if (mtls === 'off') return 'required'
  return mtls === 'required' ? 'off' : 'optional'
}

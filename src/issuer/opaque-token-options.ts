import { createOpaqueTokens, type OpaqueTokensOptions } from '../token/opaque-tokens.ts'
import type { Verifier } from '../token/verdict.ts'
import { type ClosableFetch, isAllowedUrl } from './bounded-fetch.ts'
import {
  type ClientAuthentication,
  type ClientOptions,
  createClientAuthentication
} from './client-authentication.ts'
import type { Decryption } from './decryption.ts'
import { createIntrospection } from './introspection.ts'
import type { KeySet } from './key-set.ts'
import { onFirstCall } from './on-first-call.ts'
import { check, isListFrom, wrongOption } from '../config/option-check.ts'
import { assertionAlgorithmsOf, type ProfileName } from './profile.ts'
import { openAnswer } from './signed-answer.ts'
import { verifySignedAnswer } from './signed-introspection.ts'
import { isObject } from '../json/object.ts'

/** How the issuer is asked about tokens (RFC 7662): as which client, and how often. */
export interface IntrospectionOptions extends ClientOptions {
  /** Seconds for which an active answer is used again, 0 to 3600; never past the token's `exp`. Default 30. */
  readonly cacheSeconds?: number | undefined
  /** Whether answers must be signed by the issuer's keys (RFC 9701); plain ones are then refused. Default false. */
  readonly signedAnswers?: boolean | undefined
  /** Where the issuer is asked, if its metadata does not say: an https URL (http on loopback, as the issuer). */
  readonly endpoint?: string | undefined
}

const tokenKinds = ['jwt', 'opaque', 'id'] as const

/** A kind of token: one that is verified here, one that the issuer is asked about, or an ID token in its place. */
export type TokenKind = (typeof tokenKinds)[number]

export interface TokenKindOptions {
  readonly issuer: string
  readonly tokens?: readonly TokenKind[] | undefined
  readonly introspection?: IntrospectionOptions | undefined
  /** `introspection` needs it too. */
  readonly userinfo?: string | undefined
  readonly profile?: ProfileName | undefined
}

/** Checked options of an issuer with opaque tokens. */
export interface OpaqueTokenSettings {
  readonly authenticate: ClientAuthentication
  readonly cacheSeconds: number
  readonly signedAnswers: boolean
  readonly clientId: string
  readonly endpoint: string | undefined
}

export interface OpaqueTokenDependencies {
  /** Reads the files that options name. Default: Node's. */
  readonly readFile?: ((path: string) => string) | undefined
  /** Milliseconds since the epoch. Default `Date.now`. */
  readonly clock?: (() => number) | undefined
}

/**
 * Checks what is said of an issuer's kinds of tokens, and reads the files it names.
 * @returns undefined if the issuer is not asked about tokens
 * @throws {TypeError} that names setting and issuer, what was found and what is allowed; never shows a secret
 */
export function readOpaqueTokenOptions(
  { issuer, tokens = ['jwt'], introspection, userinfo, profile }: TokenKindOptions,
  { readFile, clock = Date.now }: OpaqueTokenDependencies
): OpaqueTokenSettings | undefined {
  const areKinds = isListFrom(tokens, tokenKinds)
  check(areKinds, `tokens of ${issuer}`, tokens, 'one or more of jwt, opaque, id')
  if (!tokens.includes('opaque') && userinfo !== 'introspection') {
    if (introspection === undefined) return undefined
    const allowed = 'nothing, or "opaque" among tokens, or userinfo "introspection"'
    throw wrongOption(`introspection of ${issuer}`, 'a value', allowed)
  }
  const allowed = 'an object with clientId and its credentials, since tokens has "opaque"'
  check(isObject(introspection), `introspection of ${issuer}`, undefined, allowed)
  const { cacheSeconds = 30, signedAnswers = false, clientId, endpoint } = introspection
  const isTime = Number.isFinite(cacheSeconds) && cacheSeconds >= 0 && cacheSeconds <= 3600
  const name = `introspection.cacheSeconds of ${issuer}`
  check(isTime, name, cacheSeconds, '0 to 3600 seconds')
  const isSwitch = typeof signedAnswers === 'boolean'
  check(isSwitch, `introspection.signedAnswers of ${issuer}`, signedAnswers, 'true or false')
  const isEndpoint = endpoint === undefined || isAllowedUrl(endpoint, new URL(issuer))
  const url = 'an https URL (http on loopback only, and if the issuer is there)'
  check(isEndpoint, `introspection.endpoint of ${issuer}`, endpoint, url)
  const algorithms = assertionAlgorithmsOf(profile)
  const context = { issuer, setting: 'introspection', readFile, clock, algorithms }
  const authenticate = createClientAuthentication(introspection, context)
  return { authenticate, cacheSeconds, signedAnswers, clientId, endpoint }
}

/** Tokens say nothing of their issuer, and asking several issuers would show each the tokens of the others. */
export function refuseSecondIssuerOfOpaqueTokens(issuers: readonly TokenKindOptions[]): void {
  const [, second] = issuers.filter(({ tokens }) => tokens?.includes('opaque'))
  if (second === undefined) return
  const allowed = 'opaque tokens of one issuer, since they say nothing of theirs'
  throw wrongOption(`tokens of ${second.issuer}`, 'a second issuer with "opaque"', allowed)
}

/** Makes the judge of an issuer's opaque tokens; nothing is fetched. */
export function createOpaqueTokenJudge(
  { authenticate, cacheSeconds, signedAnswers, clientId, endpoint }: OpaqueTokenSettings,
  fetch: ClosableFetch,
  keySet: KeySet,
  context: Pick<OpaqueTokensOptions, 'policy' | 'mapping' | 'observer' | 'revoked' | 'clock'> & {
    /** Reads encrypted answers (RFC 9701 section 5). */
    readonly decrypt?: Decryption | undefined
  }
): Verifier {
  const { policy, clock = Date.now, decrypt } = context
  const verify = async (answer: string) => {
    const signed = await openAnswer(answer, 'the introspection answer', decrypt)
    return verifySignedAnswer(signed, { policy, keySet, clientId, clock })
  }
  const introspect = createIntrospection({
    issuer: policy.issuer,
    endpoint,
    keySet,
    fetch,
    authenticate,
    verify: signedAnswers ? verify : undefined
  })
  const isRetired = () => keySet.isRetired
  // its caches take their memory at once: of many issuers most are never asked
  return onFirstCall(() => createOpaqueTokens({ ...context, introspect, cacheSeconds, isRetired }))
}

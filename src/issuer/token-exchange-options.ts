import {
  type ClientAuthentication,
  type ClientOptions,
  createClientAuthentication
} from './client-authentication.ts'
import { check, isText, wrongOption } from '../config/option-check.ts'
import { assertionAlgorithmsOf, type ProfileName } from './profile.ts'
import type { ExchangeTarget } from './token-exchange.ts'
import { isObject } from '../json/object.ts'

/** As which client this API exchanges tokens at the issuer (RFC 8693), and what for if nobody says. */
export interface TokenExchangeSettings extends ClientOptions {
  /** The `audience` of a token for UserInfo, by the name the issuer has for it. Default: none is named. */
  readonly audience?: string | undefined
  /** The `resource` of a token for UserInfo, a URL; only one of this and `audience`. */
  readonly resource?: string | undefined
}

/** Checked options of an issuer that exchanges tokens. */
export interface TokenExchangeClient {
  readonly clientId: string
  readonly authenticate: ClientAuthentication
  /** What a token for UserInfo is for. */
  readonly target: Omit<ExchangeTarget, 'scopes'>
}

export interface TokenExchangeDependencies {
  /** Reads the files that options name. Default: Node's. */
  readonly readFile?: ((path: string) => string) | undefined
  /** Milliseconds since the epoch. Default `Date.now`. */
  readonly clock?: (() => number) | undefined
  readonly profile?: ProfileName | undefined
}

/**
 * Checks what is said of an issuer's token exchange, and reads the files it names.
 * @returns undefined if nothing is said
 * @throws {TypeError} that names setting and issuer, what was found and what is allowed; never shows a secret
 */
export function readTokenExchangeOptions(
  issuer: string,
  options: TokenExchangeSettings | undefined,
  { readFile, clock = Date.now, profile }: TokenExchangeDependencies
): TokenExchangeClient | undefined {
  if (options === undefined) return undefined
  const setting = 'tokenExchange'
  const allowed = 'an object with clientId and its credentials'
  if (!isObject(options)) throw wrongOption(`${setting} of ${issuer}`, 'a value', allowed)
  const { audience, resource, clientId } = options
  checkTarget({ audience, resource }, (name) => `${setting}.${name} of ${issuer}`)
  const algorithms = assertionAlgorithmsOf(profile)
  const context = { issuer, setting, readFile, clock, algorithms }
  const authenticate = createClientAuthentication(options, context)
  return { clientId, authenticate, target: { audience, resource } }
}

/** Whether a value can name a resource: an absolute URI without fragment (RFC 8707 section 2). */
export function isResource(value: unknown): boolean {
  return typeof value === 'string' && URL.canParse(value) && !value.includes('#')
}

/**
 * Checks whom an exchanged token is for: one target a token (RFC 8693 section 2.1.1).
 * @throws {TypeError}
 */
export function checkTarget(
  { audience, resource }: Omit<ExchangeTarget, 'scopes'>,
  nameOf: (member: string) => string
): void {
  const isName = audience === undefined || isText(audience)
  check(isName, nameOf('audience'), audience, 'a name that is not empty')
  const isUrl = resource === undefined || isResource(resource)
  check(isUrl, nameOf('resource'), resource, 'a URL without fragment')
  if (audience === undefined || resource === undefined) return
  throw wrongOption(nameOf('resource'), 'a value beside audience', 'one of the two')
}

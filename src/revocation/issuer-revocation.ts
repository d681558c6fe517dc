import { isIdentifierUrl } from '../issuer/identifier-url.ts'
import { check, isListOf, isText, wrongOption } from '../config/option-check.ts'
import type { RevokedTokens } from '../token/revoked-tokens.ts'
import {
  createTransmitterKeys,
  type EventStream,
  type TransmitterDependencies
} from './event-stream.ts'
import { isObject } from '../json/object.ts'

/** How an issuer tells that tokens end early. Both need the option `revocationStore`. */
export interface IssuerRevocationOptions {
  /**
   * Accepts its logout tokens at `/backchannel-logout` (OpenID Connect Back-Channel Logout 1.0): those for these
   * clients, of which the issuer knows this API, or the apps that call it.
   */
  readonly backchannelLogout?: { readonly clientId: string | readonly string[] } | undefined
  /** Accepts its security events at `/security-events` (Shared Signals Framework 1.0, RFC 8935). */
  readonly securityEvents?: SecurityEventsOptions | undefined
}

/** The stream of security events about the tokens of an issuer. */
export interface SecurityEventsOptions {
  /** Who its events are addressed to: the `aud` of the stream. */
  readonly audience: string | readonly string[]
  /** The transmitter, if it is not the issuer itself; needs `jwksUri`. */
  readonly issuer?: string | undefined
  /** Where the keys of the transmitter are. Default: the keys of the issuer. */
  readonly jwksUri?: string | undefined
  /** Its `critical_subject_members` beyond `user` and `session`: an event with one of them has no effect here. */
  readonly criticalSubjectMembers?: readonly string[] | undefined
}

/** The checked options. */
export interface IssuerRevocation {
  /** The clients of which logout tokens may be; undefined without `backchannelLogout`. */
  readonly logoutClientIds: ReadonlySet<string> | undefined
  readonly events: EventStream | undefined
  close(): Promise<void>
}

/**
 * Checks how an issuer tells that tokens end early; nothing is fetched.
 * @throws {TypeError} that names setting and issuer, what was found and what is allowed
 */
export function createIssuerRevocation(
  options: IssuerRevocationOptions & { readonly issuer: string },
  dependencies: TransmitterDependencies & { readonly revoked?: RevokedTokens | undefined }
): IssuerRevocation {
  const { issuer, backchannelLogout, securityEvents } = options
  for (const name of ['backchannelLogout', 'securityEvents'] as const) {
    if (options[name] === undefined || dependencies.revoked !== undefined) continue
    throw wrongOption(`${name} of ${issuer}`, 'a value', 'only with the option revocationStore')
  }
  const events = securityEvents && createStream(issuer, securityEvents, dependencies)
  return {
    logoutClientIds: backchannelLogout && clientIdsOf(issuer, backchannelLogout),
    events,
    close: async () => events?.close()
  }
}

function clientIdsOf(issuer: string, logout: unknown): ReadonlySet<string> {
  const { clientId } = membersOf(`backchannelLogout of ${issuer}`, logout, ['clientId'])
  return textsOf(`backchannelLogout.clientId of ${issuer}`, clientId)
}

function createStream(
  issuer: string,
  stream: SecurityEventsOptions,
  dependencies: TransmitterDependencies
): EventStream {
  const names = ['audience', 'issuer', 'jwksUri', 'criticalSubjectMembers']
  const members = membersOf(`securityEvents of ${issuer}`, stream, names)
  const setting = (name: string) => `securityEvents.${name} of ${issuer}`
  const audiences = textsOf(setting('audience'), members['audience'])
  const { issuer: transmitter = issuer, jwksUri, criticalSubjectMembers = [] } = stream
  check(isText(transmitter), setting('issuer'), transmitter, 'the iss of the events')
  const isKnown = transmitter === issuer || jwksUri !== undefined
  check(isKnown, setting('issuer'), transmitter, 'another transmitter only with jwksUri')
  const isUrl = jwksUri === undefined || isIdentifierUrl(jwksUri)
  const urls = 'an https URL without query and fragment (http on loopback only)'
  check(isUrl, setting('jwksUri'), jwksUri, urls)
  const isList = Array.isArray(criticalSubjectMembers)
  check(isList, setting('criticalSubjectMembers'), criticalSubjectMembers, 'a list of names')
  const criticalMembers = criticalSubjectMembers.filter(
    (name) => name !== 'user' && name !== 'session'
  )
  const keys =
    jwksUri === undefined
      ? { keySet: undefined, close: async () => undefined }
      : createTransmitterKeys(transmitter, jwksUri, dependencies)
  return { issuer: transmitter, audiences, criticalMembers, ...keys }
}

function membersOf(
  setting: string,
  value: unknown,
  names: readonly string[]
): Readonly<Record<string, unknown>> {
  const fits = isObject(value) && Object.keys(value).every((name) => names.includes(name))
  check(fits, setting, value, `an object with ${names.join(', ')}`)
  return value
}

function textsOf(setting: string, value: unknown): ReadonlySet<string> {
  const texts: unknown = typeof value === 'string' ? [value] : value
  check(isListOf(texts, isText), setting, value, 'one or more non-empty strings')
  return new Set(texts)
}

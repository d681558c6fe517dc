import { check } from '../config/option-check.ts'
import { createAnswers } from '../issuer/answers.ts'
import { type ClosableFetch, isAllowedUrl } from '../issuer/bounded-fetch.ts'
import { IssuerFaultError } from '../issuer/issuer-fault.ts'
import type { TokenKind } from '../issuer/opaque-token-options.ts'
import { mediaTypeOf } from '../issuer/response.ts'
import type { SignedAnswerContext } from '../issuer/signed-answer.ts'
import { isObject } from '../json/object.ts'
import type { Observer } from '../observe/observer.ts'
import type { AcceptedClaims } from '../token/principal.ts'
import { Refusal, refusals } from '../token/refusal.ts'
import { IssuerUnavailable } from '../token/verdict.ts'
import { readStatusList, type StatusList } from './status-list.ts'

const modes = ['off', 'optional', 'required'] as const

/** Whether the status of tokens is looked up in the status lists that they name, and whether they must name one. */
export type StatusListMode = (typeof modes)[number]

export interface TokenStatusOptions {
  readonly issuer: string
  readonly statusList?: StatusListMode | undefined
  readonly tokens?: readonly TokenKind[] | undefined
}

/**
 * Looks up the status of a token whose signature is right.
 * @returns when it has to be looked up again, in milliseconds since the epoch; or why the token does not count
 */
export type StatusCheck = (claims: AcceptedClaims) => Promise<number | Refusal | IssuerUnavailable>

export interface TokenStatusContext extends SignedAnswerContext {
  readonly fetch: ClosableFetch
  readonly observer: Observer
}

/** Where the status of a token stands (Token Status List section 6.2). */
interface StatusReference {
  readonly uri: string
  readonly index: number
}

/** What there is to know from a list: nothing while it can not be had. */
type KnownList = StatusList | undefined

/** Lists of one issuer that are kept. */
const maxLists = 20
/** Octets of a list as it is sent: packed, in base64url twice. */
const maxTokenBytes = 2 * 1024 * 1024
/** Seconds after which a list that could not be had is asked for again. */
const retrySeconds = 10
const mediaType = 'application/statuslist+jwt'

/**
 * Makes the check of the status that tokens of one issuer have (Token Status List section 8.3); nothing is fetched.
 * @returns undefined if statuses are not looked up
 * @throws {TypeError} that names the option, what was found and what is allowed
 */
export function createStatusCheck(
  { issuer, statusList = 'off', tokens = ['jwt'] }: TokenStatusOptions,
  context: TokenStatusContext
): StatusCheck | undefined {
  const name = `statusList of ${issuer}`
  check(modes.includes(statusList), name, statusList, modes.join(', '))
  if (statusList === 'off') return undefined
  // the issuer is asked about the others anyway
  const areJwts = tokens.some((kind) => kind !== 'opaque')
  check(areJwts, name, statusList, 'off, as tokens are introspected')
  const home = new URL(issuer)
  const { clock } = context
  const read = createAnswers<KnownList>({ max: maxLists, clock })

  const listOf = async (iss: string, { uri, index }: StatusReference): Promise<KnownList> => {
    const name = `${iss} ${uri}`
    const list = await read(name, (known) => askFor(uri, iss, known, context))
    if (list?.statusAt(index) !== undefined) return list
    // the list may have grown since
    read.forget(name, list)
    return read(name, () => askFor(uri, iss, list, context))
  }

  return async (claims) => {
    const { iss } = claims
    const reference = referenceOf(claims, home)
    if (reference instanceof Refusal) return reference
    if (reference === undefined)
      return statusList === 'required' ? refusals.invalid_claims : Infinity
    const list = await listOf(iss, reference)
    if (list === undefined) return new IssuerUnavailable(iss, retrySeconds)
    const status = list.statusAt(reference.index)
    if (status === undefined) return refusals.invalid_claims
    return status === 0 ? list.freshUntil : refusals.invalid_status
  }
}

function referenceOf(
  { status }: AcceptedClaims,
  issuer: URL
): StatusReference | Refusal | undefined {
  if (status === undefined) return undefined
  if (!isObject(status)) return refusals.invalid_claims
  const { status_list: list } = status
  if (list === undefined) return undefined
  if (!isObject(list)) return refusals.invalid_claims
  const { idx, uri } = list
  const isIndex = Number.isSafeInteger(idx) && (idx as number) >= 0
  if (!isIndex || !isAllowedUrl(uri, issuer)) return refusals.invalid_claims
  return { uri, index: idx as number }
}

/** A new copy of a list; while none can be had the known one, as long as it counts. */
async function askFor(uri: string, issuer: string, known: KnownList, context: TokenStatusContext) {
  const { observer, clock } = context
  try {
    const value: KnownList = await download(uri, issuer, context)
    return { value, usableUntil: value.freshUntil }
  } catch (cause) {
    // whatever is thrown here, also while unpacking, comes from what was sent
    observer.issuerTrouble({ issuer, doing: `reading the status list ${uri}`, cause })
    const retryAt = clock() + retrySeconds * 1000
    if (known === undefined || clock() >= known.validUntil)
      return { value: undefined, usableUntil: retryAt }
    const freshUntil = Math.min(retryAt, known.validUntil)
    return { value: { ...known, freshUntil }, usableUntil: freshUntil }
  }
}

async function download(
  uri: string,
  issuer: string,
  { fetch, ...context }: TokenStatusContext
): Promise<StatusList> {
  const response = await fetch(uri, { headers: { accept: mediaType }, maxBytes: maxTokenBytes })
  const { status, body } = response
  if (status < 200 || status > 299)
    throw new IssuerFaultError('the status list', `answered with status ${status}`)
  if (mediaTypeOf(response) !== mediaType)
    throw new IssuerFaultError('the status list', `is not ${mediaType}`)
  return readStatusList(body.toString('latin1').trim(), { ...context, uri, issuer })
}

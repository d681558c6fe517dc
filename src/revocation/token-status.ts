import { LRUCache } from 'lru-cache'
import { check } from '../config/option-check.ts'
import { ProblemError } from '../http/problem.ts'
import { type Answer, type AnswerMemory, createAnswers } from '../issuer/answers.ts'
import { type ClosableFetch, isAllowedUrl } from '../issuer/bounded-fetch.ts'
import { IssuerFaultError } from '../issuer/issuer-fault.ts'
import type { TokenKind } from '../issuer/opaque-token-options.ts'
import { mediaTypeOf } from '../issuer/response.ts'
import { issuerUnavailable } from '../issuer/upstream-problem.ts'
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
  readonly memory: StatusListMemory
  readonly observer: Observer
}

/** Where the status of a token stands (Token Status List section 6.2). */
interface StatusReference {
  readonly uri: string
  readonly index: number
}

/** A list, or that it can not be had now. */
type Reading = (StatusList & { readonly isOutdated: boolean }) | 'unavailable'

/** The lists of all issuers of an API, by issuer and URI. */
export type StatusListMemory = AnswerMemory<Reading>

/** Octets that all lists of an API take together; a list that is pushed out is read again. */
const maxMemory = 64 * 1024 * 1024
/** Octets that one takes beside what it says. */
const overhead = 1024
/** Octets of a list as it is sent: packed, in base64url twice. */
const maxTokenBytes = 2 * 1024 * 1024
/** Seconds after which a list that could not be had is asked for again. */
const retrySeconds = 10
const mediaType = 'application/statuslist+jwt'
const what = 'the status list'

export function createStatusListMemory(): StatusListMemory {
  return new LRUCache({
    maxSize: maxMemory,
    sizeCalculation: ({ value }, name) =>
      overhead + 2 * name.length + (value === 'unavailable' ? 0 : value.size)
  })
}

/**
 * Makes the check of the status that tokens of one issuer have (Token Status List section 8.3); nothing is fetched.
 * @returns undefined if statuses are not looked up
 * @throws {TypeError} that names the option, what was found and what is allowed
 */
export function createStatusCheck(
  { issuer, statusList: mode = 'off', tokens = ['jwt'] }: TokenStatusOptions,
  context: TokenStatusContext
): StatusCheck | undefined {
  const setting = `statusList of ${issuer}`
  check(modes.includes(mode), setting, mode, modes.join(', '))
  if (mode === 'off') return undefined
  // the issuer is asked about the others anyway
  const areJwts = tokens.some((kind) => kind !== 'opaque')
  check(areJwts, setting, mode, 'off, as tokens are introspected')
  const home = new URL(issuer)
  const { clock, memory } = context
  const read = createAnswers<Reading>({ memory: () => memory, clock })

  const look = async (iss: string, { uri, index }: StatusReference) => {
    const name = `${iss} ${uri}`
    const ask = (known: Reading | undefined) => askFor(uri, iss, known, context)
    let list = await read(name, ask)
    if (list !== 'unavailable' && list.statusAt(index) === undefined) {
      // it may have grown since
      read.forget(name, list)
      list = await read(name, ask)
    }
    if (list === 'unavailable') return new IssuerUnavailable(iss, retrySeconds)
    const status = list.statusAt(index)
    if (status === 0) return list.freshUntil
    if (status !== undefined) return refusals.invalid_status
    return list.isOutdated ? new IssuerUnavailable(iss, retrySeconds) : refusals.invalid_claims
  }

  return async (claims) => {
    const { iss } = claims
    const reference = referenceOf(claims, home)
    if (reference instanceof Refusal) return reference
    if (reference === undefined) return mode === 'required' ? refusals.invalid_claims : Infinity
    try {
      return await look(iss, reference)
    } catch (cause) {
      if (!(cause instanceof ProblemError)) throw cause
      return new IssuerUnavailable(iss, 1)
    }
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

/** A new copy of a list; while none can be had the known one, as long as it and its key count. */
async function askFor(
  uri: string,
  issuer: string,
  known: Reading | undefined,
  context: TokenStatusContext
): Promise<Answer<Reading>> {
  const { observer, clock, keySet } = context
  const before =
    known !== undefined && known !== 'unavailable' && counts(known, issuer, context)
      ? known
      : undefined
  try {
    const list = await download(uri, issuer, context)
    if (before !== undefined && list.issuedAt < before.issuedAt)
      throw new IssuerFaultError(what, 'is older than the one before')
    if (!keySet.isRetired)
      return { value: { ...list, isOutdated: false }, usableUntil: list.freshUntil }
  } catch (cause) {
    if (!keySet.isRetired)
      observer.issuerTrouble({ issuer, doing: `reading the status list ${placeOf(uri)}`, cause })
  }
  // its options changed meanwhile: by the new ones it is asked for anew
  if (keySet.isRetired) throw issuerUnavailable(1)
  const retryAt = clock() + retrySeconds * 1000
  if (before === undefined || !counts(before, issuer, context))
    return { value: 'unavailable', usableUntil: retryAt }
  const { validUntil } = before
  const freshUntil = Math.min(retryAt, validUntil)
  // while attempts follow one another nobody waits; after a pause somebody does, since the list may be long outdated
  const staleUntil = Math.min(freshUntil + retrySeconds * 1000, validUntil)
  return { value: { ...before, isOutdated: true, freshUntil }, usableUntil: freshUntil, staleUntil }
}

/** Whether a list is in time, and the key that signed it still one of the issuer's. */
function counts(
  { validUntil, key }: StatusList,
  issuer: string,
  { clock, keySet }: TokenStatusContext
): boolean {
  const [algorithm = 'RS256'] = key.algorithms
  return clock() < validUntil && keySet.find(algorithm, key.keyId, issuer)?.spki === key.spki
}

/** Without its query, which may be a secret, and not longer than a line of the log should be. */
function placeOf(uri: string): string {
  const { origin, pathname } = new URL(uri)
  return (origin + pathname).slice(0, 200)
}

async function download(
  uri: string,
  issuer: string,
  { fetch, ...context }: TokenStatusContext
): Promise<StatusList> {
  const headers = { accept: mediaType, 'accept-encoding': 'identity' }
  const response = await fetch(uri, { headers, maxBytes: maxTokenBytes })
  const { status, body } = response
  if (status < 200 || status > 299)
    throw new IssuerFaultError(what, `answered with status ${status}`)
  if (mediaTypeOf(response) !== mediaType) throw new IssuerFaultError(what, `is not ${mediaType}`)
  return readStatusList(body.toString('latin1').trim(), { ...context, uri, issuer })
}

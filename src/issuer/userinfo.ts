import { createHash } from 'node:crypto'
import { LRUCache } from 'lru-cache'
import { ProblemError } from '../http/problem.ts'
import { deepFreeze, type Principal } from '../token/principal.ts'
import { type BoundedFetch, type BoundedResponse, UpstreamError } from './bounded-fetch.ts'
import type { KeySet } from './key-set.ts'
import { isDeeper, maxDepth } from './nesting.ts'
import { retryAfterOf } from './retry-after.ts'

/** The claims of a UserInfo answer (OpenID Connect Core 1.0 section 5.3.2), as the issuer sent them; deeply frozen. */
export type UserInfoClaims = Readonly<Record<string, unknown>> & { readonly sub: string }

/**
 * Reads the UserInfo of a token's subject.
 * @throws {ProblemError} with the answer the caller gets: the issuer's texts are not passed on
 * @throws {TokenRefusedError} if the issuer no longer accepts the token
 * @throws {ScopeRefusedError} if the issuer wants more scope than the token has
 */
export type UserInfoReader = (token: string, principal: Principal) => Promise<UserInfoClaims>

/** The issuer's UserInfo endpoint answered 401: it no longer accepts the token. */
export class TokenRefusedError extends Error {
  override readonly name = 'TokenRefusedError'
}

/** The issuer's UserInfo endpoint answered 403: the token's scope does not suffice there. */
export class ScopeRefusedError extends Error {
  override readonly name = 'ScopeRefusedError'
}

/** What a UserInfo reader works with. */
export interface UserInfoOptions {
  readonly keySet: KeySet
  readonly fetch: BoundedFetch
  /** Milliseconds since the epoch. Default `Date.now`. */
  readonly clock?: (() => number) | undefined
}

const maxUserInfoBytes = 256 * 1024
/** Milliseconds for which an answer may be used again for the same token. */
const lifetime = 10_000
const maxAnswers = 500

interface Answer {
  readonly claims: UserInfoClaims
  readonly usableUntil: number
}

/**
 * Makes the reader of one issuer's UserInfo (OpenID Connect Core 1.0 section 5.3). One call at a time for a token; its
 * answer is kept for ten seconds, never past the token's expiry, under a digest: the cache holds no token.
 */
export function createUserInfoReader({
  keySet,
  fetch,
  clock = Date.now
}: UserInfoOptions): UserInfoReader {
  const answers = new LRUCache<string, Answer>({ max: maxAnswers })
  const running = new Map<string, Promise<UserInfoClaims>>()

  const read = async (
    name: string,
    token: string,
    principal: Principal
  ): Promise<UserInfoClaims> => {
    const claims = await readUserInfo(endpointOf(keySet), token, principal.subject, fetch)
    const usableUntil = Math.min(clock() + lifetime, principal.expiresAt * 1000)
    answers.set(name, { claims, usableUntil })
    return claims
  }

  return async (token, principal) => {
    const name = digestOf(token)
    const answer = answers.get(name)
    if (answer !== undefined && clock() < answer.usableUntil) return answer.claims
    const reading =
      running.get(name) ?? read(name, token, principal).finally(() => running.delete(name))
    running.set(name, reading)
    return reading
  }
}

function endpointOf({ metadata, retryAfterSeconds }: KeySet): string {
  if (metadata === undefined) throw issuerUnavailable(retryAfterSeconds)
  if (metadata.userinfo_endpoint !== undefined) return metadata.userinfo_endpoint
  throw new ProblemError('not-implemented', { detail: 'The issuer has no UserInfo endpoint.' })
}

async function readUserInfo(
  endpoint: string,
  token: string,
  subject: string,
  fetch: BoundedFetch
): Promise<UserInfoClaims> {
  const headers = { authorization: `Bearer ${token}`, accept: 'application/json' }
  try {
    const response = await fetch(endpoint, { headers, maxBytes: maxUserInfoBytes })
    checkStatus(response)
    return parseUserInfo(response, subject)
  } catch (cause) {
    if (cause instanceof UpstreamError) throw problemOf(cause)
    throw cause
  }
}

function checkStatus(response: BoundedResponse): void {
  const { status } = response
  if (status === 200) return
  if (status === 401) throw new TokenRefusedError()
  if (status === 403) throw new ScopeRefusedError()
  if (status === 429 || status === 503) throw issuerUnavailable(retryAfterOf(response))
  throw badGateway('The issuer did not answer with UserInfo.')
}

/** Nothing of an answer is used unless it is about the token's own subject (Core section 5.3.2). */
function parseUserInfo({ headers, body }: BoundedResponse, subject: string): UserInfoClaims {
  if (!/^application\/json *(;|$)/i.test(String(headers['content-type'] ?? ''))) {
    throw badGateway('The issuer did not answer with JSON.')
  }
  const claims = parseJson(body)
  if (typeof claims !== 'object' || claims === null || Array.isArray(claims)) {
    throw badGateway('The issuer did not answer with a JSON object.')
  }
  if (isDeeper(claims, maxDepth)) throw badGateway('The issuer answered with nested JSON.')
  const { sub } = claims as Record<string, unknown>
  if (sub !== subject) throw badGateway('The issuer answered about another subject.')
  return deepFreeze(claims as UserInfoClaims)
}

function parseJson(body: Buffer): unknown {
  try {
    return JSON.parse(body.toString('utf8'))
  } catch {
    // without its cause, which goes to the log: a syntax error quotes the text, and that is about a person
    throw badGateway('The issuer did not answer with JSON.')
  }
}

function problemOf(error: UpstreamError): ProblemError {
  if (error.fault === 'timeout') {
    return new ProblemError('gateway-timeout', {
      detail: 'The issuer did not answer in time.',
      cause: error
    })
  }
  if (error.fault === 'unreachable') return issuerUnavailable(5, error)
  return new ProblemError('bad-gateway', {
    detail: 'The issuer did not answer with UserInfo.',
    cause: error
  })
}

function badGateway(detail: string): ProblemError {
  return new ProblemError('bad-gateway', { detail })
}

function issuerUnavailable(retryAfterSeconds: number, cause?: unknown): ProblemError {
  return new ProblemError('issuer-unavailable', {
    detail: 'The issuer can not be reached; try again later.',
    headers: { 'retry-after': String(retryAfterSeconds) },
    cause
  })
}

function digestOf(token: string): string {
  return createHash('sha256').update(token).digest('base64url')
}

import { LRUCache } from 'lru-cache'
import { ProblemError } from '../http/problem.ts'
import type { Principal } from '../token/principal.ts'
import { createAnswers, digestOf } from './answers.ts'
import { type BoundedFetch, type BoundedResponse, UpstreamError } from './bounded-fetch.ts'
import { IssuerFaultError } from './issuer-fault.ts'
import type { KeySet } from './key-set.ts'
import { maxAnswerBytes, retryAfterOf } from './response.ts'
import { badGateway, issuerUnavailable, problemOfUpstream } from './upstream-problem.ts'
import {
  readUserInfoAnswer,
  type UserInfoAnswerContext,
  type UserInfoClaims
} from './userinfo-answer.ts'

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
export interface UserInfoOptions extends UserInfoAnswerContext {
  readonly fetch: BoundedFetch
  /** The names this API has as a client of the issuer: signed answers may be addressed to it. */
  readonly ownClients: readonly string[]
}

/** Milliseconds for which an answer may be used again for the same token. */
const lifetime = 10_000
const maxAnswers = 500
const unusable = 'The issuer did not answer with UserInfo.'

/**
 * Makes the reader of one issuer's UserInfo (OpenID Connect Core 1.0 section 5.3). One call at a time for a token; its
 * answer is kept for ten seconds, never past the token's expiry, under a digest: the cache holds no token.
 */
export function createUserInfoReader(options: UserInfoOptions): UserInfoReader {
  const { keySet, clock } = options
  const answers = createAnswers<UserInfoClaims>({
    memory: () => new LRUCache({ max: maxAnswers }),
    clock
  })
  return async (token, principal) =>
    answers(digestOf(token), async () => {
      const value = await readUserInfo(endpointOf(keySet), token, principal, options)
      return { value, usableUntil: Math.min(clock() + lifetime, principal.expiresAt * 1000) }
    })
}

function endpointOf({ metadata, retryAfterSeconds }: KeySet): string {
  if (metadata === undefined) throw issuerUnavailable(retryAfterSeconds)
  if (metadata.userinfo_endpoint !== undefined) return metadata.userinfo_endpoint
  throw new ProblemError('not-implemented', { detail: 'The issuer has no UserInfo endpoint.' })
}

async function readUserInfo(
  endpoint: string,
  token: string,
  { issuer, subject, clientId }: Principal,
  options: UserInfoOptions
): Promise<UserInfoClaims> {
  const headers = { authorization: `Bearer ${token}`, accept: 'application/json, application/jwt' }
  const clients = clientId === undefined ? options.ownClients : [clientId, ...options.ownClients]
  try {
    const response = await options.fetch(endpoint, { headers, maxBytes: maxAnswerBytes })
    checkStatus(response)
    return await readUserInfoAnswer(response, { issuer, subject, clients }, options)
  } catch (cause) {
    if (cause instanceof UpstreamError) throw problemOfUpstream(cause, unusable)
    if (cause instanceof IssuerFaultError) throw badGateway(unusable, cause)
    throw cause
  }
}

function checkStatus(response: BoundedResponse): void {
  const { status } = response
  if (status === 200) return
  if (status === 401) throw new TokenRefusedError()
  if (status === 403) throw new ScopeRefusedError()
  if (status === 429 || status === 503) throw issuerUnavailable(retryAfterOf(response))
  throw badGateway(unusable)
}

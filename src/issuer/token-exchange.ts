import { LRUCache } from 'lru-cache'
import { ProblemError } from '../http/problem.ts'
import type { Observer } from '../observe/observer.ts'
import type { Principal } from '../token/principal.ts'
import { grantedScopes } from '../token/scope.ts'
import { createAnswers, digestOf } from './answers.ts'
import { askAsClient, type IssuerClient } from './ask-as-client.ts'
import { type BoundedResponse, UpstreamError } from './bounded-fetch.ts'
import { IssuerFaultError } from './issuer-fault.ts'
import type { KeySet } from './key-set.ts'
import { parseJsonObject, retryAfterOf } from './response.ts'
import { badGateway, issuerUnavailable, problemOfUpstream } from './upstream-problem.ts'

/** What an exchanged token is for: one audience or one resource, or neither where the issuer knows. */
export interface ExchangeTarget {
  /** The name by which the issuer knows the API to be called. */
  readonly audience?: string | undefined
  /** The URL of the API to be called (RFC 8707). */
  readonly resource?: string | undefined
  /** The scopes to ask for: as few as will do. */
  readonly scopes: readonly string[]
}

/** A token that the issuer gave in exchange for the caller's. It is for the target alone: never send it to the caller. */
export interface ExchangedToken {
  readonly token: string
  /** Seconds since the epoch. */
  readonly expiresAt: number
  /** What the issuer granted, which may be less than was asked for. */
  readonly scopes: readonly string[]
}

/** The token exchange of an issuer. */
export interface TokenExchange {
  /**
   * Exchanges a verified access token for one for another API.
   * @throws {ProblemError} with the answer the caller gets: the issuer's texts are not passed on
   */
  (
    token: string,
    principal: Pick<Principal, 'expiresAt'>,
    target: ExchangeTarget
  ): Promise<ExchangedToken>
  /** Has the next call exchange anew, because the target refused the token; at most once in ten seconds. */
  forget(token: string, target: ExchangeTarget, exchanged: ExchangedToken): void
}

export interface TokenExchangeOptions extends IssuerClient {
  readonly issuer: string
  /** Has the metadata of the issuer, which names the endpoint. */
  readonly keySet: Pick<KeySet, 'metadata' | 'retryAfterSeconds'>
  readonly observer: Observer
  /** Milliseconds since the epoch. */
  readonly clock: () => number
}

const accessTokenType = 'urn:ietf:params:oauth:token-type:access_token'
const maxKept = 1000
/** Seconds before its expiry at which a token is no longer used again: it still has to arrive somewhere. */
const margin = 10
/** Seconds for which a token counts whose expiry the issuer does not tell. */
const usualLifetime = 60
const unusable = 'The issuer did not exchange the access token.'

/**
 * Makes the token exchange of one issuer (RFC 8693), with this API as its client. A token is used again for the same
 * subject token and target, never past the expiry of either; one call at a time for both.
 */
export function createTokenExchange(options: TokenExchangeOptions): TokenExchange {
  const { issuer, keySet, observer, clock } = options
  const answers = createAnswers<ExchangedToken>({
    memory: () => new LRUCache({ max: maxKept }),
    clock
  })

  const exchange = async (token: string, target: ExchangeTarget): Promise<ExchangedToken> => {
    const endpoint = endpointOf(keySet)
    try {
      const asked = { form: formOf(token, target), accept: 'application/json' }
      const response = await askAsClient(endpoint, asked, options)
      return readAnswer(response, target, Math.floor(clock() / 1000))
    } catch (cause) {
      observer.issuerTrouble({ issuer, doing: 'exchanging an access token', cause })
      if (cause instanceof UpstreamError) throw problemOfUpstream(cause, unusable)
      if (cause instanceof ExchangeRefusedError) throw problemOf(cause)
      throw cause instanceof IssuerFaultError ? badGateway(unusable, cause) : cause
    }
  }

  const exchangeOnce = async (
    token: string,
    { expiresAt }: Pick<Principal, 'expiresAt'>,
    target: ExchangeTarget
  ): Promise<ExchangedToken> =>
    answers(nameOf(token, target), async () => {
      const value = await exchange(token, target)
      return { value, usableUntil: Math.min(value.expiresAt - margin, expiresAt) * 1000 }
    })

  return Object.assign(exchangeOnce, {
    forget(token: string, target: ExchangeTarget, exchanged: ExchangedToken) {
      answers.forget(nameOf(token, target), exchanged)
    }
  })
}

function nameOf(token: string, { audience = '', resource = '', scopes }: ExchangeTarget): string {
  return digestOf(token, JSON.stringify([audience, resource, [...scopes].sort()]))
}

function endpointOf({ metadata, retryAfterSeconds }: TokenExchangeOptions['keySet']): string {
  if (metadata === undefined) throw issuerUnavailable(retryAfterSeconds)
  if (metadata.token_endpoint !== undefined) return metadata.token_endpoint
  throw new ProblemError('not-implemented', { detail: 'The issuer has no token endpoint.' })
}

function formOf(token: string, { audience, resource, scopes }: ExchangeTarget) {
  return {
    grant_type: 'urn:ietf:params:oauth:grant-type:token-exchange',
    subject_token: token,
    subject_token_type: accessTokenType,
    requested_token_type: accessTokenType,
    ...(audience !== undefined && { audience }),
    ...(resource !== undefined && { resource }),
    ...(scopes.length > 0 && { scope: scopes.join(' ') })
  }
}

const what = 'the token exchange'

/** Only a bearer access token can be used (RFC 8693 section 2.2.1): `N_A` and bound tokens can't. */
function readAnswer(
  response: BoundedResponse,
  { scopes }: ExchangeTarget,
  now: number
): ExchangedToken {
  if (response.status !== 200) throw new ExchangeRefusedError(response)
  const answer = parseJsonObject(response, what)
  const { access_token: token, issued_token_type, token_type, scope, expires_in } = answer
  const isToken = typeof token === 'string' && /^[\w\-.~+/]+=*$/.test(token)
  if (!isToken) throw new IssuerFaultError(what, 'has no access_token')
  if (issued_token_type !== accessTokenType)
    throw new IssuerFaultError(what, 'gave no access token, but another issued_token_type')
  if (typeof token_type !== 'string' || token_type.toLowerCase() !== 'bearer')
    throw new IssuerFaultError(what, 'gave no bearer token, but another token_type')
  return Object.freeze({
    token,
    expiresAt: now + lifetimeOf(expires_in),
    scopes: scope === undefined ? Object.freeze([...scopes]) : grantedScopes({ scope })
  })
}

function lifetimeOf(seconds: unknown): number {
  const isTime = typeof seconds === 'number' && seconds >= 0 && seconds <= 1e9
  return isTime ? Math.floor(seconds) : usualLifetime
}

/** The issuer answered with another status than 200. */
class ExchangeRefusedError extends IssuerFaultError {
  readonly status: number
  readonly error: string | undefined
  readonly retryAfterSeconds: number

  constructor(response: BoundedResponse) {
    const error = errorOf(response)
    super(
      what,
      `answered with status ${response.status}${error === undefined ? '' : ` (${error})`}`
    )
    this.status = response.status
    this.error = error
    this.retryAfterSeconds = retryAfterOf(response)
  }
}

/** What the issuer holds against the caller's token or this target, and not against us as its client. */
const refusedForCaller: ReadonlySet<string | undefined> = new Set([
  'invalid_grant',
  'invalid_scope',
  'invalid_target',
  'access_denied'
])

/** Only registered words are repeated in the log: what else an issuer says there may be about a person. */
const knownErrors: ReadonlySet<unknown> = new Set([
  ...refusedForCaller,
  'invalid_request',
  'invalid_client',
  'unauthorized_client',
  'unsupported_grant_type'
])

function errorOf({ body }: BoundedResponse): string | undefined {
  try {
    const { error } = JSON.parse(body.toString('utf8')) as { readonly error?: unknown }
    return knownErrors.has(error) ? (error as string) : undefined
  } catch {
    return undefined
  }
}

function problemOf(refusal: ExchangeRefusedError): ProblemError {
  const { status, error, retryAfterSeconds } = refusal
  if (status === 429 || status === 503) return issuerUnavailable(retryAfterSeconds, refusal)
  if (status >= 500 || !refusedForCaller.has(error)) return badGateway(unusable, refusal)
  return new ProblemError('access-denied', {
    detail: 'The issuer does not let this API act for the caller there.',
    cause: refusal
  })
}

import { askAsClient, type IssuerClient } from './ask-as-client.ts'
import { type BoundedResponse, UpstreamError } from './bounded-fetch.ts'
import { orLate } from './deadline.ts'
import { IssuerFaultError } from './issuer-fault.ts'
import type { KeySet } from './key-set.ts'
import { mediaTypeOf, parseJsonObject, retryAfterOf } from './response.ts'
import { isDeeper, maxDepth } from '../json/nesting.ts'
import { signedAnswerType } from './signed-introspection.ts'

/** What an issuer says of an active token (RFC 7662 section 2.2), unchecked. */
export type IntrospectedClaims = Readonly<Record<string, unknown>>

/**
 * Asks the issuer about one token.
 * @returns its claims; undefined unless the issuer says that it is active
 * @throws {IntrospectionFailedError} if there is no usable answer, which is never the caller's fault
 */
export type Introspect = (token: string) => Promise<IntrospectedClaims | undefined>

/** The issuer could not be asked, refused this API as its client, or answered nonsense (RFC 7662 section 2.3). */
export class IntrospectionFailedError extends Error {
  override readonly name = 'IntrospectionFailedError'
  readonly retryAfterSeconds: number

  constructor(issuer: string, retryAfterSeconds: number, cause: unknown) {
    super(`${issuer} could not be asked about a token`, { cause })
    this.retryAfterSeconds = retryAfterSeconds
  }
}

export interface IntrospectionContext extends IssuerClient {
  readonly issuer: string
  /** Where the issuer is asked; undefined if its metadata says that. */
  readonly endpoint: string | undefined
  /** Has the metadata of the issuer. */
  readonly keySet: KeySet
  /** Verifies signed answers (RFC 9701), which are then the only ones accepted; undefined for plain ones. */
  readonly verify: ((answer: string) => Promise<Readonly<Record<string, unknown>>>) | undefined
}

const plainAnswerType = 'application/json'
/** Milliseconds for which a request waits for the issuer's metadata: with the call itself less than 10 s. */
const metadataPatience = 4500
/** Seconds after which another try makes sense, if the issuer does not say. */
const usualRetry = 5

/**
 * Makes the introspection of one issuer (RFC 7662 section 2.1): a form in a POST, nothing of the token in a URL, and
 * this API authenticated as a client. Remembers nothing.
 */
export function createIntrospection(context: IntrospectionContext): Introspect {
  return async (token) => {
    const endpoint = await endpointOf(context)
    const response = await ask(endpoint, token, context)
    try {
      const { active, ...claims } = await readAnswer(response, context)
      return active === true ? claims : undefined
    } catch (cause) {
      if (!(cause instanceof IssuerFaultError)) throw cause
      throw new IntrospectionFailedError(context.issuer, retryAfterOf(response), cause)
    }
  }
}

async function endpointOf({ issuer, endpoint, keySet }: IntrospectionContext): Promise<string> {
  if (endpoint !== undefined) return endpoint
  keySet.touch()
  if (keySet.metadata === undefined) {
    const refresh = keySet.refreshForUnknownKey()
    if (refresh !== undefined) await orLate(refresh, metadataPatience)
  }
  const { metadata, retryAfterSeconds } = keySet
  if (metadata === undefined) {
    const cause = new IssuerFaultError(issuer, 'its metadata could not be read yet')
    throw new IntrospectionFailedError(issuer, retryAfterSeconds, cause)
  }
  if (metadata.introspection_endpoint !== undefined) return metadata.introspection_endpoint
  const cause = new IssuerFaultError(issuer, 'its metadata names no introspection_endpoint')
  throw new IntrospectionFailedError(issuer, usualRetry, cause)
}

async function ask(
  endpoint: string,
  token: string,
  context: IntrospectionContext
): Promise<BoundedResponse> {
  const form = { token, token_type_hint: 'access_token' }
  const accept = context.verify === undefined ? plainAnswerType : signedAnswerType
  try {
    return await askAsClient(endpoint, { form, accept }, context)
  } catch (cause) {
    if (!(cause instanceof UpstreamError)) throw cause
    throw new IntrospectionFailedError(context.issuer, usualRetry, cause)
  }
}

/** Any status but 200 says nothing of the token: 400, 401 and 403 are about this API as a client. */
async function readAnswer(
  response: BoundedResponse,
  { verify }: IntrospectionContext
): Promise<Readonly<Record<string, unknown>>> {
  const what = 'the introspection answer'
  const { status, body } = response
  if (status !== 200) throw new IssuerFaultError(what, `answered with status ${status}`)
  const wanted = verify === undefined ? plainAnswerType : signedAnswerType
  if (mediaTypeOf(response) !== wanted) {
    throw new IssuerFaultError(what, `is not ${wanted}`)
  }
  const answer =
    verify === undefined ? parseJsonObject(response, what) : await verify(body.toString('latin1'))
  if (isDeeper(answer, maxDepth)) throw new IssuerFaultError(what, 'is nested too deep')
  return answer
}

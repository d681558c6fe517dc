import type { BoundedFetch, BoundedResponse } from './bounded-fetch.ts'
import type { ClientAuthentication } from './client-authentication.ts'
import { maxAnswerBytes } from './response.ts'

export interface IssuerClient {
  readonly fetch: BoundedFetch
  readonly authenticate: ClientAuthentication
}

/** What is asked: the members of the form, and the media type of the answer. */
export interface ClientRequest {
  readonly form: Readonly<Record<string, string>>
  readonly accept: string
}

/**
 * Asks an endpoint of an issuer as its client (RFC 6749 section 2.3): a form in a POST, so that nothing of a token
 * stands in a URL.
 * @throws {UpstreamError}
 */
export async function askAsClient(
  endpoint: string,
  { form, accept }: ClientRequest,
  { fetch, authenticate }: IssuerClient
): Promise<BoundedResponse> {
  const credentials = await authenticate()
  return fetch(endpoint, {
    method: 'POST',
    headers: {
      ...credentials.headers,
      accept,
      'content-type': 'application/x-www-form-urlencoded'
    },
    body: new URLSearchParams({ ...form, ...credentials.form }).toString(),
    maxBytes: maxAnswerBytes
  })
}

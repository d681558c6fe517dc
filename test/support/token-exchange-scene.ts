import type { IncomingHttpHeaders } from 'node:http'
import { text } from 'node:stream/consumers'
import type { Test } from 'tap'
import type { IssuerOptions } from '../../src/issuer/issuer-options.ts'
import { startTestIssuer } from '../../src/testing.ts'
import { startApi } from './api.ts'
import * as hostile from './hostile-issuer.ts'
import type { Behaviour } from './hostile-issuer.ts'

/** A call of the token endpoint. */
export interface Exchange {
  readonly method: string
  /** Path and query. */
  readonly url: string
  readonly headers: IncomingHttpHeaders
  readonly form: URLSearchParams
}

export const client = { clientId: 'the api', clientSecret: 'keep it: to yourself' }
/** What the issuer gives in exchange unless told otherwise. */
export const exchangedToken = 'ZXhjaGFuZ2Vk.c2VjcmV0.dG9rZW4'

/** A good answer (RFC 8693 section 2.2.1). */
export const goodAnswer = {
  access_token: exchangedToken,
  issued_token_type: 'urn:ietf:params:oauth:token-type:access_token',
  token_type: 'Bearer',
  expires_in: 60
}

/**
 * An API and its issuer, whose token endpoint does as it is told, and whose UserInfo knows the exchanged token only.
 */
export async function startScene(
  t: Test,
  options: Partial<IssuerOptions> & { readonly publicUrl?: string } = {}
) {
  const sound = await startTestIssuer({ algorithms: ['ES256'] })
  t.teardown(() => sound.close())
  const issuer = await hostile.startHostileIssuer()
  t.teardown(() => issuer.close())
  issuer.impersonate(sound)
  const calls: Exchange[] = []
  const answerWith = (behaviour: Behaviour): void =>
    issuer.on('/token', (request, response) => {
      void text(request).then((body) => {
        const { method = '', url = '', headers } = request
        calls.push({ method, url, headers, form: new URLSearchParams(body) })
        behaviour(request, response)
      })
    })
  answerWith(hostile.json(goodAnswer))
  issuer.on('/userinfo', (request, response) => {
    const isKnown = request.headers.authorization === `Bearer ${exchangedToken}`
    const behave = isKnown
      ? hostile.json({ sub: 'ada', name: 'Ada Lovelace' })
      : hostile.status(401)
    behave(request, response)
  })
  const api = await startApi(t, {
    issuer: issuer.issuer,
    audience: sound.audience,
    userinfo: 'exchange',
    tokenExchange: client,
    ...options
  })
  const mint = (claims: object = {}) => sound.mint({ iss: issuer.issuer, ...claims })
  return { api, issuer, sound, mint, calls, answerWith }
}

/** A failure with a body (RFC 6749 section 5.2). */
export function failure(status: number, body: object): Behaviour {
  return (_request, response) => {
    response.writeHead(status, { 'Content-Type': 'application/json' }).end(JSON.stringify(body))
  }
}

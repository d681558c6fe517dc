import type { IncomingHttpHeaders } from 'node:http'
import { text } from 'node:stream/consumers'
import type { FastifyInstance } from 'fastify'
import type { Test } from 'tap'
import type { IssuerOptions } from '../../src/issuer/issuer-options.ts'
import { startTestIssuer } from '../../src/testing.ts'
import { startApi } from './api.ts'
import * as hostile from './hostile-issuer.ts'
import type { Behaviour } from './hostile-issuer.ts'

/** A call of the introspection endpoint. */
export interface Introspection {
  readonly method: string
  /** Path and query. */
  readonly url: string
  readonly headers: IncomingHttpHeaders
  readonly form: URLSearchParams
}

export const client = { clientId: 'the api', clientSecret: 'keep it: to yourself' }
/** What a client of the issuer holds: a token that says nothing. */
export const opaqueToken = '2YotnFZFEjr1zCsicMWpAA'

/**
 * An API and its issuer, whose introspection endpoint does as `answer` says: a JSON value, which may depend on the
 * call, or a behaviour. Ada's token is active unless told otherwise.
 */
export async function startScene(
  t: Test,
  options: Partial<IssuerOptions> & { readonly publicUrl?: string } = {},
  addRoutes?: (app: FastifyInstance) => void
) {
  const sound = await startTestIssuer({ algorithms: ['ES256'] })
  t.teardown(() => sound.close())
  const issuer = await hostile.startHostileIssuer()
  t.teardown(() => issuer.close())
  issuer.impersonate(sound)
  const introspection_endpoint = `${issuer.issuer}/introspect`
  const discovery = JSON.stringify({ ...sound.discovery, introspection_endpoint })
  const document: unknown = JSON.parse(discovery.replaceAll(sound.issuer, issuer.issuer))
  issuer.on('/.well-known/openid-configuration', hostile.json(document))
  const calls: Introspection[] = []
  const answerWith = (behaviour: Behaviour): void =>
    issuer.on('/introspect', (request, response) => {
      void text(request).then((body) => {
        const { method = '', url = '', headers } = request
        calls.push({ method, url, headers, form: new URLSearchParams(body) })
        behaviour(request, response)
      })
    })
  const active = activeAnswer(sound.audience)
  answerWith(hostile.json(active))
  const trusted = {
    issuer: issuer.issuer,
    audience: sound.audience,
    tokens: ['jwt', 'opaque'],
    introspection: client,
    ...options
  } as const
  const api = await startApi(t, trusted, addRoutes)
  const mint = (claims: object = {}) => sound.mint({ iss: issuer.issuer, ...claims })
  return { api, issuer, sound, mint, calls, active, answerWith }
}

function activeAnswer(aud: string) {
  const now = Math.floor(Date.now() / 1000)
  return {
    active: true,
    sub: 'ada',
    aud,
    client_id: 'app',
    scope: 'openid documents:read',
    iat: now,
    exp: now + 3600
  }
}

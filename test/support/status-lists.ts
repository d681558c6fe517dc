import { StatusList } from '@sd-jwt/jwt-status-list'
import type { Test } from 'tap'
import { type MintOptions, startTestIssuer } from '../../src/testing.ts'
import { type HostileIssuer, startHostileIssuer } from './hostile-issuer.ts'

type Claims = Readonly<Record<string, unknown>>

/** An issuer that keeps status lists, as it says which. */
export interface StatusListScene {
  readonly server: HostileIssuer
  readonly options: { readonly issuer: string; readonly audience: string }
  /** Mints an access token whose status stands in a list; `claims` go over it. */
  readonly mint: (path: string, index: unknown, claims?: Claims) => Promise<string>
  /** Mints a token of the issuer as it is told. */
  readonly mintAny: (claims: Claims, options?: MintOptions) => Promise<string>
  /** Serves a list; `claims` and `options` are those of its token. */
  readonly serve: (path: string, list: object, claims?: Claims, options?: MintOptions) => void
  /** Serves a text as a list. */
  readonly serveText: (path: string, text: string, mediaType?: string) => void
  readonly downloads: (path: string) => number
}

/** Starts an issuer that signs by RS256, or by ES256 if it is told to. */
export async function startStatusListScene(t: Test): Promise<StatusListScene> {
  const sound = await startTestIssuer({ algorithms: ['RS256', 'ES256'] })
  const server = await startHostileIssuer()
  t.teardown(() => Promise.all([sound.close(), server.close()]))
  server.impersonate(sound)
  const { issuer } = server
  const mintAny: StatusListScene['mintAny'] = (claims, options) =>
    sound.mint({ iss: issuer, ...claims }, options)
  const respond = (path: string, text: () => Promise<string>, mediaType: string) =>
    server.on(path, (_request, response) => {
      void text().then((body) => response.writeHead(200, { 'Content-Type': mediaType }).end(body))
    })
  const mediaType = 'application/statuslist+jwt'
  return {
    server,
    options: { issuer, audience: sound.audience },
    mint: (path, index, claims = {}) =>
      mintAny({ status: { status_list: { idx: index, uri: issuer + path } }, ...claims }),
    mintAny,
    serve: (path, list, claims = {}, { header, ...options } = {}) => {
      const content = { sub: issuer + path, aud: undefined, exp: undefined, status_list: list }
      const text = () =>
        mintAny(
          { ...content, client_id: undefined, scope: undefined, ...claims },
          { ...options, header: { typ: 'statuslist+jwt', ...header } }
        )
      respond(path, text, mediaType)
    },
    serveText: (path, text, type = mediaType) => respond(path, async () => text, type),
    downloads: (path) => server.requests(path).length
  }
}

/** A list as an independent library writes it. */
export function listOf(statuses: readonly number[], bits: 1 | 2 | 4 | 8 = 2): object {
  return { bits, lst: new StatusList([...statuses], bits).compressStatusList() }
}

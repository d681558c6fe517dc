import { StatusList } from '@sd-jwt/jwt-status-list'
import type { Test } from 'tap'
import { type MintOptions, startTestIssuer, type TestIssuer } from '../../src/testing.ts'
import { type HostileIssuer, startHostileIssuer } from './hostile-issuer.ts'

type Claims = Readonly<Record<string, unknown>>

/** How a list is served; all of it may be left out. */
export interface Serving {
  /** Of the list's token, over the usual ones; `undefined` takes one out. */
  readonly claims?: Claims
  /** How that token is signed. */
  readonly sign?: MintOptions
  readonly status?: number
  readonly mediaType?: string
  /** The answer waits for it. */
  readonly wait?: Promise<unknown>
}

/** An issuer that keeps status lists, and the tokens whose statuses stand there. */
export interface StatusListScene {
  readonly sound: TestIssuer
  readonly server: HostileIssuer
  readonly options: { readonly issuer: string; readonly audience: string }
  /** Mints an access token whose status stands in a list; `claims` go over it. */
  readonly mint: (
    path: string,
    index: unknown,
    claims?: Claims,
    sign?: MintOptions
  ) => Promise<string>
  /** Serves a list at a path. */
  readonly serve: (path: string, list: object, serving?: Serving) => void
  /** Serves a text as if it were a list. */
  readonly serveText: (path: string, text: string, mediaType?: string) => void
  readonly downloads: (path: string) => number
}

const listType = 'application/statuslist+jwt'

/** Starts an issuer that signs by RS256, or by ES256 if it is told to. */
export async function startStatusListScene(t: Test): Promise<StatusListScene> {
  const sound = await startTestIssuer({ algorithms: ['RS256', 'ES256'] })
  const server = await startHostileIssuer()
  t.teardown(() => Promise.all([sound.close(), server.close()]))
  server.impersonate(sound)
  const { issuer } = server
  const serve: StatusListScene['serve'] = (path, list, serving = {}) =>
    server.on(path, (_request, response) => {
      const { status = 200, mediaType = listType, wait } = serving
      const text = mintList(path, list, serving)
      void Promise.all([text, wait]).then(([body]) =>
        response.writeHead(status, { 'Content-Type': mediaType }).end(body)
      )
    })
  const mintList = (path: string, list: object, { claims, sign }: Serving) => {
    const own = { iss: issuer, sub: issuer + path, status_list: list }
    const none = { aud: undefined, exp: undefined, client_id: undefined, scope: undefined }
    const header = { typ: 'statuslist+jwt', ...sign?.header }
    return sound.mint({ ...own, ...none, ...claims }, { ...sign, header })
  }
  return {
    sound,
    server,
    options: { issuer, audience: sound.audience },
    mint: (path, index, claims = {}, sign = {}) => {
      const status = { status_list: { idx: index, uri: issuer + path } }
      return sound.mint({ iss: issuer, status, ...claims }, sign)
    },
    serve,
    serveText: (path, text, mediaType = listType) =>
      server.on(path, (_request, response) => {
        response.writeHead(200, { 'Content-Type': mediaType }).end(text)
      }),
    downloads: (path) => server.requests(path).length
  }
}

/** A list as an independent library writes it. */
export function listOf(
  statuses: readonly number[],
  bits: 1 | 2 | 4 | 8 = 2
): { readonly bits: number; readonly lst: string } {
  return { bits, lst: new StatusList([...statuses], bits).compressStatusList() }
}

import { once } from 'node:events'
import { createServer } from 'node:http'
import type { IncomingHttpHeaders, IncomingMessage, ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import type { TestIssuer } from '../../src/testing.ts'

/** What an endpoint does with a request. */
export type Behaviour = (request: IncomingMessage, response: ServerResponse) => void

/** A request as it arrived. */
export interface RecordedRequest {
  readonly method: string
  /** Path and query. */
  readonly url: string
  readonly headers: IncomingHttpHeaders
}

export interface HostileIssuer {
  /** Its origin, which is its issuer identifier. */
  readonly issuer: string
  /** Sets what a path does from now on; a path that nothing was said of answers 404. */
  on(path: string, behaviour: Behaviour): void
  /** Serves the discovery document, key set and UserInfo path of a sound issuer, under this origin. */
  impersonate(sound: TestIssuer): void
  /** The requests so far for a path (without query), or for all of them. */
  requests(path?: string): readonly RecordedRequest[]
  /** How many connections are open. */
  openSockets(): Promise<number>
  close(): Promise<void>
}

/** Starts a server on a free loopback port whose every endpoint can be made to misbehave. */
export async function startHostileIssuer(): Promise<HostileIssuer> {
  const behaviours = new Map<string, Behaviour>()
  const recorded: RecordedRequest[] = []
  const server = createServer((request, response) => {
    const { method = '', url = '', headers } = request
    recorded.push({ method, url, headers })
    const behave = behaviours.get(pathOf(url)) ?? status(404)
    behave(request, response)
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const issuer = `http://127.0.0.1:${(server.address() as AddressInfo).port}`

  return {
    issuer,
    on: (path, behaviour) => void behaviours.set(path, behaviour),
    impersonate(sound) {
      const document = JSON.stringify(sound.discovery).replaceAll(sound.issuer, issuer)
      behaviours.set('/.well-known/openid-configuration', json(JSON.parse(document)))
      behaviours.set('/jwks', (request, response) => json(sound.jwks)(request, response))
    },
    requests: (path) => recorded.filter(({ url }) => path === undefined || pathOf(url) === path),
    openSockets: () =>
      new Promise((resolve, reject) => {
        server.getConnections((error, count) => (error ? reject(error) : resolve(count)))
      }),
    async close() {
      const closed = once(server, 'close')
      server.close()
      server.closeAllConnections()
      await closed
    }
  }
}

/** Takes the request and never answers. */
export const hang: Behaviour = () => undefined

/** Promises JSON and sends one byte of it every 200 ms, for ever. */
export const drip: Behaviour = (_request, response) => {
  response.writeHead(200, { 'Content-Type': 'application/json' }).write('{')
  const timer = setInterval(() => response.write(' '), 200)
  response.on('close', () => clearInterval(timer))
}

/** A page for people, with status 200, as proxies and captive portals send it. */
export const html: Behaviour = (_request, response) => {
  response.writeHead(200, { 'Content-Type': 'text/html' }).end('<!doctype html><h1>Welcome</h1>')
}

/** Cuts the connection without an answer. */
export const reset: Behaviour = (request) => {
  request.socket.resetAndDestroy()
}

/** JSON by its media type, not by its content. */
export const badJson: Behaviour = (_request, response) => {
  response.writeHead(200, { 'Content-Type': 'application/json' }).end('{"keys": [')
}

/** Answers with a status, and no content. */
export function status(code: number, headers: Readonly<Record<string, string>> = {}): Behaviour {
  return (_request, response) => {
    response.writeHead(code, headers).end()
  }
}

/** Sends the client somewhere else. */
export function redirect(to: string, code = 302): Behaviour {
  return status(code, { Location: to })
}

/** Answers with a value as JSON. */
export function json(value: unknown, headers: Readonly<Record<string, string>> = {}): Behaviour {
  return (_request, response) => {
    const fields = { 'Content-Type': 'application/json', ...headers }
    response.writeHead(200, fields).end(JSON.stringify(value))
  }
}

/** Streams a JSON document of that many bytes, its length not announced; stops when the client leaves. */
export function huge(bytes = 60_000_000): Behaviour {
  return (_request, response) => {
    response.writeHead(200, { 'Content-Type': 'application/json' })
    // A client that hangs up is what the test wants to see, not a fault of ours.
    pipeline(Readable.from(longDocument(bytes)), response).catch(() => undefined)
  }
}

function* longDocument(bytes: number): Generator<string> {
  const frame = '{"keys":[]}'
  const chunk = ' '.repeat(65_536)
  yield frame.slice(0, -1)
  let left = bytes - frame.length
  for (; left > chunk.length; left -= chunk.length) yield chunk
  yield `${' '.repeat(left)}}`
}

function pathOf(url: string): string {
  const [path = ''] = url.split('?')
  return path
}

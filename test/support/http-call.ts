import { once } from 'node:events'
import { type IncomingMessage, request as sendRequest } from 'node:http'
import { text } from 'node:stream/consumers'
import type { ProblemDocument } from '../../src/http/problem.ts'
import { type Challenge, parseChallenges } from './challenge.ts'

/** A request to an app. */
export interface Call {
  readonly method?: string
  /** Default `/whoami`. */
  readonly path?: string
  /** Sent in the Authorization field, behind `Bearer `. */
  readonly token?: string
  /** Further header lines, exactly as they are sent: name, value, name, value … */
  readonly lines?: readonly string[]
  readonly body?: string
}

/** What came back. */
export interface Answer {
  readonly status: number
  readonly headers: IncomingMessage['headers']
  readonly challenges: readonly Challenge[]
  readonly text: string
}

/** Sends a request over a connection of its own; unlike fetch, it leaves header lines as they are. */
export async function callOrigin(origin: string, call: Call = {}): Promise<Answer> {
  const { method = 'GET', path = '/whoami', token, lines = [], body } = call
  const credentials = token === undefined ? [] : ['Authorization', `Bearer ${token}`]
  const headers = ['Host', new URL(origin).host, 'Connection', 'close', ...credentials, ...lines]
  if (body !== undefined) headers.push('Content-Length', String(Buffer.byteLength(body)))
  const request = sendRequest(origin + path, { method, headers, agent: false }).end(body)
  const [response] = (await once(request, 'response')) as [IncomingMessage]
  return {
    status: response.statusCode ?? 0,
    headers: response.headers,
    challenges: parseChallenges(response.headersDistinct['www-authenticate']),
    text: await text(response)
  }
}

/** The body of an answer as a problem document; an empty one if it is none. */
export function problemOf({ text }: Answer): Partial<ProblemDocument> {
  return text.startsWith('{') ? (JSON.parse(text) as Partial<ProblemDocument>) : {}
}

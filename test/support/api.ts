import Fastify, { type FastifyInstance } from 'fastify'
import type { Test } from 'tap'
import latchkey, { type LatchkeyOptions } from '../../plugins/latchkey.ts'
import me from '../../routes/me.ts'
import whoami from '../../routes/whoami.ts'
import { type Challenge, parseChallenges } from './challenge.ts'

/** An answer of the API, read whole. */
export interface Answer {
  readonly status: number
  readonly headers: Headers
  readonly text: string
  /** The body as JSON; undefined if it is none. */
  readonly json: Record<string, unknown> | undefined
  readonly challenges: readonly Challenge[]
}

/** An API that the plugin guards, on a socket, and all it logged. */
export interface Api {
  readonly app: FastifyInstance
  readonly origin: string
  readonly log: readonly string[]
  /** The lines of the log that say `message`. */
  readonly logged: (message: string) => Record<string, unknown>[]
  /** Sends a GET with a Bearer token; to `/whoami` if no path is named. */
  readonly ask: (
    token: string,
    path?: string,
    headers?: Readonly<Record<string, string>>
  ) => Promise<Answer>
}

/**
 * Starts `/whoami`, `/me` and the test's own routes behind the plugin, without waiting for any issuer. It is closed when
 * the test ends.
 */
export async function startApi(
  t: Test,
  options: LatchkeyOptions,
  addRoutes: (app: FastifyInstance) => void | Promise<void> = () => undefined
): Promise<Api> {
  const log: string[] = []
  const logger = { level: 'trace', stream: { write: (line: string) => void log.push(line) } }
  const app = Fastify({ logger, forceCloseConnections: true })
  t.teardown(() => app.close())
  await app.register(latchkey, options)
  await app.register(me)
  await app.register(whoami)
  await addRoutes(app)
  const origin = await app.listen({ host: '127.0.0.1', port: 0 })
  return {
    app,
    origin,
    log,
    logged: (message) =>
      log
        .map((line) => JSON.parse(line) as Record<string, unknown>)
        .filter(({ msg }) => msg === message),
    ask: async (token, path = '/whoami', headers = {}) =>
      read(
        await fetch(origin + path, { headers: { ...headers, authorization: `Bearer ${token}` } })
      )
  }
}

async function read(response: Response): Promise<Answer> {
  const { status, headers } = response
  const text = await response.text()
  return {
    status,
    headers,
    text,
    json: parse(text),
    challenges: parseChallenges(headers.get('www-authenticate'))
  }
}

function parse(text: string): Record<string, unknown> | undefined {
  try {
    return JSON.parse(text) as Record<string, unknown>
  } catch {
    return undefined
  }
}

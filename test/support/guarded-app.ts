import type { AddressInfo } from 'node:net'
import Fastify, { type FastifyInstance, type FastifyRequest } from 'fastify'
import type { Test } from 'tap'
import latchkey, { type LatchkeyOptions } from '../../plugins/latchkey.ts'
import type { GuardDeclaration } from '../../src/token/guard.ts'
import whoami from '../../routes/whoami.ts'
import { type Answer, type Call, callOrigin } from './http-call.ts'

/** An app guarded by the plugin, listening on a free port of 127.0.0.1. */
export interface GuardedApp {
  readonly app: FastifyInstance
  readonly origin: string
  /** The log so far, one line an entry. */
  readonly log: readonly string[]
  readonly call: (call?: Call) => Promise<Answer>
  /** How many tokens were sent so far, and which of them a line of the log holds. */
  readonly inspectLog: () => { readonly tokensSent: number; readonly leaked: readonly string[] }
}

/** Starts {@link createApp} behind a socket, with routes of `guards` by path, and closes it when the test is over. */
export async function startGuardedApp(
  t: Test,
  options: LatchkeyOptions,
  guards: Readonly<Record<string, GuardDeclaration>> = {}
): Promise<GuardedApp> {
  const log: string[] = []
  const app = await createApp(options, log)
  for (const [path, auth] of Object.entries(guards))
    app.get(path, { config: { auth } }, answerSubject)
  t.teardown(() => app.close())
  await app.listen({ port: 0, host: '127.0.0.1' })
  const origin = `http://127.0.0.1:${(app.server.address() as AddressInfo).port}`
  const sent = new Set<string>()
  return {
    app,
    origin,
    log,
    call(call = {}) {
      for (const token of tokensOf(call)) sent.add(token)
      return callOrigin(origin, call)
    },
    inspectLog() {
      const leaked = [...sent].filter((token) => log.some((line) => shows(line, token)))
      return { tokensSent: sent.size, leaked }
    }
  }
}

/** Closes a test file: whatever it sent, no line of the log may hold a token of it. */
export function assertCleanLog(t: Test, { inspectLog }: GuardedApp): void {
  const { tokensSent, leaked } = inspectLog()
  t.ok(tokensSent > 0, `${tokensSent} tokens were sent`)
  t.strictSame(leaked, [])
}

/**
 * An app as a consumer would write it: `/whoami`, routes that want scopes, one that takes a body, a public one. It
 * logs at the lowest level, requests without their query, which holds whatever clients put there (FY-6).
 */
export async function createApp(
  options: LatchkeyOptions,
  log: string[] = []
): Promise<FastifyInstance> {
  const stream = { write: (line: string) => void log.push(line) }
  const serializers = {
    req: ({ method, url }: FastifyRequest) => ({ method, path: url.split('?')[0] })
  }
  const app = Fastify({ logger: { level: 'trace', stream, serializers } })
  await app.register(latchkey, options)
  await app.register(whoami)
  app.get('/documents', { config: { auth: { scopes: ['documents:read'] } } }, answerSubject)
  app.get('/either', { config: { auth: { anyScope: ['a', 'b'] } } }, answerSubject)
  app.get(
    '/both',
    { config: { auth: { scopes: ['c', 'd'], anyScope: ['a', 'b'] } } },
    answerSubject
  )
  app.get('/ping', { config: { auth: false } }, async () => 'pong')
  const body = { type: 'object', required: ['title'], properties: { title: { type: 'string' } } }
  app.post(
    '/documents',
    {
      config: { accepts: ['application/json'], auth: { scopes: ['documents:write'] } },
      schema: { body }
    },
    answerSubject
  )
  return app
}

async function answerSubject({ principal }: FastifyRequest): Promise<{ sub: string }> {
  return { sub: principal.subject }
}

/** All that may be a token in a request: in the field itself, in other lines, in the query, in the body. */
function tokensOf({ token = '', path = '', lines = [], body = '' }: Call): string[] {
  const { searchParams } = new URL(path, 'http://localhost')
  const words = [...lines, ...searchParams.values(), body].flatMap((text) => text.split(/[\s=;]+/))
  return [token, ...words].filter((word) => word.length > 40)
}

/** Whether a line shows a token or one of its parts; a part may be short, and then says nothing. */
function shows(line: string, token: string): boolean {
  return [token, ...token.split('.')].some((part) => part.length > 20 && line.includes(part))
}

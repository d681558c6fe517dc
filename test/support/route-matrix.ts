import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import type { FastifyInstance, RouteOptions } from 'fastify'
import type { Test } from 'tap'
import type { TestIssuer } from '../../src/testing.ts'
import { type Guard, parseGuard } from '../../src/token/guard.ts'
import { type Answer, type Call, callOrigin } from './http-call.ts'

/** A route of an app as a client can call it. */
export interface MatrixRoute {
  readonly method: string
  /** Its parameters filled in. */
  readonly path: string
  /** undefined for a public route. */
  readonly guard: Guard | undefined
}

/** Builds an app and collects all its routes, whoever declares them, with what each says it demands. */
export async function routeMatrix(
  build: () => Promise<FastifyInstance>
): Promise<{ app: FastifyInstance; routes: readonly MatrixRoute[] }> {
  const routes: MatrixRoute[] = []
  const collect = (created: unknown) => {
    const { fastify } = created as { fastify: FastifyInstance }
    fastify.addHook('onRoute', (route) => void routes.push(...callable(route)))
  }
  // the only moment at which a hook comes before every route of an app that is built elsewhere
  subscribe('fastify.initialization', collect)
  try {
    const app = await build()
    await app.ready()
    return { app, routes }
  } finally {
    unsubscribe('fastify.initialization', collect)
  }
}

function callable({ method, url, config }: RouteOptions): MatrixRoute[] {
  const guard = parseGuard(config?.auth)
  const path = url
    .replaceAll(/:\w+(?:\([^)]*\))?\??/g, '01890a5d-ac96-774b-bcce-b302099a8057')
    .replace(/\*$/, 'x')
  return [method].flat().map((method) => ({ method, path, guard }))
}

/** What a guard has to answer: a status and perhaps an error code, or nothing, since the request passes it. */
type Verdict = { readonly status: number; readonly error?: string } | 'passes'

interface Row {
  readonly name: string
  readonly call: (scope: string) => Call | Promise<Call>
  readonly verdict: (guard: Guard) => Verdict
}

/** Sends each kind of credentials to each route: what the route declares is all that may decide the answer. */
export async function assertMatrix(
  t: Test,
  origin: string,
  routes: readonly MatrixRoute[],
  issuer: TestIssuer
): Promise<void> {
  const rows = credentials(issuer)
  for (const { method, path, guard } of routes)
    for (const { name, call, verdict } of rows) {
      const answer = await callOrigin(origin, { method, path, ...(await call(guard?.scope ?? '')) })
      const expected = guard === undefined ? 'passes' : verdict(guard)
      assertVerdict(t, answer, expected, `${method} ${path}, ${name}`)
    }
}

function credentials(issuer: TestIssuer): Row[] {
  const always = (status: number, error?: string) => () =>
    error === undefined ? { status } : { status, error }
  const lines = (...fields: string[]) => ({
    lines: fields.flatMap((field) => ['Authorization', field])
  })
  const minted = (claims: object) => async (scope: string) => ({
    // signed in just now, for routes that want that
    token: await issuer.mint({ scope, auth_time: Math.floor(Date.now() / 1000), ...claims })
  })
  const withoutScope = ({ scope }: Guard): Verdict =>
    scope === undefined ? 'passes' : { status: 403, error: 'insufficient_scope' }
  const badToken = always(401, 'invalid_token')
  return [
    { name: 'no credentials', call: () => ({}), verdict: always(401) },
    { name: 'another scheme', call: () => lines('Basic eDp5'), verdict: always(401) },
    { name: 'no token', call: () => lines('Bearer'), verdict: always(400, 'invalid_request') },
    {
      name: 'two',
      call: () => lines('Bearer a', 'Bearer a'),
      verdict: always(400, 'invalid_request')
    },
    { name: 'garbage', call: () => ({ token: 'garbage' }), verdict: badToken },
    { name: 'an expired token', call: minted({ exp: 1 }), verdict: badToken },
    { name: 'a token for another API', call: minted({ aud: 'x' }), verdict: badToken },
    { name: 'a token of another issuer', call: minted({ iss: 'https://x' }), verdict: badToken },
    { name: 'a token without scopes', call: minted({ scope: undefined }), verdict: withoutScope },
    { name: 'a token with all scopes', call: minted({}), verdict: () => 'passes' }
  ]
}

function assertVerdict(t: Test, answer: Answer, expected: Verdict, name: string): void {
  const { status, challenges } = answer
  const [challenge] = challenges
  if (expected === 'passes') {
    t.ok(challenge === undefined && status < 500, `${name}: passes the guard, ${status}`)
    return
  }
  t.equal(status, expected.status, `${name}: status`)
  t.equal(challenge?.scheme, 'Bearer', `${name}: challenge`)
  t.equal(challenge?.params['error'], expected.error, `${name}: error`)
}

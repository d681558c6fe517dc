import { spawnSync } from 'node:child_process'
import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { fileURLToPath } from 'node:url'

import { Validator } from '@seriousme/openapi-schema-validator'
import t, { type Test } from 'tap'
import { parse } from 'yaml'
import type { FastifyInstance, RouteOptions } from 'fastify'

import { buildApp } from '../../src/app.ts'
import { loadConfig } from '../../src/config/load.ts'
import { startTestIssuer } from '../../src/testing.ts'
import { appUnderTest } from '../support/app.ts'
import { until } from '../support/until.ts'

/** The parts of openapi.yaml that are looked at here. */
interface Document {
  paths: Record<string, Record<string, Operation>>
  components: { schemas: Record<string, Described>; responses: Record<string, Response> }
}
interface Operation {
  responses: Record<string, Response>
  requestBody?: Response
  parameters?: { name: string; in: string; example?: string; schema: { pattern?: string } }[]
}
interface Response {
  $ref?: string
  description?: string
  headers?: Record<string, object>
  content?: Record<string, Described & { schema?: Described }>
}
interface Described {
  $ref?: string
  example?: unknown
  examples?: unknown
}

const root = new URL('../../../', import.meta.url)
const text = readFileSync(new URL('openapi.yaml', root), 'utf8')
const document = parse(text) as Document

/** Answered, but no contract with clients: the page that shows it, OPTIONS of any path, what issuers tell, 405. */
const outsideTheContract =
  /^(GET|HEAD) \/docs(\/|$)|^OPTIONS |^POST \/(backchannel-logout|security-events)$|^(?!GET|HEAD).+ \/documents\/changes$/

const settings = {
  OIDC_ISSUER: 'http://127.0.0.1:1',
  OIDC_AUDIENCE: 'openapi',
  DATABASE_URL: 'memory://',
  LOG_LEVEL: 'silent'
}

async function buildService(): Promise<{ app: FastifyInstance; routes: RouteOptions[] }> {
  const routes: RouteOptions[] = []
  const watch = (message: unknown): void => {
    const { fastify } = message as { fastify: FastifyInstance }
    fastify.addHook('onRoute', (route) => void routes.push(route))
  }
  subscribe('fastify.initialization', watch)
  const app = await buildApp(loadConfig(settings, () => ''))
  unsubscribe('fastify.initialization', watch)
  return { app, routes }
}

// In a process of its own: tap changes how the yaml package writes dates in this one.
t.test('openapi.yaml is what the routes give', async (t) => {
  const { status, stderr } = runNode('scripts/openapi.mjs', '--check')
  t.equal(status, 0, stderr)
})

t.test('OWASP-9: the document has every route of the service, and no other', async (t) => {
  const { app, routes } = await buildService()
  t.teardown(() => app.close())
  const served = routes
    .flatMap(({ method, url }) => [method].flat().map((name) => `${name} ${url}`))
    .map((route) => route.replaceAll(/:(\w+)/g, '{$1}'))
    .filter((route) => !outsideTheContract.test(route))
  const described = Object.entries(document.paths).flatMap(([path, operations]) =>
    Object.keys(operations)
      .flatMap((method) => (method === 'get' ? ['GET', 'HEAD'] : [method.toUpperCase()]))
      .map((method) => `${method} ${path}`)
  )
  t.strictSame(described.sort(), [...new Set(served)].sort())
})

for (const [dpop, names, security] of [
  ['off', ['bearer'], [{ bearer: ['openid'] }]],
  ['optional', ['bearer', 'dpop'], [{ bearer: ['openid'] }, { dpop: ['openid'] }]],
  ['required', ['dpop'], [{ dpop: ['openid'] }]]
] as const)
  t.test(`with DPoP ${dpop} the document lists ${names.join(' and ')}`, async (t) => {
    const described = await documentWith(t, dpop)
    t.strictSame(Object.keys(described.components.securitySchemes), names)
    t.strictSame(described.paths['/me'].get.security, security)
    t.strictSame(described.paths['/livez'].get.security, [])
    t.match(await new Validator().validate(described), { valid: true })
  })

t.test('where DPoP is required, the document says nothing of bearer tokens', async (t) => {
  const described = await documentWith(t, 'required')
  t.notMatch(JSON.stringify(described), /\bBearer\b|"bearer"/)
  t.match(described.info, { description: /`Authorization: DPoP <token>`/ })
})

t.test('where DPoP is on, its refusals are described', async (t) => {
  const { paths, components } = await documentWith(t, 'optional')
  const [, answer] = paths['/whoami'].get.responses['401'].$ref.split('/responses/')
  t.match(components.responses[answer], {
    headers: { 'WWW-Authenticate': {}, 'DPoP-Nonce': {} },
    content: {
      'application/problem+json': {
        examples: { 'invalid-dpop-proof': {}, 'dpop-nonce-required': {} }
      }
    }
  })
  const { examples } = components.headers['WWW-Authenticate']
  t.match(examples['without credentials'].value, /^Bearer .+, DPoP realm="api", algs="ES256 .+"$/)
  t.match(examples['without a proof'].value, /, DPoP .+, error="invalid_dpop_proof"/)
  t.notMatch(text, /DPoP-Nonce|-dpop-/, 'elsewhere there are none')
})

async function documentWith(t: Test, dpop: 'off' | 'optional' | 'required') {
  const issuers = [{ issuer: 'http://127.0.0.1:9', audience: 'https://api.example.com', dpop }]
  const { app } = await appUnderTest(t, { issuers, logLevel: 'silent' })
  return (await app.inject('/openapi.json')).json()
}

t.test('every answer is described, with an example where it has a body', async (t) => {
  for (const [path, operations] of Object.entries(document.paths)) {
    for (const [method, { responses, requestBody }] of Object.entries(operations)) {
      const answers = { ...responses, ...(requestBody && { body: requestBody }) }
      for (const [status, { description, content }] of Object.entries(answers).map(resolved)) {
        const name = `${method} ${path} ${status}`
        if (status !== 'body') t.not(description, 'Default Response', name)
        for (const media of Object.values(content ?? {})) t.ok(hasExample(media), name)
      }
    }
  }
})

/** Of an answer's connection and content, and what every answer has. */
const notWorthTelling =
  /^(connection|date|content-(length|type|security-policy)|cache-control|vary|strict-.*|x-.*|referrer-policy|origin-agent-cluster|cross-origin-.*)$/

t.test('every field of an answer is described', async (t) => {
  const issuer = await startTestIssuer({ algorithms: ['ES256'] })
  t.teardown(() => issuer.close())
  const { app } = await appUnderTest(t, { issuers: [issuer.options] })
  await until(() => app.latchkey.isReady())
  const token = await issuer.mint({ scope: 'documents:read documents:write' })
  const authorization = `Bearer ${token}`
  const ask = (method: 'GET' | 'POST' | 'PATCH', url: string, headers = {}, payload = '') =>
    app.inject({ method, url, headers: { authorization, ...headers }, payload })
  const json = { 'content-type': 'application/json' }
  const known = { 'if-none-match': '*' }
  const { id } = (await ask('POST', '/documents', json, '{"data":{}}')).json()

  for (const [method, path, status, headers, payload] of [
    ['GET', '/whoami', 200],
    ['GET', '/whoami', 401, { authorization: 'Bearer bad' }],
    ['GET', '/documents', 200],
    ['POST', '/documents', 201, json, '{"data":{}}'],
    ['POST', '/documents', 415, { 'content-type': 'text/plain' }, '{}'],
    ['POST', '/documents', 415, { ...json, 'content-encoding': 'gzip' }, '{}'],
    ['GET', '/documents/{id}', 200],
    ['GET', '/documents/{id}', 304, known],
    ['PATCH', '/documents/{id}', 415, json, '{}'],
    ['GET', '/openapi.json', 200],
    ['GET', '/openapi.yaml', 304, known],
    ['GET', '/livez', 200]
  ] as const) {
    const answer = await ask(method, path.replace('{id}', id), headers, payload)
    const name = `${method} ${path} ${status}`
    t.equal(answer.statusCode, status, name)
    const sent = Object.keys(answer.headers).filter((field) => !notWorthTelling.test(field))
    // that problems have these too is said once, with the field
    const ofProblems = status < 400 ? [] : ['ratelimit', 'ratelimit-policy']
    const described = new Set([...describedFields(path, method, status), ...ofProblems])
    t.strictSame(
      sent.filter((field) => !described.has(field)),
      [],
      name
    )
  }
})

t.test(
  'clients are told the form of an Idempotency-Key, and how to ask for changes only',
  async (t) => {
    const parameters = (path: string, method: string) => document.paths[path]?.[method]?.parameters
    const known = { in: 'header', name: 'If-None-Match', required: false }
    for (const path of ['/openapi.json', '/openapi.yaml', '/documents/{id}'])
      t.match(parameters(path, 'get')?.at(-1), known, path)
    const [key] = parameters('/documents', 'post') ?? []
    const form = new RegExp(key?.schema.pattern ?? '', 'u')
    t.match(key?.example, form)
    for (const bad of ['bare', '""', '"a", "b"']) t.notMatch(bad, form)
    t.notOk(document.paths['/openapi.json']?.['get']?.responses['422'])
  }
)

function describedFields(path: string, method: string, status: number): string[] {
  const { responses } = document.paths[path]?.[method.toLowerCase()] ?? { responses: {} }
  const [, { headers = {} }] = resolved([String(status), responses[status] ?? {}])
  return Object.keys(headers).map((field) => field.toLowerCase())
}

function resolved([status, response]: [string, Response]): [string, Response] {
  const name = response.$ref?.replace('#/components/responses/', '')
  return [status, name === undefined ? response : (document.components.responses[name] ?? {})]
}

function hasExample({ schema, ...media }: Described & { schema?: Described }): boolean {
  const name = schema?.$ref?.replace('#/components/schemas/', '')
  const shared = name === undefined ? schema : document.components.schemas[name]
  return [media, schema, shared].some((part) => part?.example ?? part?.examples)
}

t.test('two public validators find nothing', async (t) => {
  const { valid, errors } = await new Validator().validate(text)
  t.strictSame(errors, undefined)
  t.ok(valid)
  const redocly = createRequire(import.meta.url).resolve('@redocly/cli/bin/cli.js')
  const { status, stdout } = runNode(redocly, 'lint', 'openapi.yaml')
  t.equal(status, 0, stdout)
})

function runNode(...args: string[]) {
  const env = { REDOCLY_SUPPRESS_UPDATE_NOTICE: 'true' }
  return spawnSync(process.execPath, args, { cwd: fileURLToPath(root), env, encoding: 'utf8' })
}

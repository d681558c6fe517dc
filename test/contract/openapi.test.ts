import { spawnSync } from 'node:child_process'
import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { fileURLToPath } from 'node:url'

import { Validator } from '@seriousme/openapi-schema-validator'
import t from 'tap'
import { parse } from 'yaml'
import type { FastifyInstance, RouteOptions } from 'fastify'

import { buildApp } from '../../src/app.ts'
import { loadConfig } from '../../src/config/load.ts'
import { appUnderTest } from '../support/app.ts'

/** The parts of openapi.yaml that are looked at here. */
interface Document {
  paths: Record<string, Record<string, Operation>>
  components: { schemas: Record<string, Described>; responses: Record<string, Response> }
}
interface Operation {
  responses: Record<string, Response>
  requestBody?: Response
}
interface Response {
  $ref?: string
  description?: string
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

/** Answered, but no contract with clients: the page that shows it, OPTIONS of any path, what issuers tell. */
const outsideTheContract =
  /^(GET|HEAD) \/docs(\/|$)|^OPTIONS |^POST \/(backchannel-logout|security-events)$/

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
    const issuers = [{ issuer: 'http://127.0.0.1:9', audience: 'https://api.example.com', dpop }]
    const { app } = await appUnderTest(t, { issuers, logLevel: 'silent' })
    const described = (await app.inject('/openapi.json')).json()
    t.strictSame(Object.keys(described.components.securitySchemes), names)
    t.strictSame(described.paths['/me'].get.security, security)
    t.strictSame(described.paths['/livez'].get.security, [])
    t.match(await new Validator().validate(described), { valid: true })
  })

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

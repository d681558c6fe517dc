import { createRequire } from 'node:module'

import swagger from '@fastify/swagger'
import fp from 'fastify-plugin'
import type { FastifyInstance, FastifySchema } from 'fastify'
import type { SwaggerTransform, SwaggerTransformObject } from '@fastify/swagger'

import type { ProofChallenge } from '../src/binding/challenges.ts'
import {
  limitFields,
  type ProblemComponents,
  problemComponents,
  problemResponses
} from '../src/http/problem-responses.ts'
import { ProblemSchema } from '../src/http/problem-schema.ts'
import { parseGuard } from '../src/token/guard.ts'
import type { ProblemKind } from '../src/http/problem.ts'
import type { Scheme } from '../src/token/authorization.ts'
import type { Guard } from '../src/token/guard.ts'
import {
  describeGuard,
  type SchemeOptions,
  schemesOf,
  securitySchemesOf
} from './guard-description.ts'

declare module 'fastify' {
  interface FastifyContextConfig {
    /** The problems that this route answers with beyond those of its guard and of its schemas. */
    problems?: readonly ProblemKind[]
  }
}

type OpenApiOptions = SchemeOptions & {
  /** Under which path of its origin clients find the service. Default `/`. */
  readonly path?: string
}

/**
 * Describes the routes registered after it as an OpenAPI 3.1 document: `app.swagger()`, once the app
 * is ready. Security requirements and problem answers follow from each route's `config` and schemas;
 * routes with `hide: true` in their schema are left out.
 */
async function openapi(app: FastifyInstance, options: OpenApiOptions): Promise<void> {
  const schemes = schemesOf(options)
  const { dpopAlgorithms = [], dpopRequired = false } = options
  const proofs = { algorithms: dpopAlgorithms, isRequired: dpopRequired }
  app.addSchema(ProblemSchema)
  await app.register(swagger, {
    openapi: {
      openapi: '3.1.0',
      info: describeService(schemes),
      servers: [{ url: options.path ?? '/' }],
      tags,
      components: { securitySchemes: securitySchemesOf(schemes) }
    },
    convertConstToEnum: false,
    refResolver: { buildLocalReference: ({ $id }) => $id as string },
    transform: describeOperation(schemes),
    transformObject: describeProblems(schemes.includes('dpop') ? proofs : undefined)
  })
}

export default fp(openapi, { name: 'openapi', fastify: '5.x' })

/** Its own, or a shared one. */
interface Response {
  readonly $ref?: string
  readonly headers?: object
}

/** An operation on its way through @fastify/swagger, which hands on `x-` members untouched. */
interface Operation {
  responses: Record<string, Response>
  'x-problems'?: readonly ProblemKind[]
}

interface Document {
  paths: Record<string, Record<string, Operation>>
  components: object
}

const describeOperation =
  (schemes: readonly Scheme[]): SwaggerTransform =>
  ({ url, route }) => {
    const { schema = {}, config = {} } = route
    const { accepts } = config
    const guard = parseGuard(config.auth)
    const problems = [
      ...(config.rateLimit === false ? [] : (['too-many-requests'] as const)),
      ...guardProblems(guard, schemes),
      ...contentProblems(schema),
      ...(config.problems ?? [])
    ]
    const described = {
      ...schema,
      ...(accepts && { consumes: accepts }),
      ...describeGuard(guard, schema, schemes),
      'x-problems': problems
    }
    return { schema: described, url }
  }

const describeProblems =
  (proofs: ProofChallenge | undefined): SwaggerTransformObject =>
  (described) => {
    if (!('openapiObject' in described)) return {}
    const { components, paths, ...head } = described.openapiObject as Document
    const problems = problemComponents(proofs)
    for (const path of Object.values(paths))
      for (const operation of Object.values(path)) describeAnswers(operation, problems)
    return { ...head, paths, components: { ...components, ...problems } }
  }

function describeAnswers(operation: Operation, problems: ProblemComponents): void {
  const { 'x-problems': kinds = [], responses } = operation
  delete operation['x-problems']
  const isCounted = kinds.includes('too-many-requests')
  const own = isCounted ? withLimits(responses) : responses
  operation.responses = { ...problemResponses(kinds, problems), ...own }
}

function withLimits(responses: Record<string, Response>): Record<string, Response> {
  return Object.fromEntries(
    Object.entries(responses).map(([status, response]) => [
      status,
      { ...response, headers: { ...response.headers, ...limitFields() } }
    ])
  )
}

function guardProblems(guard: Guard | undefined, schemes: readonly Scheme[]): ProblemKind[] {
  if (guard === undefined) return []
  const { scope, acr, maxAge, issuers, clients, roles, allow } = guard
  const needsGrant = scope !== undefined || guard.authorizationDetails !== undefined
  const isSelective = [...issuers, ...clients, ...roles].length > 0 || allow !== undefined
  const needsSignIn = acr.length > 0 || maxAge !== undefined
  return [
    'invalid-request',
    ...(guard.optional ? [] : (['authentication-required'] as const)),
    'invalid-token',
    ...(schemes.includes('dpop') ? (['invalid-dpop-proof', 'dpop-nonce-required'] as const) : []),
    ...(needsSignIn ? (['insufficient-user-authentication'] as const) : []),
    'issuer-unavailable',
    ...(needsGrant ? (['insufficient-scope'] as const) : []),
    ...(isSelective ? (['access-denied'] as const) : [])
  ]
}

function contentProblems(schema: FastifySchema): ProblemKind[] {
  if (schema.body !== undefined) {
    return ['invalid-request', 'content-too-large', 'unsupported-media-type', 'validation-failed']
  }
  // not fields: none is required, and what is wrong with one is told by 400
  const checked = schema.querystring ?? schema.params
  return checked === undefined ? [] : ['validation-failed']
}

const { version } = createRequire(import.meta.url)('latchkey/package.json') as { version: string }

const describeService = (schemes: readonly Scheme[]) => ({
  title: 'Latchkey',
  version,
  summary: 'An API behind OpenID Connect access tokens.',
  description: [
    'Send the access token of your OpenID Connect provider with each request:',
    schemes.includes('bearer') ? bearerInWords : dpopInWords,
    'The scopes that an operation needs are listed as its security',
    'requirement. Every answer from 400 on is a problem document (RFC 9457); tell problems apart by',
    'their `type`. Every GET operation answers HEAD as well.'
  ].join(' '),
  license: { name: 'MIT', identifier: 'MIT' }
})

const bearerInWords =
  '`Authorization: Bearer <token>`. Where DPoP (RFC 9449) is switched on, as the metadata of this API ' +
  'says, a token that is bound to a key is sent as `DPoP <token>`, with a proof in the `DPoP` field.'
const dpopInWords =
  '`Authorization: DPoP <token>`, with a proof for this very request in the `DPoP` field (RFC 9449).'

const tags = [
  { name: 'caller', description: 'What the service knows of whoever calls it.' },
  { name: 'documents', description: "The caller's own JSON documents." },
  { name: 'administration', description: 'For administrators, who need scopes of their own.' },
  { name: 'discovery', description: 'What clients read before they call.' },
  { name: 'operations', description: 'For those who run the service.' }
]

import { createRequire } from 'node:module'

import swagger from '@fastify/swagger'
import fp from 'fastify-plugin'
import type { FastifyInstance, FastifySchema } from 'fastify'
import type { SwaggerTransform, SwaggerTransformObject } from '@fastify/swagger'

import { problemComponents, problemResponses } from '../src/http/problem-responses.ts'
import { ProblemSchema } from '../src/http/problem-schema.ts'
import { parseGuard } from '../src/token/guard.ts'
import type { ProblemKind } from '../src/http/problem.ts'
import type { Scheme } from '../src/token/authorization.ts'
import type { Guard } from '../src/token/guard.ts'
import type { SenderConstraints } from './sender-constraint.ts'

declare module 'fastify' {
  interface FastifyContextConfig {
    /** The problems that this route answers with beyond those of its guard and of its schemas. */
    problems?: readonly ProblemKind[]
  }
}

/** How tokens are sent to the API; absent: as bearer tokens alone. */
export type OpenapiOptions = Partial<Pick<SenderConstraints, 'dpopAlgorithms' | 'dpopRequired'>>

/**
 * Describes the routes registered after it as an OpenAPI 3.1 document: `app.swagger()`, once the app
 * is ready. Security requirements and problem answers follow from each route's `config` and schemas;
 * routes with `hide: true` in their schema are left out.
 */
async function openapi(app: FastifyInstance, options: OpenapiOptions): Promise<void> {
  const schemes = schemesOf(options)
  app.addSchema(ProblemSchema)
  await app.register(swagger, {
    openapi: {
      openapi: '3.1.0',
      info,
      servers: [{ url: '/' }],
      tags,
      components: {
        securitySchemes: Object.fromEntries(schemes.map((name) => [name, securitySchemes[name]]))
      }
    },
    convertConstToEnum: false,
    refResolver: { buildLocalReference: ({ $id }) => $id as string },
    transform: describeOperation(schemes),
    transformObject: describeProblems
  })
}

export default fp(openapi, { name: 'openapi', fastify: '5.x' })

/** An operation on its way through @fastify/swagger, which hands on `x-` members untouched. */
interface Operation {
  responses: Record<string, object>
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
    const isOptional = guard?.optional === true
    const required = schemes.flatMap((scheme) => securityOf(guard, scheme))
    const security = isOptional ? [{}, ...required] : required
    const problems = [
      ...guardProblems(guard),
      ...contentProblems(schema),
      ...(config.problems ?? [])
    ]
    const described = {
      ...schema,
      ...(accepts && { consumes: accepts }),
      description: [
        schema.description,
        isOptional && 'An access token is optional; one that is sent must meet all that is needed.',
        scopesInWords(guard),
        rolesInWords(guard),
        detailsInWords(guard),
        signInInWords(guard),
        guard?.senderConstrained === true && 'Needs a token that is bound to its sender.'
      ]
        .filter(Boolean)
        .join(' '),
      security,
      'x-problems': problems
    }
    return { schema: described, url }
  }

const describeProblems: SwaggerTransformObject = (described) => {
  if (!('openapiObject' in described)) return {}
  const { components, paths, ...head } = described.openapiObject as Document
  const problems = problemComponents()
  for (const path of Object.values(paths)) {
    for (const operation of Object.values(path)) {
      const { 'x-problems': kinds = [] } = operation
      delete operation['x-problems']
      operation.responses = { ...problemResponses(kinds, problems), ...operation.responses }
    }
  }
  return { ...head, paths, components: { ...components, ...problems } }
}

/** A token that is bound to a key can not be sent as a bearer token. */
function schemesOf({ dpopAlgorithms = [], dpopRequired = false }: OpenapiOptions): Scheme[] {
  if (dpopRequired) return ['dpop']
  return dpopAlgorithms.length === 0 ? ['bearer'] : ['bearer', 'dpop']
}

/** One requirement for each way to satisfy a guard: `anyScope` gives a choice. */
function securityOf(guard: Guard | undefined, scheme: Scheme): Record<string, string[]>[] {
  if (guard === undefined) return []
  const { scopes, anyScope } = guard
  if (anyScope.length === 0) return [{ [scheme]: [...scopes] }]
  return anyScope.map((scope) => ({ [scheme]: [...scopes, scope] }))
}

/** For pages that show the scopes of no scheme but OAuth 2. */
function scopesInWords(guard: Guard | undefined): string {
  const { scopes = [], anyScope = [] } = guard ?? {}
  const choice = anyScope.map((scope) => `\`${scope}\``).join(' or ')
  const needed = [...scopes.map((scope) => `\`${scope}\``), ...(choice ? [choice] : [])]
  return needed.length === 0 ? '' : `Needs the scope ${needed.join(' and ')}.`
}

function rolesInWords(guard: Guard | undefined): string {
  const { roles = [] } = guard ?? {}
  const needed = roles.map((role) => `\`${role}\``).join(' and ')
  return needed === '' ? '' : `Needs the role ${needed}.`
}

/** RFC 9396 has no place in OpenAPI. */
function detailsInWords(guard: Guard | undefined): string {
  const details = guard?.authorizationDetails
  if (details === undefined) return ''
  const rights = [...(details.actions ?? []), ...(details.datatypes ?? [])]
  const needed = rights.map((right) => `\`${right}\``).join(' and ')
  return `Needs authorization details of type \`${details.type}\`${needed && ` with ${needed}`}.`
}

/** RFC 9470 has no place in OpenAPI. */
function signInInWords(guard: Guard | undefined): string {
  const { acr = [], maxAge } = guard ?? {}
  const choice = acr.map((value) => `\`${value}\``).join(' or ')
  const needed = [
    ...(choice ? [`of class ${choice}`] : []),
    ...(maxAge === undefined ? [] : [`at most ${maxAge} seconds ago`])
  ]
  return needed.length === 0 ? '' : `Needs a sign-in ${needed.join(', ')}.`
}

function guardProblems(guard: Guard | undefined): ProblemKind[] {
  if (guard === undefined) return []
  const { scope, acr, maxAge, issuers, clients, roles, allow } = guard
  const needsGrant = scope !== undefined || guard.authorizationDetails !== undefined
  const isSelective = [...issuers, ...clients, ...roles].length > 0 || allow !== undefined
  const needsSignIn = acr.length > 0 || maxAge !== undefined
  return [
    'invalid-request',
    ...(guard.optional ? [] : (['authentication-required'] as const)),
    'invalid-token',
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
  const checked = schema.querystring ?? schema.params ?? schema.headers
  return checked === undefined ? [] : ['validation-failed']
}

const { version } = createRequire(import.meta.url)('latchkey/package.json') as { version: string }

const info = {
  title: 'Latchkey',
  version,
  summary: 'An API behind OpenID Connect access tokens.',
  description: [
    'Send the access token of your OpenID Connect provider with each request:',
    '`Authorization: Bearer <token>`. Where DPoP (RFC 9449) is switched on, as the metadata of this API',
    'says, a token that is bound to a key is sent as `DPoP <token>`, with a proof in the `DPoP` field.',
    'The scopes that an operation needs are listed as its security',
    'requirement. Every answer from 400 on is a problem document (RFC 9457); tell problems apart by',
    'their `type`. Every GET operation answers HEAD as well.'
  ].join(' '),
  license: { name: 'MIT', identifier: 'MIT' }
}

const tags = [
  { name: 'caller', description: 'What the service knows of whoever calls it.' },
  { name: 'documents', description: "The caller's own JSON documents." },
  { name: 'administration', description: 'For administrators, who need scopes of their own.' },
  { name: 'discovery', description: 'What clients read before they call.' },
  { name: 'operations', description: 'For those who run the service.' }
]

const securitySchemes = {
  bearer: {
    type: 'http',
    scheme: 'bearer',
    bearerFormat: 'JWT',
    description:
      'An access token of the configured issuer (RFC 6750). The names in a security requirement are the scopes that the token must hold.'
  },
  dpop: {
    type: 'http',
    scheme: 'DPoP',
    description:
      'An access token that is bound to a key of the client, and in the `DPoP` field a proof for this very request (RFC 9449). The names in a security requirement are the scopes that the token must hold.'
  }
} as const

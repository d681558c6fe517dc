import type { SwaggerTransform } from '@fastify/swagger'
import type { FastifySchema } from 'fastify'
import type { Scheme } from '../src/token/authorization.ts'
import type { Guard } from '../src/token/guard.ts'
import type { Latchkey } from './offered.ts'
import { guardKey } from './plugin-options.ts'
import type { SenderConstraints } from './sender-constraint.ts'

/** How tokens are sent to the API; absent: as bearer tokens alone. */
export type SchemeOptions = Partial<Pick<SenderConstraints, 'dpopAlgorithms' | 'dpopRequired'>>

type SecurityScheme = (typeof securitySchemes)[Scheme]

/** What `@fastify/swagger` has to be told for an OpenAPI document that says what guards demand. */
export interface GuardDescriptions {
  /** For `components` of the document. */
  readonly securitySchemes: Record<string, SecurityScheme>
  /** For its option of that name; leaves alone what the plugin does not guard. */
  readonly transform: SwaggerTransform
}

/**
 * Describes routes by what their guards demand, in the `security` and the `description` of their operations (OpenAPI
 * 3.1.1 section 4.8.30). What a route says of its security itself counts more.
 * @param latchkey the decorator of the context; bound tokens are described as it accepts them now
 */
export function describeGuards({ senderConstraints }: Latchkey): GuardDescriptions {
  const schemes = schemesOf(senderConstraints)
  const transform: SwaggerTransform = ({ schema, url, route }) => {
    const guard = route.config?.[guardKey]
    if (guard === undefined) return { schema, url }
    return { schema: { ...schema, ...describeGuard(guard ?? undefined, schema, schemes) }, url }
  }
  return { securitySchemes: securitySchemesOf(schemes), transform }
}

/** What is said of an operation because of its guard. */
export function describeGuard(
  guard: Guard | undefined,
  { description, security }: FastifySchema = {},
  schemes: readonly Scheme[]
): Pick<FastifySchema, 'description' | 'security'> {
  const isOptional = guard?.optional === true
  const required = schemes.flatMap((scheme) => securityOf(guard, scheme))
  const words = [
    description,
    isOptional && 'An access token is optional; one that is sent must meet all that is needed.',
    scopesInWords(guard),
    rolesInWords(guard),
    detailsInWords(guard),
    signInInWords(guard),
    // not which: that is nobody's business who is none of them
    (guard?.issuers.length ?? 0) > 0 && 'Open to tokens of certain issuers only.',
    (guard?.clients.length ?? 0) > 0 && 'Open to certain clients only.',
    guard?.senderConstrained === true && 'Needs a token that is bound to its sender.'
  ].filter(Boolean)
  return {
    ...(words.length > 0 && { description: words.join(' ') }),
    security: security ?? (isOptional ? [{}, ...required] : required)
  }
}

/** The entries of `components.securitySchemes` (OpenAPI 3.1.1 section 4.8.27). */
export function securitySchemesOf(schemes: readonly Scheme[]): Record<string, SecurityScheme> {
  return Object.fromEntries(schemes.map((name) => [name, securitySchemes[name]]))
}

/** A token that is bound to a key can not be sent as a bearer token. */
export function schemesOf({ dpopAlgorithms = [], dpopRequired = false }: SchemeOptions): Scheme[] {
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

const scopesInRequirements =
  'The names in a security requirement are the scopes that the token must hold, or others that imply them.'

const securitySchemes = {
  bearer: {
    type: 'http',
    scheme: 'bearer',
    bearerFormat: 'JWT',
    description: `An access token of the configured issuer (RFC 6750). ${scopesInRequirements}`
  },
  dpop: {
    type: 'http',
    scheme: 'DPoP',
    description:
      'An access token that is bound to a key of the client, and in the `DPoP` field a proof for this very request ' +
      `(RFC 9449). ${scopesInRequirements}`
  }
} as const

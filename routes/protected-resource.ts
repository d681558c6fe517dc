import { Type } from 'typebox'
import type { FastifyInstance } from 'fastify'
import type { SenderConstraints } from '../plugins/sender-constraint.ts'
import { metadataBelowRoot, metadataPath } from '../src/http/resource-metadata.ts'

/** What the metadata says, and where it is served. */
export interface ProtectedResourceOptions {
  /** The URL that clients call, known at the latest when the service listens (RFC 9728 section 1.2). */
  readonly resource: () => string
  /**
   * Where the metadata is served; an OpenAPI document names the first place only. {@link metadataBelowRoot} stands for
   * the path that belongs to the resource (RFC 9728 section 3.1), and no other.
   */
  readonly paths: readonly string[]
  /** The issuers that clients are told, which may change. */
  readonly issuers: () => readonly string[]
  /** The scopes that the routes ask for. */
  readonly scopes: () => readonly string[]
  /** The types of authorization details that the routes ask for (RFC 9396). Default: none. */
  readonly authorizationDetailsTypes?: (() => readonly string[]) | undefined
  /** What is said of tokens that are bound to their sender. */
  readonly senderConstraints: () => SenderConstraints
  /** The name shown to people, if there is one. */
  readonly name?: string | undefined
  /** URL of a page for people who write clients, if there is one. */
  readonly documentation?: (() => string) | undefined
}

/**
 * Tells clients where to get a token for this API (RFC 9728 section 3).
 */
export default async function protectedResource(
  app: FastifyInstance,
  {
    resource,
    paths,
    issuers,
    scopes,
    authorizationDetailsTypes = () => [],
    senderConstraints,
    name,
    documentation
  }: ProtectedResourceOptions
): Promise<void> {
  const metadata = () => ({
    resource: resource(),
    ...withValues('authorization_servers', issuers()),
    ...withValues('scopes_supported', scopes()),
    bearer_methods_supported: ['header'],
    ...withValues('authorization_details_types_supported', authorizationDetailsTypes()),
    ...withConstraints(senderConstraints()),
    ...(name !== undefined && { resource_name: name }),
    ...(documentation !== undefined && { resource_documentation: documentation() })
  })

  for (const path of paths) {
    const hide = path !== paths[0]
    const options = { schema: { ...schema, hide }, config: { auth: false } } as const
    app.get(path, options, async ({ url }, reply) => {
      if (path === metadataBelowRoot && pathOf(url) !== metadataPath(resource()))
        return reply.callNotFound()
      reply.header('cache-control', 'public, max-age=3600')
      return metadata()
    })
  }
}

function pathOf(url: string): string | undefined {
  return url.split('?', 1)[0]
}

/** A member without values is left out (RFC 9728 section 3.2). */
function withValues(member: string, values: readonly string[]) {
  return values.length === 0 ? {} : { [member]: values }
}

/** Switches that are off are left out: that is their default. */
function withConstraints({ dpopAlgorithms, dpopRequired, mtls }: SenderConstraints) {
  return {
    ...withValues('dpop_signing_alg_values_supported', dpopAlgorithms),
    ...(dpopRequired && { dpop_bound_access_tokens_required: true }),
    ...(mtls && { tls_client_certificate_bound_access_tokens: true })
  }
}

const Metadata = Type.Object(
  {
    resource: Type.String({ format: 'uri' }),
    authorization_servers: Type.Optional(Type.Array(Type.String({ format: 'uri' }))),
    scopes_supported: Type.Optional(Type.Array(Type.String())),
    bearer_methods_supported: Type.Array(Type.Literal('header')),
    authorization_details_types_supported: Type.Optional(Type.Array(Type.String())),
    dpop_signing_alg_values_supported: Type.Optional(Type.Array(Type.String())),
    dpop_bound_access_tokens_required: Type.Optional(Type.Boolean()),
    tls_client_certificate_bound_access_tokens: Type.Optional(Type.Boolean()),
    resource_name: Type.Optional(Type.String()),
    resource_documentation: Type.Optional(Type.String({ format: 'uri' }))
  },
  {
    description: 'Metadata of this API as a protected resource (RFC 9728).',
    examples: [
      {
        resource: 'https://api.example.com',
        authorization_servers: ['https://id.example.com'],
        scopes_supported: ['openid', 'documents:read', 'documents:write'],
        bearer_methods_supported: ['header'],
        resource_name: 'Latchkey',
        resource_documentation: 'https://api.example.com/docs'
      }
    ]
  }
)

const schema = {
  operationId: 'getProtectedResourceMetadata',
  summary: 'Where to get a token for this API',
  tags: ['discovery'],
  response: { 200: Metadata }
}

import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { Type } from 'typebox'
import type { Principal } from '../src/token/principal.ts'

const whoAmI = Type.Object(
  {
    iss: Type.String({ description: 'The issuer of the token.' }),
    sub: Type.String({ description: 'The subject: unique only together with `iss`.' }),
    aud: Type.Optional(
      Type.Union([Type.String(), Type.Array(Type.String())], {
        description: 'The audience, or audiences, as the token says it.'
      })
    ),
    client_id: Type.Optional(Type.String({ description: 'The client the token was issued to.' })),
    scopes: Type.Array(Type.String(), { description: 'The granted scopes.' }),
    exp: Type.Number({ description: 'Expiry, in seconds since the epoch.' })
  },
  {
    $id: 'WhoAmI',
    additionalProperties: false,
    description: 'What this API understood of the access token.',
    examples: [
      {
        iss: 'https://id.example.com',
        sub: 'ada',
        aud: 'https://api.example.com',
        client_id: 'latchkey-cli',
        scopes: ['openid', 'documents:read'],
        exp: 1_795_000_000
      }
    ]
  }
)

/** `GET /whoami`: what this API understood of the caller's token. */
const whoami: FastifyPluginAsyncTypebox = async (app) => {
  app.addSchema(whoAmI)

  app.get(
    '/whoami',
    {
      schema: {
        operationId: 'whoAmI',
        summary: 'What this API understood of the access token',
        tags: ['caller'],
        response: { 200: Type.Ref('WhoAmI') }
      }
    },
    async (request, reply) => {
      reply.header('cache-control', 'no-store')
      return describe(request.principal)
    }
  )
}

function describe({ issuer, subject, clientId, scopes, expiresAt, claims }: Principal) {
  return {
    iss: issuer,
    sub: subject,
    ...(claims['aud'] !== undefined && { aud: claims['aud'] as string | string[] }),
    ...(clientId === undefined ? {} : { client_id: clientId }),
    scopes: [...scopes],
    exp: expiresAt
  }
}

export default whoami

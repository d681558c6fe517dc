import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { Type } from 'typebox'

const userInfo = Type.Object(
  { sub: Type.String() },
  {
    $id: 'UserInfo',
    additionalProperties: true,
    description:
      "The issuer's claims about the caller, as it sent them (OpenID Connect Core 1.0 section 5.3.2). They come from its UserInfo unless the operator chose its introspection answer or the access token.",
    examples: [{ sub: 'ada', name: 'Ada Lovelace', email: 'ada@example.com' }]
  }
)

/** `GET /me`: who the caller is, according to the issuer. */
const me: FastifyPluginAsyncTypebox = async (app) => {
  app.addSchema(userInfo)

  app.get(
    '/me',
    {
      config: {
        auth: { scopes: ['openid'] },
        problems: [
          'access-denied',
          'not-implemented',
          'bad-gateway',
          'issuer-unavailable',
          'gateway-timeout'
        ]
      },
      schema: {
        operationId: 'getUserInfo',
        summary: 'The claims of the issuer about the caller',
        tags: ['caller'],
        response: { 200: Type.Ref('UserInfo') }
      }
    },
    async (request, reply) => {
      const claims = await app.latchkey.readUserInfo(request)
      const { issuer, subject, clientId } = request.principal
      // who read whose UserInfo is auditable (Core section 17.2)
      request.log.info({ issuer, subject, clientId }, 'userinfo read')
      reply.header('cache-control', 'no-store').type('application/json')
      // as the issuer sent it: a serializer made from the schema would drop or convert members
      return reply.serializer(JSON.stringify).send(claims)
    }
  )
}

export default me

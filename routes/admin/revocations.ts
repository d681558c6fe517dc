import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { type Static, Type } from 'typebox'
import { everyIssuer, type Mark, maxValueLength } from '../../src/revocation/mark.ts'
import { checkContentCoding } from '../content-coding.ts'
import type { RevocationTarget } from '../../src/revocation/target.ts'

const value = (description: string) =>
  Type.String({ minLength: 1, maxLength: maxValueLength, description })
const issuer = Type.String({ description: 'The `iss` of the tokens, exactly as configured.' })
const anIssuer = Type.Optional(
  Type.String({ description: 'The `iss` of the tokens; absent: every issuer.' })
)
const time = (description: string) => Type.String({ format: 'date-time', description })
const closed = { additionalProperties: false }

const members = {
  jti: value('The `jti` of one token.'),
  subject: value('The `sub` of the tokens.'),
  session: value('The `sid` of the tokens.'),
  client: value('The client that the tokens were issued to.'),
  issuedBefore: time('A time of the past: all tokens that were issued up to this second.')
}

const revocationInput = Type.Union(
  [
    Type.Object({ jti: members.jti, issuer: anIssuer }, closed),
    Type.Object({ subject: members.subject, issuer }, closed),
    Type.Object({ session: members.session, issuer }, closed),
    Type.Object({ client: members.client, issuer }, closed),
    Type.Object({ issuedBefore: members.issuedBefore, issuer: anIssuer }, closed)
  ],
  {
    $id: 'RevocationInput',
    description: 'Which access tokens are to be refused from now on.',
    examples: [{ subject: 'ada', issuer: 'https://id.example.com' }]
  }
)

const revocation = Type.Object(
  {
    jti: Type.Optional(members.jti),
    subject: Type.Optional(members.subject),
    session: Type.Optional(members.session),
    client: Type.Optional(members.client),
    issuer: anIssuer,
    issuedUntil: Type.Optional(
      time('Tokens issued in this second are still refused, later ones are not; absent for a jti.')
    )
  },
  {
    $id: 'Revocation',
    ...closed,
    description: 'Access tokens that are refused.',
    examples: [
      {
        subject: 'ada',
        issuer: 'https://id.example.com',
        issuedUntil: '2026-09-14T08:30:05.000Z'
      }
    ]
  }
)

/** Who administers. */
export interface AdminRoutesOptions {
  /** The issuers whose tokens open these routes; without any there are none. */
  readonly adminIssuers: readonly string[]
}

/** `POST /admin/revocations`: access tokens that end before they expire. */
const revocations: FastifyPluginAsyncTypebox<AdminRoutesOptions> = async (
  app,
  { adminIssuers }
) => {
  if (adminIssuers.length === 0) return
  app.addSchema(revocationInput)
  app.addSchema(revocation)

  app.post(
    '/admin/revocations',
    {
      preParsing: checkContentCoding,
      config: {
        auth: { scopes: ['revocations:write'], issuers: adminIssuers },
        problems: ['service-unavailable']
      },
      schema: {
        operationId: 'revokeTokens',
        summary: 'Refuse access tokens before they expire',
        description:
          'By one of: the id of a token, a subject, a session, a client, or the time of issue. Counts here when it is ' +
          'answered, and within a second in every instance. It can not be taken back: those concerned sign in anew.',
        tags: ['administration'],
        body: Type.Unsafe<Static<typeof revocationInput>>(Type.Ref('RevocationInput')),
        response: {
          201: {
            description: 'Revoked',
            content: { 'application/json': { schema: Type.Ref('Revocation') } }
          }
        }
      }
    },
    async ({ body, principal, log }, reply) => {
      const mark = await app.latchkey.revoke(targetOf(body))
      const { issuer, subject, clientId } = principal
      log.info({ issuer, subject, clientId, mark }, 'access tokens revoked by an administrator')
      reply.code(201).header('cache-control', 'no-store')
      return describe(mark)
    }
  )
}

export default revocations

function targetOf(body: Static<typeof revocationInput>): RevocationTarget {
  return 'issuedBefore' in body ? { ...body, issuedBefore: new Date(body.issuedBefore) } : body
}

const names = {
  token: 'jti',
  subject: 'subject',
  session: 'session',
  sessionless: 'subject',
  client: 'client',
  all: undefined
} as const satisfies Record<Mark['kind'], string | undefined>

function describe({ kind, issuer, value, issuedUntil }: Mark) {
  const name = names[kind]
  return {
    ...(name !== undefined && { [name]: value }),
    ...(issuer !== everyIssuer && { issuer }),
    ...(kind !== 'token' && { issuedUntil: new Date(issuedUntil * 1000).toISOString() })
  }
}

import Fastify from 'fastify'
import t from 'tap'
import { Type } from 'typebox'

import openapi from '../../plugins/openapi.ts'

/** The parts of an OpenAPI document that are looked at here. */
interface Document {
  openapi: string
  paths: Record<string, Record<string, { security?: object[]; responses: Record<string, object> }>>
  components: { schemas: Record<string, object>; responses: Record<string, unknown> }
}

const Note = Type.Object(
  { text: Type.String() },
  { $id: 'Note', description: 'A note.', examples: [{ text: 'milk' }] }
)

async function describedApp(): Promise<Document> {
  const app = Fastify()
  await app.register(openapi)
  app.addSchema(Note)
  const noteAnswer = { response: { 200: Type.Ref('Note') } }
  app.get('/open', { config: { auth: false }, schema: noteAnswer }, () => ({ text: '' }))
  app.get('/any-token', { schema: noteAnswer }, () => ({ text: '' }))
  app.get('/hidden', { config: { auth: false }, schema: { hide: true } }, () => ({}))
  const stepUp = { acr: ['gold', 'silver'], maxAge: 300 }
  app.get('/vault', { config: { auth: stepUp }, schema: noteAnswer }, () => ({ text: '' }))
  const details = { type: 'note', actions: ['read'], datatypes: ['text'] }
  app.get(
    '/by-details',
    { config: { auth: { authorizationDetails: details } }, schema: noteAnswer },
    () => ({ text: '' })
  )
  for (const [path, auth] of Object.entries({
    '/by-issuer': { issuers: ['https://id.example.com'] },
    '/by-client': { clients: ['backend'] },
    '/by-role': { roles: ['admin', 'auditor'] },
    '/by-predicate': { allow: () => false },
    '/optional': { optional: true },
    '/optional-scope': { optional: true, anyScope: ['a', 'b'] }
  }))
    app.get(path, { config: { auth }, schema: noteAnswer }, () => ({ text: '' }))
  app.put(
    '/notes/:id',
    {
      config: {
        auth: { scopes: ['openid'], anyScope: ['notes:write', 'admin'] },
        problems: ['precondition-failed', 'idempotency-key-reused'],
        accepts: ['application/merge-patch+json']
      },
      schema: { ...noteAnswer, description: 'Changes a note.', body: Type.Ref('Note') }
    },
    () => ({ text: '' })
  )
  await app.ready()
  const document = app.swagger() as unknown as Document
  await app.close()
  return document
}

function operation(document: Document, path: string, method: string) {
  const found = document.paths[path]?.[method]
  if (found === undefined) throw new Error(`${method} ${path} is not described`)
  return found
}

t.test('an OpenAPI document of the routes', async (t) => {
  const document = await describedApp()

  t.test('is OpenAPI 3.1 and names the routes that are not hidden', async (t) => {
    t.equal(document.openapi, '3.1.0')
    t.strictSame(
      Object.keys(document.paths),
      '/open /any-token /vault /by-details /by-issuer /by-client /by-role /by-predicate /optional /optional-scope /notes/{id}'.split(
        ' '
      )
    )
  })

  t.test('takes the security requirement of each operation from its guard', async (t) => {
    t.strictSame(operation(document, '/open', 'get').security, [])
    t.strictSame(operation(document, '/any-token', 'get').security, [{ bearer: [] }])
    t.strictSame(operation(document, '/notes/{id}', 'put').security, [
      { bearer: ['openid', 'notes:write'] },
      { bearer: ['openid', 'admin'] }
    ])
  })

  t.test('says the scopes in words too, which not every page shows', async (t) => {
    t.match(operation(document, '/notes/{id}', 'put'), {
      description: 'Changes a note. Needs the scope `openid` and `notes:write` or `admin`.'
    })
    t.notOk('description' in operation(document, '/any-token', 'get'))
  })

  t.test('says how the user must have signed in, and that it may be asked anew', async (t) => {
    t.match(operation(document, '/vault', 'get'), {
      description: 'Needs a sign-in of class `gold` or `silver`, at most 300 seconds ago.',
      security: [{ bearer: [] }],
      responses: { 401: { $ref: /or-insufficient-user-authentication$/ } }
    })
  })

  t.test('says that a token is optional, and what is asked of one', async (t) => {
    t.strictSame(operation(document, '/optional', 'get').security, [{}, { bearer: [] }])
    const scoped = operation(document, '/optional-scope', 'get')
    t.strictSame(scoped.security, [{}, { bearer: ['a'] }, { bearer: ['b'] }])
    t.match(scoped, {
      description: /^An access token is optional; .* Needs the scope `a` or `b`\.$/,
      responses: {
        400: { $ref: /\/invalid-request$/ },
        401: { $ref: /\/invalid-token$/ },
        403: { $ref: /\/insufficient-scope$/ }
      }
    })
  })

  t.test('says the authorization details that are needed', async (t) => {
    t.match(operation(document, '/by-details', 'get'), {
      description: 'Needs authorization details of type `note` with `read` and `text`.',
      responses: { 403: { $ref: /\/insufficient-scope$/ } }
    })
  })

  t.test('says that a route may be closed to some, but not to whom', async (t) => {
    for (const path of ['/by-issuer', '/by-client', '/by-role', '/by-predicate'])
      t.match(operation(document, path, 'get').responses, { 403: { $ref: /\/access-denied$/ } })
    t.match(operation(document, '/by-role', 'get'), {
      description: 'Needs the role `admin` and `auditor`.'
    })
    t.notMatch(JSON.stringify(document), /backend|id\.example\.com/)
  })

  t.test('lists the problems that follow from guard, schemas and declaration', async (t) => {
    const statuses = (path: string, method: string) =>
      Object.keys(operation(document, path, method).responses)
    t.strictSame(statuses('/open', 'get'), ['200', '429', '4XX', '5XX'])
    t.strictSame(statuses('/any-token', 'get'), ['200', '400', '401', '429', '503', '4XX', '5XX'])
    t.strictSame(
      statuses('/notes/{id}', 'put'),
      '200 400 401 403 412 413 415 422 429 503 4XX 5XX'.split(' ')
    )
  })

  t.test('shares one response between operations with the same problems', async (t) => {
    const name = 'validation-failed-or-idempotency-key-reused'
    t.strictSame(operation(document, '/notes/{id}', 'put').responses['422'], {
      $ref: `#/components/responses/${name}`
    })
    t.strictSame(document.components.responses[name], {
      description: 'Validation failed / Idempotency key reused',
      content: {
        'application/problem+json': {
          schema: { $ref: '#/components/schemas/Problem' },
          examples: {
            'validation-failed': { $ref: '#/components/examples/validation-failed' },
            'idempotency-key-reused': { $ref: '#/components/examples/idempotency-key-reused' }
          }
        }
      }
    })
  })

  t.test('describes the header fields that come with a problem', async (t) => {
    t.match(document.components.responses, {
      'authentication-required-or-invalid-token': {
        headers: { 'WWW-Authenticate': { $ref: '#/components/headers/WWW-Authenticate' } }
      },
      'issuer-unavailable': {
        headers: { 'Retry-After': { $ref: '#/components/headers/Retry-After' } }
      }
    })
  })

  t.test('keeps shared schemas under their own names', async (t) => {
    t.strictSame(Object.keys(document.components.schemas).sort(), ['Note', 'Problem'])
    t.match(operation(document, '/notes/{id}', 'put'), {
      requestBody: {
        content: {
          'application/merge-patch+json': { schema: { $ref: '#/components/schemas/Note' } }
        }
      }
    })
  })

  t.test('names the media types that a route reads', async (t) => {
    t.match(operation(document, '/notes/{id}', 'put'), {
      requestBody: { content: { 'application/merge-patch+json': {} } }
    })
  })

  t.test('leaves no working material behind', async (t) => {
    t.notMatch(JSON.stringify(document), /x-problems|\$id/)
  })
})

import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import type { FastifyReply, FastifyRequest } from 'fastify'
import { checkMatch, isUnchanged } from '../../src/documents/conditions.ts'
import type { Conditions } from '../../src/documents/conditions.ts'
import type { StoredDocument } from '../../src/documents/document.ts'
import type { Documents, Idempotency } from '../../src/documents/documents.ts'
import { checkIdempotencyKey } from '../../src/documents/idempotency.ts'
import { ownerOf } from '../../src/documents/owner.ts'
import type { ProblemKind } from '../../src/http/problem.ts'
import { allowOf } from '../../plugins/method-not-allowed.ts'
import adminDocuments from '../admin/documents.ts'
import type { AdminRoutesOptions } from '../admin/revocations.ts'
import { json, mergePatch, parseDocuments } from './bodies.ts'
import { refuseToChange } from './changes-only.ts'
import { cacheControl, nextLink, readLimit } from './lists.ts'
import * as schemas from './schemas.ts'

/** What the routes of documents are given. */
export interface DocumentRoutesOptions extends AdminRoutesOptions {
  readonly documents: Documents
  /** The origin that clients see, without a final slash. */
  readonly publicUrl: () => string
}

/** `/documents`: JSON documents that only their owner sees (RFC 9110, 7396; httpapi-idempotency-key). */
const documentRoutes: FastifyPluginAsyncTypebox<DocumentRoutesOptions> = async (app, options) => {
  const { documents } = options
  const base = () => `${options.publicUrl()}${app.prefix}/documents`
  for (const schema of schemas.sharedSchemas) app.addSchema(schema)
  parseDocuments(app)
  // in here for its schemas: a page is a page
  await app.register(adminDocuments, options)

  app.get(
    '/documents',
    {
      schema: schemas.listDocuments,
      config: reading('validation-failed'),
      preValidation: readLimit
    },
    async ({ principal, query }, reply) => {
      const page = await documents.page(ownerOf(principal), query)
      if (page.next !== undefined)
        reply.header('link', nextLink(base(), { ...query, cursor: page.next }))
      reply.header('cache-control', cacheControl)
      return page
    }
  )

  app.get(
    '/documents/changes',
    {
      schema: schemas.readChanges,
      config: reading('validation-failed', 'cursor-expired'),
      preValidation: readLimit
    },
    async ({ principal, query }, reply) => {
      const { more, ...page } = await documents.changes(ownerOf(principal), query)
      if (more) reply.header('link', nextLink(`${base()}/changes`, { ...query, since: page.next }))
      reply.header('cache-control', cacheControl)
      return page
    }
  )

  refuseToChange(app)

  app.post(
    '/documents',
    {
      schema: schemas.createDocument,
      // before the schema, whose pattern would have it be 422
      preValidation: checkKey,
      config: writing(json, 'conflict', 'idempotency-key-reused', 'quota-exceeded')
    },
    async (request, reply) => {
      const owner = ownerOf(request.principal)
      const stored = await documents.create(owner, request.body, idempotencyOf(request))
      reply.code(201).header('location', `${base()}/${stored.document.id}`)
      return answer(reply, stored)
    }
  )

  app.get(
    '/documents/:id',
    {
      schema: schemas.getDocument,
      config: reading('document-not-found', 'precondition-failed')
    },
    async (request, reply) => {
      const stored = await documents.find(ownerOf(request.principal), request.params.id)
      const conditions = conditionsOf(request)
      // first, whatever If-None-Match says (RFC 9110 section 13.2.2)
      checkMatch(conditions, stored.etag)
      if (!isUnchanged(conditions, stored.etag)) return answer(reply, stored)
      answer(reply.code(304), stored)
      return reply.send()
    }
  )

  app.put(
    '/documents/:id',
    {
      schema: schemas.putDocument,
      // what is wrong with the body is told after the conditions (RFC 9110 section 13.2.1)
      attachValidation: true,
      config: writing(json, ...changeProblems, 'quota-exceeded')
    },
    async (request, reply) => {
      const { body, params, principal, validationError } = request
      const owner = ownerOf(principal)
      const input = validationError ?? body
      const { created, stored } = await documents.put(
        owner,
        params.id,
        input,
        conditionsOf(request)
      )
      if (created) reply.code(201).header('location', `${base()}/${stored.document.id}`)
      return answer(reply, stored)
    }
  )

  app.patch(
    '/documents/:id',
    {
      schema: schemas.patchDocument,
      attachValidation: true,
      config: writing(mergePatch, ...changeProblems)
    },
    async (request, reply) => {
      const { body, params, principal, validationError } = request
      const owner = ownerOf(principal)
      const patch = validationError ?? body
      return answer(reply, await documents.patch(owner, params.id, patch, conditionsOf(request)))
    }
  )

  app.delete(
    '/documents/:id',
    { schema: schemas.deleteDocument, config: removing(...changeProblems) },
    async (request, reply) => {
      const { params, principal } = request
      await documents.remove(ownerOf(principal), params.id, conditionsOf(request))
      return reply.code(204).send()
    }
  )

  // where there is no PATCH, `Allow` is all that OPTIONS has to say, and the guard says it
  const tellMethods = async ({ url }: FastifyRequest, reply: FastifyReply) => {
    // RFC 5789 section 3.1
    reply.headers({ allow: allowOf(app, url), 'accept-patch': mergePatch })
    return reply.code(204).send()
  }
  app.options(
    '/documents/:id',
    // before a body is read
    { schema: { hide: true }, config: { auth: false }, onRequest: tellMethods },
    tellMethods
  )
}

export default documentRoutes

const changeProblems: readonly ProblemKind[] = [
  'document-not-found',
  'precondition-failed',
  'precondition-required'
]

/** The database may be out of reach. */
const databaseProblems: readonly ProblemKind[] = ['service-unavailable']

function reading(...problems: readonly ProblemKind[]) {
  return { auth: { scopes: ['documents:read'] }, problems: [...problems, ...databaseProblems] }
}

function removing(...problems: readonly ProblemKind[]) {
  return { auth: { scopes: ['documents:write'] }, problems: [...problems, ...databaseProblems] }
}

function writing(mediaType: string, ...problems: readonly ProblemKind[]) {
  return { ...removing(...problems), accepts: [mediaType] }
}

/** The document as the body of an answer, with the fields that belong to it. */
function answer(reply: FastifyReply, { document, etag }: StoredDocument) {
  reply.headers({ etag, 'cache-control': cacheControl })
  return document
}

function conditionsOf({ headers }: Pick<FastifyRequest, 'headers'>): Conditions {
  return { ifMatch: headers['if-match'], ifNoneMatch: headers['if-none-match'] }
}

async function checkKey({ headers }: FastifyRequest): Promise<void> {
  const field = headers['idempotency-key']
  if (field !== undefined) checkIdempotencyKey(String(field))
}

function idempotencyOf({ headers, principal }: FastifyRequest): Idempotency | undefined {
  const field = headers['idempotency-key']
  return field === undefined ? undefined : { key: String(field), clientId: principal.clientId }
}

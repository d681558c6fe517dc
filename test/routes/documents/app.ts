import Fastify from 'fastify'
import type { FastifyInstance, InjectOptions } from 'fastify'
import type { Test } from 'tap'
import emptyBodies from '../../../plugins/empty-bodies.ts'
import problemDetails from '../../../plugins/problem-details.ts'
import documentRoutes from '../../../routes/documents/index.ts'
import { openDocuments } from '../../../src/documents/documents.ts'
import type { DocumentsOptions } from '../../../src/documents/documents.ts'
import { openDatabase } from '../../../src/storage/database.ts'
import type { Principal } from '../../../src/token/principal.ts'

export const publicUrl = 'https://api.example.com'

/**
 * The routes of documents alone, on a new database in memory: the guard is played by a hook that takes
 * the subject from `x-subject`.
 */
export async function build(t: Test, options: DocumentsOptions = {}): Promise<FastifyInstance> {
  const storage = await openDatabase('memory://')
  const app = Fastify({
    ajv: { customOptions: { coerceTypes: false, removeAdditional: false, allErrors: false } }
  })
  app.decorateRequest('principal')
  app.addHook('onRequest', async (request) => {
    request.principal = principalOf(String(request.headers['x-subject'] ?? 'ada'))
  })
  await app.register(problemDetails)
  await app.register(emptyBodies)
  const documents = await openDocuments(storage, options)
  await app.register(documentRoutes, {
    documents,
    publicUrl: () => publicUrl,
    adminIssuers: []
  })
  t.teardown(() => app.close().then(() => storage.close()))
  return app
}

/** Sends a request with a JSON body. */
export function send(
  app: FastifyInstance,
  method: NonNullable<InjectOptions['method']>,
  url: string,
  body?: unknown,
  headers = {}
) {
  const type = method === 'PATCH' ? 'application/merge-patch+json' : 'application/json'
  return app.inject({
    method,
    url,
    headers: { ...(body !== undefined && { 'content-type': type }), ...headers },
    ...(body !== undefined && { payload: typeof body === 'string' ? body : JSON.stringify(body) })
  })
}

/** Creates a document; returns its path and its ETag. */
export async function create(app: FastifyInstance, body: object = { data: { title: 'a' } }) {
  const response = await send(app, 'POST', '/documents', body)
  return { url: `/documents/${response.json().id}`, etag: String(response.headers.etag) }
}

function principalOf(subject: string): Principal {
  return {
    issuer: 'https://id.example.com',
    subject,
    clientId: 'app',
    tokenId: undefined,
    scopes: ['documents:read', 'documents:write'],
    roles: [],
    audience: ['https://api.example.com'],
    confirmation: undefined,
    expiresAt: 4_000_000_000,
    claims: {}
  }
}

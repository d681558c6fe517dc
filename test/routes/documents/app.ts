import Fastify from 'fastify'
import type { FastifyError, FastifyInstance, InjectOptions } from 'fastify'
import type { Test } from 'tap'
import documentRoutes from '../../../routes/documents/index.ts'
import { openDocuments } from '../../../src/documents/documents.ts'
import type { DocumentsOptions } from '../../../src/documents/documents.ts'
import { ProblemError, problemDocument } from '../../../src/http/problem.ts'
import type { ProblemKind } from '../../../src/http/problem.ts'
import { openDatabase } from '../../../src/storage/database.ts'
import type { Principal } from '../../../src/token/principal.ts'

export const publicUrl = 'https://api.example.com'

/**
 * The routes of documents alone, on a new database in memory: the guard is played by a hook that takes
 * the subject from `x-subject`, the answer to errors by the plainest handler that keeps the contract.
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
  app.setErrorHandler<FastifyError>((error, _request, reply) => {
    const { kind, detail, errors, headers } = asProblem(error)
    const problem = problemDocument(kind, { ...(detail && { detail }), ...(errors && { errors }) })
    return reply
      .code(problem.status)
      .headers({ ...headers, 'cache-control': 'no-store' })
      .type('application/problem+json')
      .send(problem)
  })
  const documents = await openDocuments(storage, options)
  await app.register(documentRoutes, { documents, publicUrl: () => publicUrl })
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
    scopes: ['documents:read', 'documents:write'],
    audience: ['https://api.example.com'],
    expiresAt: 4_000_000_000,
    claims: {}
  }
}

function asProblem(error: FastifyError): ProblemError {
  if (error instanceof ProblemError) return error
  if (error.validation) {
    const errors = error.validation.map(({ instancePath, message = '' }) => ({
      detail: message,
      pointer: instancePath
    }))
    return new ProblemError('validation-failed', { errors })
  }
  const kinds: Readonly<Record<number, ProblemKind>> = {
    400: 'invalid-request',
    404: 'not-found',
    413: 'content-too-large',
    415: 'unsupported-media-type'
  }
  const kind = kinds[error.statusCode ?? 500]
  if (kind === undefined) throw error
  return new ProblemError(kind)
}

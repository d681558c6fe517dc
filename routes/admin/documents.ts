import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import type { Owner } from '../../src/documents/owner.ts'
import type { DocumentRoutesOptions } from '../documents/index.ts'
import { cacheControl, nextLink, readLimit } from '../documents/lists.ts'
import { listDocumentsOf } from '../documents/schemas.ts'

/** Seconds since the sign-in: whoever reads what others wrote has to be there, not only the browser left open. */
const maxAge = 300

/** `GET /admin/documents`: the documents of one owner, for an administrator who signed in lately (RFC 9470). */
const adminDocuments: FastifyPluginAsyncTypebox<DocumentRoutesOptions> = async (app, options) => {
  const { documents, publicUrl, adminIssuers } = options
  if (adminIssuers.length === 0) return

  app.get(
    '/admin/documents',
    {
      schema: listDocumentsOf,
      config: {
        auth: { scopes: ['documents:admin'], maxAge, issuers: adminIssuers },
        problems: ['validation-failed', 'service-unavailable']
      },
      preValidation: readLimit
    },
    async ({ principal, query, log }, reply) => {
      const owner = ownerFrom(query)
      const page = await documents.page(owner, query)
      const { issuer, subject, clientId } = principal
      log.info({ issuer, subject, clientId, owner }, 'documents read by an administrator')
      if (page.next !== undefined) {
        const address = `${publicUrl()}${app.prefix}/admin/documents`
        reply.header('link', nextLink(address, { ...query, cursor: page.next }))
      }
      reply.header('cache-control', cacheControl)
      return page
    }
  )
}

export default adminDocuments

/** The URL of an issuer has no bar; a subject may have. */
function ownerFrom({ owner, kind }: { owner: string; kind?: Owner['kind'] }): Owner {
  const bar = owner.indexOf('|')
  return { issuer: owner.slice(0, bar), subject: owner.slice(bar + 1), kind: kind ?? 'user' }
}

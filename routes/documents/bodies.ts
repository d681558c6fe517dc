import { errorCodes, type FastifyInstance, type FastifyRequest } from 'fastify'
import { limits } from '../../src/documents/document.ts'
import { parseJson } from '../../src/documents/json.ts'
import { checkContentCoding } from '../content-coding.ts'

/** The media types of request bodies. */
export const json = 'application/json'
export const mergePatch = 'application/merge-patch+json'

/**
 * Replaces the parsers of this context by one for both media types, with the body limit of documents. Any other type
 * than the route's, and any content coding, is refused with 415 (RFC 9110 section 15.5.16, RFC 5789 section 2.2).
 */
export function parseDocuments(app: FastifyInstance): void {
  // on the route, not the parser: the 413 names the limit that the route says
  app.addHook('onRoute', (route) => {
    route.bodyLimit = limits.bodyBytes
    if (route.config?.accepts === undefined) return
    route.preParsing = [...[route.preParsing ?? []].flat(), checkMediaType, checkContentCoding]
  })
  app.removeAllContentTypeParsers()
  app.addContentTypeParser<Buffer>(
    [json, mergePatch],
    { parseAs: 'buffer' },
    async (request: FastifyRequest, body: Buffer) =>
      // many clients name a media type with every request; what DELETE brings has no meaning
      request.method === 'DELETE' ? undefined : parseJson(body)
  )
}

/** The parser reads both media types: what a route takes of them is what its `config.accepts` says. */
async function checkMediaType({ headers, routeOptions }: FastifyRequest): Promise<void> {
  const { accepts = [] } = routeOptions.config
  const [given = ''] = (headers['content-type'] ?? '').split(';')
  if (accepts.includes(given.trim().toLowerCase())) return
  throw new errorCodes.FST_ERR_CTP_INVALID_MEDIA_TYPE(given)
}

import type { FastifyInstance, FastifyRequest } from 'fastify'
import { limits } from '../../src/documents/document.ts'
import { parseJson } from '../../src/documents/json.ts'
import { ProblemError } from '../../src/http/problem.ts'

/** The media types of request bodies. */
export const json = 'application/json'
export const mergePatch = 'application/merge-patch+json'

/** Replaces the parsers of this context by one for both media types, with the body limit of documents. */
export function parseDocuments(app: FastifyInstance): void {
  app.removeAllContentTypeParsers()
  app.addContentTypeParser<Buffer>(
    [json, mergePatch],
    { parseAs: 'buffer', bodyLimit: limits.bodyBytes },
    async (request: FastifyRequest, body: Buffer) =>
      // many clients name a media type with every request; what DELETE brings has no meaning
      request.method === 'DELETE' ? undefined : parseJson(body)
  )
}

/**
 * A `preParsing` hook for routes that take one media type.
 * @throws {ProblemError} `unsupported-media-type` for others, with the fields that name the right one
 *   (RFC 9110 section 15.5.16, RFC 5789 section 2.2)
 */
export function takes(mediaType: string) {
  const patches = mediaType === mergePatch && { 'Accept-Patch': mediaType }
  return async (request: FastifyRequest): Promise<void> => {
    const [given = ''] = (request.headers['content-type'] ?? '').split(';')
    if (given.trim().toLowerCase() === mediaType) return
    throw new ProblemError('unsupported-media-type', {
      detail: `Send the body as ${mediaType}.`,
      headers: { Accept: mediaType, ...patches }
    })
  }
}

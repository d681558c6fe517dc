import type { FastifyRequest } from 'fastify'
import { ProblemError } from '../src/http/problem.ts'

/** Nothing is decompressed here (RFC 9110 sections 12.5.3, 15.5.16): what is small may become large. */
export async function checkContentCoding({ headers }: FastifyRequest): Promise<void> {
  const { 'content-encoding': coding = '' } = headers
  if (/^(?:identity)?$/i.test(coding.trim())) return
  throw new ProblemError('unsupported-media-type', {
    detail: 'Send the body without a content coding such as gzip.',
    headers: { 'Accept-Encoding': 'identity' }
  })
}

import { STATUS_CODES } from 'node:http'
import { problemHeaders } from './to-problem.ts'
import { problemDocument } from './problem.ts'
import type { ProblemKind } from './problem.ts'

const kinds: ReadonlyMap<string | undefined, ProblemKind> = new Map<string, ProblemKind>([
  ['ERR_HTTP_REQUEST_TIMEOUT', 'request-timeout'],
  ['HPE_HEADER_OVERFLOW', 'header-fields-too-large'],
  ['HPE_CHUNK_EXTENSIONS_OVERFLOW', 'content-too-large']
])

/** The kind of problem of a request that Node's HTTP parser gave up, by the parser's error code. */
export function clientErrorKind(code: string | undefined): ProblemKind {
  return kinds.get(code) ?? 'invalid-request'
}

/**
 * A problem as bytes of a whole HTTP/1.1 response, for requests of which there is no parsed form to answer.
 * The connection ends with it.
 */
export function rawProblem(kind: ProblemKind, id: string): string {
  const body = problemDocument(kind, { instance: id })
  const text = JSON.stringify(body)
  return [
    `HTTP/1.1 ${body.status} ${STATUS_CODES[body.status]}`,
    `Date: ${new Date().toUTCString()}`,
    ...Object.entries(problemHeaders).map(([name, value]) => `${name}: ${value}`),
    `content-length: ${Buffer.byteLength(text)}`,
    'connection: close',
    '',
    text
  ].join('\r\n')
}

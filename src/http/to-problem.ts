import { ProblemError, problemDocument, problemKinds } from './problem.ts'
import type { ProblemDocument, ProblemFault, ProblemKind } from './problem.ts'

/** What the answer to a failed request needs to know of the request. */
export interface FailedRequest {
  /** The request's id, as in the log. */
  readonly id: string
  readonly method: string
  /** The media types that the route reads, for the answer to any other (RFC 9110 section 15.5.16). */
  readonly accepts: readonly string[]
  /** The most bytes of a body that the route reads. */
  readonly bodyLimit: number
}

/** A problem on its way to the client: status, response fields and document. */
export interface ProblemAnswer {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly body: ProblemDocument
}

interface Problem {
  readonly kind: ProblemKind
  readonly detail?: string | undefined
  readonly errors?: readonly ProblemFault[] | undefined
  readonly headers?: Readonly<Record<string, string>>
}

/**
 * Turns whatever was thrown into the answer that the client gets (RFC 9457). Only {@link ProblemError}s and the
 * errors that the web framework raises about a request speak to the client; of any other error nothing is told.
 */
export function toProblem(error: unknown, request: FailedRequest): ProblemAnswer {
  const { kind, detail, errors, headers } = judge(error, request)
  const body = problemDocument(kind, {
    ...(detail !== undefined && { detail }),
    instance: request.id,
    ...(errors !== undefined && { errors })
  })
  return { status: body.status, headers: { ...headers, ...problemHeaders }, body }
}

/** The response fields of every problem: errors are never stored (RFC 9111 section 4.2.2 would allow some). */
export const problemHeaders = {
  'content-type': 'application/problem+json',
  'cache-control': 'no-store'
} as const

/** What a framework error may carry; every member is checked before use. */
interface FrameworkError {
  readonly code?: unknown
  readonly statusCode?: unknown
  readonly validation?: unknown
  readonly validationContext?: unknown
}

const knownCodes: ReadonlyMap<unknown, Problem> = new Map<string, Problem>([
  ['FST_ERR_CTP_INVALID_JSON_BODY', { kind: 'invalid-request', detail: 'The body is not JSON.' }],
  ['FST_ERR_CTP_EMPTY_JSON_BODY', { kind: 'invalid-request', detail: 'The body is empty.' }],
  [
    'FST_ERR_CTP_INVALID_CONTENT_LENGTH',
    { kind: 'invalid-request', detail: 'The body is not as long as Content-Length says.' }
  ],
  ['FST_ERR_BAD_URL', { kind: 'invalid-request', detail: 'The path is not a valid URL path.' }],
  ['FST_ERR_MAX_PARAM_LENGTH', { kind: 'uri-too-long' }],
  ['FST_ERR_HANDLER_TIMEOUT', { kind: 'service-unavailable', headers: { 'retry-after': '5' } }]
])

/** Statuses that plugins may ask for with `statusCode`; any other becomes 400 or 500. */
const kindsByStatus: ReadonlyMap<unknown, ProblemKind> = new Map<number, ProblemKind>(
  (
    [
      'not-found',
      'method-not-allowed',
      'request-timeout',
      'conflict',
      'precondition-failed',
      'content-too-large',
      'uri-too-long',
      'unsupported-media-type',
      'too-many-requests',
      'not-implemented',
      'bad-gateway',
      'service-unavailable',
      'gateway-timeout'
    ] as const
  ).map((kind) => [problemKinds[kind].status, kind])
)

function judge(error: unknown, request: FailedRequest): Problem {
  if (error instanceof ProblemError) return error
  if (typeof error !== 'object' || error === null) return { kind: 'internal-error' }
  const { code, statusCode, validation, validationContext }: FrameworkError = error
  if (Array.isArray(validation)) return validationProblem(validation, validationContext)
  if (code === 'FST_ERR_CTP_INVALID_MEDIA_TYPE') return mediaTypeProblem(request)
  if (code === 'FST_ERR_CTP_BODY_TOO_LARGE')
    return { kind: 'content-too-large', detail: `The body may have ${request.bodyLimit} bytes.` }
  return knownCodes.get(code) ?? { kind: kindOfStatus(statusCode) }
}

function kindOfStatus(status: unknown): ProblemKind {
  const kind = kindsByStatus.get(status)
  if (kind !== undefined) return kind
  return typeof status === 'number' && status >= 400 && status < 500
    ? 'invalid-request'
    : 'internal-error'
}

function mediaTypeProblem({ method, accepts }: FailedRequest): Problem {
  const types = accepts.join(', ')
  return {
    kind: 'unsupported-media-type',
    detail: `Send the body as ${accepts.join(' or ')}.`,
    headers: method === 'PATCH' ? { accept: types, 'accept-patch': types } : { accept: types }
  }
}

/** One entry of Ajv's `errors`; `instancePath` is a JSON Pointer. */
interface SchemaFault {
  readonly instancePath: string
  readonly message?: string
  readonly params: Readonly<Record<string, unknown>>
}

const partNames: Readonly<Record<string, string>> = {
  body: 'The body',
  querystring: 'The query',
  params: 'The path',
  headers: 'A header field'
}

function validationProblem(faults: readonly SchemaFault[], context: unknown): Problem {
  const part = partNames[String(context)] ?? 'The request'
  return {
    kind: 'validation-failed',
    detail: `${part} does not match what is described.`,
    errors: faults.map(({ instancePath, message = 'is not valid', params }) => ({
      detail: message,
      pointer: instancePath + memberPointer(params)
    }))
  }
}

/** The member that is missing or too much: Ajv points at the object around it. */
function memberPointer({ missingProperty, additionalProperty }: SchemaFault['params']): string {
  const member = missingProperty ?? additionalProperty
  if (typeof member !== 'string') return ''
  return `/${member.slice(0, 100).replaceAll('~', '~0').replaceAll('/', '~1')}`
}

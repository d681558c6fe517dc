/**
 * The kinds of problem this API answers with (RFC 9457): the last part of the `type` URI, its HTTP
 * status and its fixed title. Each is described in docs/problems.md; a slug never changes its meaning.
 */
export const problemKinds = {
  'authentication-required': { status: 401, title: 'Authentication required' },
  'invalid-token': { status: 401, title: 'Invalid access token' },
  'invalid-dpop-proof': { status: 401, title: 'Invalid DPoP proof' },
  'dpop-nonce-required': { status: 401, title: 'DPoP nonce required' },
  'insufficient-user-authentication': {
    status: 401,
    title: 'Insufficient user authentication'
  },
  'invalid-request': { status: 400, title: 'Invalid request' },
  'insufficient-scope': { status: 403, title: 'Insufficient scope' },
  'access-denied': { status: 403, title: 'Access denied' },
  'validation-failed': { status: 422, title: 'Validation failed' },
  'not-found': { status: 404, title: 'Not found' },
  'document-not-found': { status: 404, title: 'Document not found' },
  'method-not-allowed': { status: 405, title: 'Method not allowed' },
  'request-timeout': { status: 408, title: 'Request timeout' },
  conflict: { status: 409, title: 'Conflict' },
  'cursor-expired': { status: 410, title: 'Cursor expired' },
  'precondition-failed': { status: 412, title: 'Precondition failed' },
  'content-too-large': { status: 413, title: 'Content too large' },
  'uri-too-long': { status: 414, title: 'URI too long' },
  'unsupported-media-type': { status: 415, title: 'Unsupported media type' },
  'expectation-failed': { status: 417, title: 'Expectation failed' },
  'idempotency-key-reused': { status: 422, title: 'Idempotency key reused' },
  'precondition-required': { status: 428, title: 'Precondition required' },
  'too-many-requests': { status: 429, title: 'Too many requests' },
  'quota-exceeded': { status: 403, title: 'Quota exceeded' },
  'header-fields-too-large': { status: 431, title: 'Request header fields too large' },
  'internal-error': { status: 500, title: 'Internal error' },
  'not-implemented': { status: 501, title: 'Not implemented' },
  'bad-gateway': { status: 502, title: 'Bad gateway' },
  'issuer-unavailable': { status: 503, title: 'Issuer unavailable' },
  'service-unavailable': { status: 503, title: 'Service unavailable' },
  'gateway-timeout': { status: 504, title: 'Gateway timeout' }
} as const

/** The slug of a problem kind, e.g. `document-not-found`. */
export type ProblemKind = keyof typeof problemKinds

/** One fault of the request's content: what is wrong and where (a JSON Pointer into it, RFC 6901). */
export interface ProblemFault {
  readonly detail: string
  readonly pointer: string
}

/** A problem document (RFC 9457 section 3) as it goes over the wire. */
export interface ProblemDocument {
  readonly type: string
  readonly title: string
  readonly status: number
  readonly detail?: string
  /** The id of the request, as in the log. */
  readonly instance?: string
  readonly errors?: readonly ProblemFault[]
}

/** What a {@link ProblemError} may add to its kind. */
export interface ProblemErrorOptions extends ErrorOptions {
  /** Said to the client; never holds a token, a stack, SQL or a host name. */
  readonly detail?: string
  /** Response fields that belong to the problem, e.g. `Retry-After`. */
  readonly headers?: Readonly<Record<string, string>>
  readonly errors?: readonly ProblemFault[]
}

/** A failure that has an answer of its own: thrown anywhere, turned into a response in one place. */
export class ProblemError extends Error {
  readonly kind: ProblemKind
  /** For error handlers other than ours: Fastify's own reads it, and `headers`. */
  readonly statusCode: number
  readonly detail: string | undefined
  readonly headers: Readonly<Record<string, string>>
  readonly errors: readonly ProblemFault[] | undefined

  constructor(kind: ProblemKind, options: ProblemErrorOptions = {}) {
    super(options.detail ?? problemKinds[kind].title, options)
    this.name = 'ProblemError'
    this.kind = kind
    this.statusCode = problemKinds[kind].status
    this.detail = options.detail
    this.headers = options.headers ?? {}
    this.errors = options.errors
  }
}

/** The stable URI of a problem kind. A name, not an address: see docs/problems.md. */
export function problemType(kind: ProblemKind): string {
  return `urn:latchkey:problem:${kind}`
}

/** Builds the problem document of a kind; members without a value are left out. */
export function problemDocument(
  kind: ProblemKind,
  members: Pick<ProblemDocument, 'detail' | 'instance' | 'errors'> = {}
): ProblemDocument {
  const { status, title } = problemKinds[kind]
  return { type: problemType(kind), title, status, ...members }
}

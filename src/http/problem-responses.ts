import { problemDocument, problemKinds } from './problem.ts'
import type { ProblemDocument, ProblemFault, ProblemKind } from './problem.ts'

/** An OpenAPI Reference Object. */
export interface Reference {
  readonly $ref: string
}

/** The parts of an OpenAPI Components Object that describe answers with a problem document. */
export interface ProblemComponents {
  readonly responses: Record<string, object>
  readonly examples: Record<string, { summary: string; value: ProblemDocument }>
  readonly headers: Record<string, object>
}

/** The shared descriptions that {@link problemResponses} adds to and refers to. */
export function problemComponents(): ProblemComponents {
  return {
    responses: {
      'other-refusal': {
        ...problemResponse(['request-timeout', 'uri-too-long', 'header-fields-too-large']),
        description: 'Any other refusal of the request'
      },
      'other-failure': {
        ...problemResponse(['internal-error', 'service-unavailable']),
        description: 'Any other failure of the service'
      }
    },
    examples: problemExamples(),
    headers: { 'WWW-Authenticate': challengeHeader, 'Retry-After': retryAfterHeader }
  }
}

/**
 * The OpenAPI responses of an operation that answers with problems of these kinds, and with those
 * that any request can meet. Kinds of one status share a response, kept in `components` by its name.
 */
export function problemResponses(
  kinds: Iterable<ProblemKind>,
  components: ProblemComponents
): Record<string, Reference> {
  const responses: Record<string, Reference> = {}
  for (const [status, group] of byStatus(kinds)) {
    const name = group.join('-or-')
    components.responses[name] ??= problemResponse(group)
    responses[status] = reference('responses', name)
  }
  responses['4XX'] = reference('responses', 'other-refusal')
  responses['5XX'] = reference('responses', 'other-failure')
  return responses
}

function byStatus(kinds: Iterable<ProblemKind>): Map<number, ProblemKind[]> {
  const groups = new Map<number, ProblemKind[]>()
  for (const kind of new Set(kinds)) {
    const { status } = problemKinds[kind]
    groups.set(status, [...(groups.get(status) ?? []), kind])
  }
  return groups
}

function problemResponse(kinds: readonly ProblemKind[]): object {
  const headers = [...new Set(kinds.flatMap((kind) => headersOf[kind] ?? []))]
  return {
    description: kinds.map((kind) => problemKinds[kind].title).join(' / '),
    ...(headers.length > 0 && { headers: references('headers', headers) }),
    content: {
      'application/problem+json': {
        schema: reference('schemas', 'Problem'),
        examples: references('examples', kinds)
      }
    }
  }
}

function problemExamples(): ProblemComponents['examples'] {
  const kinds = Object.keys(problemKinds) as ProblemKind[]
  const entries = kinds.map((kind) => {
    const value = problemDocument(kind, kind === 'validation-failed' ? { errors: faults } : {})
    return [kind, { summary: problemKinds[kind].title, value }] as const
  })
  return Object.fromEntries(entries)
}

function references(section: string, names: readonly string[]): Record<string, Reference> {
  return Object.fromEntries(names.map((name) => [name, reference(section, name)]))
}

function reference(section: string, name: string): Reference {
  return { $ref: `#/components/${section}/${name}` }
}

const faults: readonly ProblemFault[] = [
  { detail: "must have required property 'data'", pointer: '/data' }
]

const headersOf: Partial<Record<ProblemKind, readonly string[]>> = {
  'authentication-required': ['WWW-Authenticate'],
  'invalid-token': ['WWW-Authenticate'],
  'insufficient-scope': ['WWW-Authenticate'],
  'issuer-unavailable': ['Retry-After'],
  'service-unavailable': ['Retry-After']
}

const challengeHeader = {
  description: 'The challenge (RFC 6750 section 3): what a request needs to be accepted.',
  schema: { type: 'string' },
  examples: {
    'without credentials': {
      value: 'Bearer realm="latchkey", scope="documents:read"'
    },
    'with a bad token': {
      value: 'Bearer realm="latchkey", error="invalid_token", error_description="…"'
    },
    'without the scope': {
      value: 'Bearer realm="latchkey", error="insufficient_scope", scope="documents:read"'
    }
  }
}

const retryAfterHeader = {
  description: 'Seconds to wait before the request is worth repeating (RFC 9110 section 10.2.3).',
  schema: { type: 'integer', minimum: 0 },
  example: 30
}

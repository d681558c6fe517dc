import { type ProofChallenge, writeChallenges } from '../binding/challenges.ts'
import { proofRefusals } from '../binding/proof-refusal.ts'
import { refusals } from '../token/refusal.ts'
import { problemDocument, problemKinds } from './problem.ts'
import type { Scheme } from '../token/authorization.ts'
import type { ChallengeParameters } from '../token/challenge.ts'
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

/**
 * The shared descriptions that {@link problemResponses} adds to and refers to.
 * @param proofs undefined if DPoP is off
 */
export function problemComponents(proofs?: ProofChallenge): ProblemComponents {
  return {
    responses: {},
    examples: {},
    headers: {
      'WWW-Authenticate': challengeHeader(proofs),
      ...(proofs && { 'DPoP-Nonce': nonceHeader }),
      RateLimit: rateLimitHeader,
      'RateLimit-Policy': rateLimitPolicyHeader,
      'Retry-After': retryAfterHeader,
      Accept: acceptHeader,
      'Accept-Patch': acceptPatchHeader,
      'Accept-Encoding': acceptEncodingHeader
    }
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
    const description = group.map((kind) => problemKinds[kind].title).join(' / ')
    const answer = { name: group.join('-or-'), description, kinds: group }
    responses[status] = sharedResponse(answer, components)
  }
  responses['4XX'] = sharedResponse(otherRefusal, components)
  responses['5XX'] = sharedResponse(otherFailure, components)
  return responses
}

/** What an answer says of limits to a request that is counted, whether it was let in or not. */
export function limitFields(): Record<string, Reference> {
  return references('headers', ['RateLimit', 'RateLimit-Policy'])
}

/** One response of the document: the problems that come with one status. */
interface Answer {
  readonly name: string
  readonly description: string
  readonly kinds: readonly ProblemKind[]
}

function sharedResponse(answer: Answer, components: ProblemComponents): Reference {
  components.responses[answer.name] ??= problemResponse(answer)
  for (const kind of answer.kinds) components.examples[kind] ??= problemExample(kind)
  return reference('responses', answer.name)
}

function byStatus(kinds: Iterable<ProblemKind>): Map<number, ProblemKind[]> {
  const groups = new Map<number, ProblemKind[]>()
  for (const kind of new Set(kinds)) {
    const { status } = problemKinds[kind]
    groups.set(status, [...(groups.get(status) ?? []), kind])
  }
  return groups
}

function problemResponse({ description, kinds }: Answer): object {
  const headers = [...new Set(kinds.flatMap((kind) => headersOf[kind] ?? []))]
  return {
    description,
    ...(headers.length > 0 && { headers: references('headers', headers) }),
    content: {
      'application/problem+json': {
        schema: reference('schemas', 'Problem'),
        examples: references('examples', kinds)
      }
    }
  }
}

function problemExample(kind: ProblemKind): { summary: string; value: ProblemDocument } {
  const value = problemDocument(kind, {
    instance: '5c1f7b0e-52a1-4f0e-9d8e-3f6f0f0f6a52',
    ...(kind === 'validation-failed' && { errors: faults })
  })
  return { summary: problemKinds[kind].title, value }
}

function references(section: string, names: readonly string[]): Record<string, Reference> {
  return Object.fromEntries(names.map((name) => [name, reference(section, name)]))
}

function reference(section: string, name: string): Reference {
  return { $ref: `#/components/${section}/${name}` }
}

const otherRefusal: Answer = {
  name: 'other-refusal',
  description: 'Any other refusal of the request',
  kinds: ['request-timeout', 'uri-too-long', 'header-fields-too-large']
}

const otherFailure: Answer = {
  name: 'other-failure',
  description: 'Any other failure of the service',
  kinds: ['internal-error', 'service-unavailable']
}

const faults: readonly ProblemFault[] = [
  { detail: "must have required property 'data'", pointer: '/data' }
]

const headersOf: Partial<Record<ProblemKind, readonly string[]>> = {
  'invalid-request': ['WWW-Authenticate'],
  'authentication-required': ['WWW-Authenticate'],
  'invalid-token': ['WWW-Authenticate'],
  'invalid-dpop-proof': ['WWW-Authenticate', 'DPoP-Nonce'],
  'dpop-nonce-required': ['WWW-Authenticate', 'DPoP-Nonce'],
  'insufficient-user-authentication': ['WWW-Authenticate'],
  'insufficient-scope': ['WWW-Authenticate'],
  'access-denied': ['WWW-Authenticate'],
  conflict: ['Retry-After'],
  'unsupported-media-type': ['Accept', 'Accept-Patch', 'Accept-Encoding'],
  'too-many-requests': ['RateLimit', 'RateLimit-Policy', 'Retry-After'],
  'issuer-unavailable': ['Retry-After'],
  'service-unavailable': ['Retry-After']
}

function challengeHeader(proofs: ProofChallenge | undefined): object {
  const example = (parameters: Partial<ChallengeParameters>, used?: Scheme) => ({
    value: writeChallenges({ realm: 'api', ...parameters }, used, proofs).join(', ')
  })
  const scope = 'documents:read'
  const error_description = refusals.expired.description
  const missing = proofRefusals.proof_missing.description
  const unproven = { error: 'invalid_dpop_proof', error_description: missing } as const
  return {
    description: 'The challenge (RFC 6750 section 3): what a request needs to be accepted.',
    schema: { type: 'string' },
    examples: {
      'without credentials': example({ scope }),
      'with a bad token': example({ error: 'invalid_token', error_description }),
      'without the scope': example({ error: 'insufficient_scope', scope }),
      ...(proofs && { 'without a proof': example(unproven, 'dpop') })
    }
  }
}

const nonceHeader = {
  description:
    'The `nonce` of the next proof, where this API asks for nonces (RFC 9449 section 9); other answers may have it too.',
  schema: { type: 'string' }
}

const acceptHeader = {
  description:
    'The media types that the operation reads, where it was another (RFC 9110 section 12.5.1).',
  schema: { type: 'string' },
  example: 'application/json'
}

const acceptPatchHeader = {
  description: 'The same, of a PATCH (RFC 5789 section 3.1).',
  schema: { type: 'string' },
  example: 'application/merge-patch+json'
}

const acceptEncodingHeader = {
  description:
    'That bodies are read without a content coding, where one had any (RFC 9110 section 12.5.3).',
  schema: { type: 'string', const: 'identity' }
}

const rateLimitHeader = {
  description:
    'What is left of a limit, and for how many seconds (draft-ietf-httpapi-ratelimit-headers). Answers with a problem ' +
    'have both fields too, unless the operator switched limits off.',
  schema: { type: 'string' },
  example: '"principal";r=5999;t=60'
}

const rateLimitPolicyHeader = {
  description: 'All limits: how many requests, in how many seconds (the same draft, section 3).',
  schema: { type: 'string' },
  example: '"principal";q=6000;w=60, "address";q=30000;w=60, "failed";q=3000;w=60'
}

const retryAfterHeader = {
  description: 'Seconds to wait before the request is worth repeating (RFC 9110 section 10.2.3).',
  schema: { type: 'integer', minimum: 0 },
  example: 30
}

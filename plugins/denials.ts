import type { FastifyReply, FastifyRequest } from 'fastify'
import { metadataUrl } from '../src/http/resource-metadata.ts'
import { isIdentifierUrl } from '../src/issuer/identifier-url.ts'
import { type ProofChallenge, writeChallenges } from '../src/binding/challenges.ts'
import {
  type ProofRefusal,
  type ProofRefusalReason,
  proofRefusals
} from '../src/binding/proof-refusal.ts'
import { ProblemError, problemDocument } from '../src/http/problem.ts'
import { findAuthorization, type Scheme, schemeOf } from '../src/token/authorization.ts'
import { isChallengeText } from '../src/token/challenge.ts'
import type { Denial } from '../src/token/demand.ts'
import type { Guard } from '../src/token/guard.ts'
import type { Principal } from '../src/token/principal.ts'
import { type Refusal, type RefusalReason, refusals } from '../src/token/refusal.ts'
import type { IssuerUnavailable } from '../src/token/verdict.ts'
import { denialAnswers, type Told } from './denial-answers.ts'
import { sendProblem } from './send-problem.ts'

/** Why a request is refused, as the log says it: one of a fixed set, and nothing that the request said. */
export type RefusedBecause =
  | RefusalReason
  | ProofRefusalReason
  | Denial
  | 'no_credentials'
  | 'invalid_request'
  | 'issuer_unavailable'
  | 'state_unavailable'

/** What the plugin was told about the API itself. */
export interface DenialOptions {
  readonly realm?: string | undefined
  readonly publicUrl?: string | (() => string) | undefined
  /** Called at each refusal, before its answer is sent. */
  readonly onRefusal?: ((request: FastifyRequest, reason: RefusedBecause) => void) | undefined
}

/** What answers say about DPoP where it is on. */
export interface ProofDenialOptions extends ProofChallenge {
  /** Makes the nonce that goes with every challenge; undefined if no proof needs one. */
  readonly newestNonce: (() => string) | undefined
}

/** A caller with a good token, and what it does not meet. */
export interface DeniedCaller {
  readonly principal: Principal
  readonly denial: Denial
}

/** The answers to requests that a guard does not let pass. Each sends its answer and logs one line. */
export interface Denials {
  noCredentials(request: FastifyRequest, reply: FastifyReply, guard: Guard): void
  invalidRequest(
    request: FastifyRequest,
    reply: FastifyReply,
    guard: Guard,
    description: string
  ): void
  invalidToken(request: FastifyRequest, reply: FastifyReply, guard: Guard, refusal: Refusal): void
  /** The token is good, and the guard demands more than it gives. */
  denied(request: FastifyRequest, reply: FastifyReply, guard: Guard, caller: DeniedCaller): void
  /** The token is good, and the caller does not show to be the one it was issued to. */
  unproven(request: FastifyRequest, reply: FastifyReply, guard: Guard, refusal: ProofRefusal): void
  unavailable(request: FastifyRequest, reply: FastifyReply, verdict: IssuerUnavailable): void
  /** Nobody can tell whether a proof was used before. */
  stateUnavailable(request: FastifyRequest, reply: FastifyReply, fault: string): void
  /** For a handler to throw: the issuer itself refused a token that was good here. */
  tokenRefusedUpstream(guard: Guard): ProblemError
  /** For a handler to throw: the issuer itself wants more scope than the token has. */
  scopeRefusedUpstream(guard: Guard): ProblemError
}

/** One answer, ready but for the id of the request. */
interface Answer {
  readonly status: number
  /** One for each scheme. */
  readonly challenges: readonly string[]
  readonly body: string
}

/**
 * Builds the table "outcomes of a request": status, challenge (RFC 6750 section 3, RFC 9728 section 5.1) and problem
 * (RFC 9457).
 * @param proofsNow what is said of DPoP under the issuers of the moment
 * @throws {TypeError} if the realm may not stand in a challenge, or the public URL can not name an API
 */
export function createDenials(
  options: DenialOptions,
  proofsNow: () => ProofDenialOptions | undefined
): Denials {
  checkOptions(options)
  const answer = createAnswers(options, proofsNow)

  const tell = (
    request: FastifyRequest,
    level: 'info' | 'warn',
    fields: { readonly reason: RefusedBecause; readonly [name: string]: string | undefined },
    message: string
  ): void => {
    request.log[level](fields, message)
    options.onRefusal?.(request, fields.reason)
  }

  const refuse = (request: FastifyRequest, reply: FastifyReply, guard: Guard, told: Told): void => {
    const proofs = proofsNow()
    const used = proofs && schemeOf(findAuthorization(request.raw.rawHeaders))
    if (proofs?.newestNonce !== undefined) reply.header('dpop-nonce', proofs.newestNonce())
    send(request, reply, answer(guard, told, used))
  }

  const upstream = (guard: Guard, told: Told): ProblemError => {
    const headers = { 'www-authenticate': answer(guard, told, 'bearer').challenges.join(', ') }
    return new ProblemError(told.kind, { detail: `${told.detail}.`, headers })
  }

  return {
    noCredentials(request, reply, guard) {
      tell(request, 'info', { reason: 'no_credentials' }, 'request refused')
      refuse(request, reply, guard, noCredentials(guard, proofsNow()))
    },
    invalidRequest(request, reply, guard, description) {
      tell(request, 'info', { reason: 'invalid_request' }, 'request refused')
      refuse(request, reply, guard, invalidRequest(description))
    },
    invalidToken(request, reply, guard, { reason, description }) {
      tell(request, 'info', { reason }, 'access token refused')
      refuse(request, reply, guard, invalidToken(description))
    },
    unproven(request, reply, guard, refusal) {
      tell(request, 'info', { reason: refusal.reason }, 'proof of possession refused')
      refuse(request, reply, guard, unproven(refusal))
    },
    denied(request, reply, guard, { principal: { issuer, subject, clientId }, denial }) {
      tell(request, 'info', { reason: denial, issuer, subject, clientId }, 'request refused')
      refuse(request, reply, guard, denialAnswers[denial](guard))
    },
    unavailable(request, reply, { issuer, retryAfterSeconds }) {
      tell(
        request,
        'warn',
        { issuer, reason: 'issuer_unavailable' },
        'access token can not be judged'
      )
      const detail = 'The issuer can not be asked about the access token; try again later.'
      reply.header('retry-after', String(retryAfterSeconds))
      sendProblem(
        request,
        reply,
        503,
        JSON.stringify(problemDocument('issuer-unavailable', { detail }))
      )
    },
    stateUnavailable(request, reply, fault) {
      tell(
        request,
        'warn',
        { fault, reason: 'state_unavailable' },
        'proof of possession can not be judged'
      )
      const detail =
        'Used proofs can not be told from new ones now; try again later, with a new proof.'
      const document = problemDocument('service-unavailable', { detail })
      sendProblem(request, reply.header('retry-after', '1'), 503, JSON.stringify(document))
    },
    tokenRefusedUpstream(guard) {
      return upstream(guard, invalidToken(refusals.refused_by_issuer.description))
    },
    scopeRefusedUpstream(guard) {
      return upstream(guard, denialAnswers.insufficient_scope(guard))
    }
  }
}

type Answers = (guard: Guard, told: Told, used: Scheme | undefined) => Answer

/** Everything in an answer is fixed text or comes from the route, so each is written once and kept. */
function createAnswers(
  { realm = 'api', publicUrl }: DenialOptions,
  proofsNow: () => ProofChallenge | undefined
): Answers {
  let kept = new WeakMap<Guard, Map<string, Answer>>()
  let keptFor = proofsNow()

  return (guard, { kind, detail, challenge: parameters }, used) => {
    const proofs = proofsNow()
    if (proofs !== keptFor) {
      kept = new WeakMap()
      keptFor = proofs
    }
    const answers = kept.get(guard) ?? new Map<string, Answer>()
    kept.set(guard, answers)
    const name = used === undefined ? detail : `${used} ${detail}`
    const known = answers.get(name)
    if (known !== undefined) return known
    const url = typeof publicUrl === 'function' ? publicUrl() : publicUrl
    const said = {
      realm,
      error_description: parameters.error === undefined ? undefined : detail,
      resource_metadata: url === undefined ? undefined : metadataUrl(url),
      ...parameters
    }
    const challenges = writeChallenges(said, used, proofs)
    const document = problemDocument(kind, { detail: `${detail}.` })
    const made = { status: document.status, challenges, body: JSON.stringify(document) }
    answers.set(name, made)
    return made
  }
}

function checkOptions({ realm = 'api', publicUrl }: DenialOptions): void {
  if (!isChallengeText(realm)) {
    const allowed = 'printable ASCII without quotes and backslashes'
    throw new TypeError(`realm: found ${JSON.stringify(realm)}, allowed: ${allowed}`)
  }
  if (typeof publicUrl === 'string' && !isIdentifierUrl(publicUrl)) {
    const allowed = 'an https URL without query and fragment (http on loopback only)'
    throw new TypeError(`publicUrl: found ${JSON.stringify(publicUrl)}, allowed: ${allowed}`)
  }
}

function noCredentials({ scope }: Guard, proofs: ProofChallenge | undefined): Told {
  const scheme = proofs?.isRequired === true ? 'DPoP' : 'Bearer'
  const detail = `Send an access token in the Authorization field: ${scheme}, a space, the token`
  return { kind: 'authentication-required', detail, challenge: { scope } }
}

function invalidRequest(detail: string): Told {
  return { kind: 'invalid-request', detail, challenge: { error: 'invalid_request' } }
}

function invalidToken(detail: string): Told {
  return { kind: 'invalid-token', detail, challenge: { error: 'invalid_token' } }
}

/** Proof at fault: an error of its own; a proxy's field is none of the client's (RFC 9449 section 7.1). */
function unproven(refusal: ProofRefusal): Told {
  const { description: detail } = refusal
  if (refusal === proofRefusals.certificate_malformed) return invalidRequest(detail)
  return refusal === proofRefusals.nonce_needed
    ? { kind: 'dpop-nonce-required', detail, challenge: { error: 'use_dpop_nonce' } }
    : { kind: 'invalid-dpop-proof', detail, challenge: { error: 'invalid_dpop_proof' } }
}

function send(
  request: FastifyRequest,
  reply: FastifyReply,
  { status, challenges, body }: Answer
): void {
  reply.header('www-authenticate', challenges.length === 1 ? challenges[0] : challenges)
  sendProblem(request, reply, status, body)
}

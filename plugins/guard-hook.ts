import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { mayLackLines } from '../src/http/header-lines.ts'
import type { TrustedIssuers } from '../src/issuer/trusted-issuers.ts'
import type { RevokedTokens } from '../src/token/revoked-tokens.ts'
import {
  type Credentials,
  findAuthorization,
  readAuthorization
} from '../src/token/authorization.ts'
import { type Guard, judge, parseGuard } from '../src/token/guard.ts'
import type { Principal } from '../src/token/principal.ts'
import { Refusal, refusals } from '../src/token/refusal.ts'
import { IssuerUnavailable, type Verdict } from '../src/token/verdict.ts'
import { createVerifier } from '../src/token/verifier.ts'
import type { Denials } from './denials.ts'
import { answerUnrouted, isUnrouted } from './method-not-allowed.ts'
import { guardKey, type SharedOptions } from './plugin-options.ts'
import { isProven } from './proof-of-possession.ts'
import type { SenderConstraint } from './sender-constraint.ts'
import { varyBy } from './vary.ts'

/** The hook that every request goes through. */
export type GuardHook = (
  request: FastifyRequest,
  reply: FastifyReply,
  done: (error?: Error) => void
) => void

/** A request that is guarded, and whom it is handed on to. */
interface Guarded {
  readonly guard: Guard
  readonly request: FastifyRequest
  readonly reply: FastifyReply
  readonly done: (error?: Error) => void
}

/** What is told to a client that sends a token in two ways. */
export const twoTokens = 'The request has more than one access token'

/** Credentials with an access token. */
type AccessToken = Extract<Credentials, { readonly token: string }>

export interface GuardHookOptions {
  readonly issuers: TrustedIssuers
  readonly denials: Denials
  readonly publicUrl: string | (() => string) | undefined
  readonly constraint: SenderConstraint
  readonly revoked: RevokedTokens | undefined
  readonly beforeVerification: SharedOptions['beforeVerification']
}

/** Makes the guard: reads the credentials, has the token judged, and then what the route demands of its caller. */
export function createGuardHook(
  app: FastifyInstance,
  { issuers, denials, publicUrl, constraint, revoked, beforeVerification }: GuardHookOptions
): GuardHook {
  const verify = createVerifier(issuers, { revoked })
  const surroundings = {
    clock: Date.now,
    clockToleranceOf: (issuer: string) => issuers.get(issuer)?.policy.clockTolerance ?? 0,
    isThisApi: (location: string, issuer: string) =>
      issuers.get(issuer)?.policy.audiences.has(location) === true ||
      location === (typeof publicUrl === 'function' ? publicUrl() : publicUrl)
  }

  const admit = ({ guard, request, reply, done }: Guarded, verdict: Principal): void => {
    const denial = judge(guard, verdict, surroundings, request.params)
    if (denial instanceof Refusal) return denials.invalidToken(request, reply, guard, denial)
    if (denial !== undefined)
      return denials.denied(request, reply, guard, { principal: verdict, denial })
    request.principal = verdict
    done()
  }

  const settle = (guarded: Guarded, verdict: Verdict, sent: AccessToken): void => {
    const { guard, request, reply, done } = guarded
    if (verdict instanceof IssuerUnavailable) return denials.unavailable(request, reply, verdict)
    if (verdict instanceof Refusal) return denials.invalidToken(request, reply, guard, verdict)
    if (verdict.confirmation === undefined && sent.kind === 'bearer') return admit(guarded, verdict)
    const { judge } = constraint.regime
    if (judge === undefined)
      return denials.invalidToken(request, reply, guard, refusals.sender_constrained)
    const caller = { guard, principal: verdict, scheme: sent.kind, token: sent.token }
    isProven(judge, denials, caller, request, reply)
      .then((proven) => {
        if (proven) admit(guarded, verdict)
      })
      .catch(failWith(done))
  }

  return (request, reply, done) => {
    if (isUnrouted(request)) return answerUnrouted(app, request, reply, done)
    const guard = guardOf(request)
    if (guard === null) return done()
    const { rawHeaders } = request.raw
    const credentials = readAuthorization(findAuthorization(rawHeaders), constraint.regime.schemes)
    // caches that store an answer have to know that it is for a caller, or for those who are none
    if (guard.optional) varyBy(reply, 'Authorization')
    if (mayLackLines(rawHeaders))
      return denials.invalidRequest(request, reply, guard, 'The request has too many header fields')
    if (credentials.kind === 'none')
      return guard.optional ? done() : denials.noCredentials(request, reply, guard)
    if (credentials.kind === 'invalid') {
      return denials.invalidRequest(request, reply, guard, credentials.description)
    }
    if (hasTokenInQuery(request)) return denials.invalidRequest(request, reply, guard, twoTokens)
    const guarded = { guard, request, reply, done }
    const before = beforeVerification && (() => beforeVerification(request))
    const verdict = verify(credentials.token, guard.uncached, before)
    if (!(verdict instanceof Promise)) return settle(guarded, verdict, credentials)
    verdict.then((settled) => settle(guarded, settled, credentials)).catch(failWith(done))
  }
}

/** Without an error `done` lets the request pass, and what is thrown need not be one. */
export function failWith(done: Guarded['done']) {
  return (cause: unknown): void =>
    done(cause instanceof Error ? cause : new Error('The guard failed', { cause }))
}

/** Routes that were declared before the plugin are guarded as well: their declaration is read when they are used. */
export function guardOf(request: FastifyRequest): Guard | null {
  const { config } = request.routeOptions
  if (config[guardKey] === undefined) config[guardKey] = parseGuard(config.auth) ?? null
  return config[guardKey]
}

function hasTokenInQuery({ query }: FastifyRequest): boolean {
  return typeof query === 'object' && query !== null && 'access_token' in query
}

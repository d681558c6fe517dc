import type { FastifyReply, FastifyRequest } from 'fastify'
import type { BindingJudge } from '../src/binding/binding-judge.ts'
import { ProofRefusal } from '../src/binding/proof-refusal.ts'
import { StateUnavailableError } from '../src/state/replay-store.ts'
import type { Scheme } from '../src/token/authorization.ts'
import type { Guard } from '../src/token/guard.ts'
import type { Principal } from '../src/token/principal.ts'
import { Refusal } from '../src/token/refusal.ts'
import type { Denials } from './denials.ts'
import { varyBy } from './vary.ts'

/** A verified caller, and how the token came. */
export interface Caller {
  readonly guard: Guard
  readonly principal: Principal
  readonly scheme: Scheme
  readonly token: string
}

/**
 * Judges whether the caller is the one that the token was issued to.
 * @returns false if not: then the request is answered
 */
export async function isProven(
  judge: BindingJudge,
  denials: Denials,
  { guard, principal, scheme, token }: Caller,
  ...[request, reply]: [FastifyRequest, FastifyReply]
): Promise<boolean> {
  const { rawHeaders, socket } = request.raw
  const { method, originalUrl: url } = request
  const sent = { scheme, token, method, url, rawHeaders, socket }
  try {
    const verdict = await judge.judge(principal.confirmation, sent)
    if (verdict instanceof Refusal) denials.invalidToken(request, reply, guard, verdict)
    else if (verdict instanceof ProofRefusal) denials.unproven(request, reply, guard, verdict)
    else {
      if (verdict.nonce !== undefined) reply.header('dpop-nonce', verdict.nonce)
      const isByCertificate = principal.confirmation?.certificateThumbprint !== undefined
      // RFC 9440 section 2.4
      if (isByCertificate && judge.isForwarded(sent)) varyBy(reply, 'Client-Cert')
      return true
    }
  } catch (failure) {
    if (!(failure instanceof StateUnavailableError)) throw failure
    denials.stateUnavailable(request, reply, failure.message)
  }
  return false
}

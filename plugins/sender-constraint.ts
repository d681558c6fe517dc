import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { type BindingJudge, createBindingJudge } from '../src/binding/binding-judge.ts'
import {
  type BindingOptions,
  type BindingSettings,
  readBindingOptions
} from '../src/binding/binding-options.ts'
import { ProofRefusal } from '../src/binding/proof-refusal.ts'
import type { TrustedIssuers } from '../src/issuer/trusted-issuers.ts'
import {
  createMemoryReplayStore,
  type ReplayStore,
  StateUnavailableError
} from '../src/state/replay-store.ts'
import type { Algorithm } from '../src/token/algorithms.ts'
import type { Scheme } from '../src/token/authorization.ts'
import type { BindingPolicy } from '../src/token/confirmation.ts'
import type { Guard } from '../src/token/guard.ts'
import type { TokenPolicy } from '../src/token/policy.ts'
import type { Principal } from '../src/token/principal.ts'
import { Refusal } from '../src/token/refusal.ts'
import type { Denials, ProofDenialOptions } from './denials.ts'

/** What the metadata of the API says of bound tokens (RFC 9728 section 2). */
export interface SenderConstraints {
  /** Signature algorithms of DPoP proofs; none if DPoP is off. */
  readonly dpopAlgorithms: readonly Algorithm[]
  /** Whether every token must be bound with DPoP. */
  readonly dpopRequired: boolean
  /** Whether tokens may be bound to a client certificate. */
  readonly mtls: boolean
}

/** What an API with bound tokens needs beyond one that has bearer tokens only. */
export interface SenderConstraint {
  /** The schemes in which tokens can be sent. */
  readonly schemes: ReadonlySet<Scheme>
  readonly challenge: ProofDenialOptions | undefined
  readonly published: SenderConstraints
  readonly judge: BindingJudge
}

/** What is published where tokens are not bound. */
export const noConstraints: SenderConstraints = Object.freeze({
  dpopAlgorithms: [],
  dpopRequired: false,
  mtls: false
})

export interface SenderConstraintOptions extends BindingOptions {
  readonly publicUrl?: string | (() => string) | undefined
}

/**
 * Prepares what bound tokens need, and closes it with the app.
 * @returns undefined if no issuer has them
 * @throws {TypeError} for a wrong option
 */
export async function createSenderConstraint(
  app: FastifyInstance,
  options: SenderConstraintOptions,
  issuers: TrustedIssuers
): Promise<SenderConstraint | undefined> {
  const { publicUrl } = options
  const settings = readBindingOptions(options, {
    bindings: bindingsOf(issuers),
    isOpen: issuers.isOpen,
    publicUrl,
    isTlsServer: () => 'setSecureContext' in app.server
  })
  const { proofs, clientCertFrom } = settings
  if (proofs === undefined && clientCertFrom === undefined) return undefined
  const store = await openStore(app, settings)
  app.addHook('onClose', () => store.close())
  const judge = await createBindingJudge({
    ...settings,
    store,
    publicUrl: typeof publicUrl === 'function' ? publicUrl : () => publicUrl ?? ''
  })
  const { newestNonce } = judge
  if (newestNonce !== undefined) app.addHook('onSend', keepUncached)
  return {
    schemes: new Set(proofs === undefined ? ['bearer'] : ['bearer', 'dpop']),
    challenge: proofs && { ...proofs, newestNonce },
    published: Object.freeze({
      dpopAlgorithms: proofs?.algorithms ?? [],
      dpopRequired: proofs?.isRequired ?? false,
      mtls: clientCertFrom !== undefined
    }),
    judge
  }
}

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
  { judge }: SenderConstraint,
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
      if (isByCertificate && judge.isForwarded(sent)) varyByCertificate(reply)
      return true
    }
  } catch (failure) {
    if (!(failure instanceof StateUnavailableError)) throw failure
    denials.stateUnavailable(request, reply, failure.message)
  }
  return false
}

/** A route that only bound tokens open would open to nobody. */
export function refuseUnprovable(
  { senderConstrained }: Guard,
  constraint: SenderConstraint | undefined
): void {
  if (!senderConstrained || constraint !== undefined) return
  const allowed = 'only with the option dpop or mtls of an issuer'
  throw new TypeError(`config.auth.senderConstrained: found true, allowed: ${allowed}`)
}

/** What is needed to check a binding is prepared at the start, for the issuers of then. */
export function refuseNewBinding(
  { issuer, bindings }: TokenPolicy,
  constraint: SenderConstraint | undefined
): void {
  const isProvable = {
    dpop: constraint?.challenge !== undefined,
    mtls: constraint?.published.mtls === true
  }
  for (const name of ['dpop', 'mtls'] as const) {
    const mode = bindings?.[name] ?? 'off'
    if (mode === 'off' || isProvable[name]) continue
    const allowed = 'off until a restart, since the API was started without it'
    throw new TypeError(`${name} of ${issuer}: found "${mode}", allowed: ${allowed}`)
  }
}

function bindingsOf(issuers: TrustedIssuers): ReadonlyMap<string, BindingPolicy> {
  const off: BindingPolicy = { dpop: 'off', mtls: 'off' }
  return new Map(issuers.values().map(({ policy }) => [policy.issuer, policy.bindings ?? off]))
}

async function openStore(
  { log }: FastifyInstance,
  { proofs }: BindingSettings
): Promise<ReplayStore> {
  if (proofs?.redisUrl === undefined) return createMemoryReplayStore()
  const { openRedisReplayStore } = await import('../src/state/redis-replay-store.ts')
  return openRedisReplayStore({
    url: proofs.redisUrl,
    onTrouble: (fault) => log.warn({ fault }, 'trouble with Redis')
  })
}

/** Who gets a stored answer would get an old nonce (RFC 9449 section 8.2). */
function keepUncached(
  _request: FastifyRequest,
  reply: FastifyReply,
  payload: unknown,
  done: (error: null, payload: unknown) => void
): void {
  if (reply.hasHeader('dpop-nonce')) reply.header('cache-control', 'no-store')
  done(null, payload)
}

/** RFC 9440 section 2.4. */
function varyByCertificate(reply: FastifyReply): void {
  const vary = reply.getHeader('vary')
  reply.header('vary', vary === undefined ? 'Client-Cert' : `${String(vary)}, Client-Cert`)
}

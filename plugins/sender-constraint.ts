import { isDeepStrictEqual } from 'node:util'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { type BindingJudge, createBindingJudge } from '../src/binding/binding-judge.ts'
import {
  type BindingOptions,
  type BindingSettings,
  checkResolvedBindings,
  readBindingOptions
} from '../src/binding/binding-options.ts'
import { wrongOption } from '../src/config/option-check.ts'
import type { TrustedIssuer } from '../src/issuer/trusted-issuer.ts'
import type { TrustedIssuers } from '../src/issuer/trusted-issuers.ts'
import { createMemoryReplayStore, type ReplayStore } from '../src/state/replay-store.ts'
import type { Algorithm } from '../src/token/algorithms.ts'
import type { Scheme } from '../src/token/authorization.ts'
import type { BindingPolicy } from '../src/token/confirmation.ts'
import type { Guard } from '../src/token/guard.ts'
import type { ProofDenialOptions } from './denials.ts'

/** What the metadata of the API says of bound tokens (RFC 9728 section 2). */
export interface SenderConstraints {
  /** Signature algorithms of DPoP proofs; none if DPoP is off. */
  readonly dpopAlgorithms: readonly Algorithm[]
  /** Whether every token must be bound with DPoP. */
  readonly dpopRequired: boolean
  /** Whether tokens may be bound to a client certificate. */
  readonly mtls: boolean
}

/** How tokens can be sent, and what is said of it, under one list of issuers. */
interface Regime {
  /** undefined if no token is bound to its sender. */
  readonly judge: BindingJudge | undefined
  /** The schemes in which tokens can be sent. */
  readonly schemes: ReadonlySet<Scheme>
  readonly challenge: ProofDenialOptions | undefined
  readonly published: SenderConstraints
}

/** What the plugin is told of bound tokens. */
export interface SenderConstraintOptions extends BindingOptions {
  readonly publicUrl?: string | (() => string) | undefined
}

/** What a later list of issuers may come with; what is not named stays, and undefined takes it away. */
export type LaterBindings = Pick<SenderConstraintOptions, 'dpopProofs' | 'clientCertFrom'>

const unbound: Regime = Object.freeze({
  judge: undefined,
  schemes: new Set<Scheme>(['bearer']),
  challenge: undefined,
  published: Object.freeze({ dpopAlgorithms: [], dpopRequired: false, mtls: false })
})

/** Sees to it that bound tokens are in the right hands, for the issuers of the list that is in force. */
export class SenderConstraint {
  readonly #app: FastifyInstance
  readonly #isOpen: boolean
  /** Whether there is a hook for answers with nonces, which can only be added at the start. */
  readonly #hasNonces: boolean
  #options: SenderConstraintOptions
  #settings: BindingSettings = { proofs: undefined, clientCertFrom: undefined }
  #store: Promise<ReplayStore> | undefined
  #regime = unbound

  /**
   * Prepares what the issuers of the start need.
   * @throws {TypeError} for a wrong option
   */
  constructor(app: FastifyInstance, options: SenderConstraintOptions, issuers: TrustedIssuers) {
    this.#app = app
    this.#options = options
    this.#isOpen = issuers.isOpen
    this.#apply(this.#read(options, issuers.values(), false))
    issuers.admitOnly(({ bindings }) => {
      if (bindings !== undefined) checkResolvedBindings(this.#settings, bindings)
    })
    this.#hasNonces = options.dpopProofs?.nonces === true
    if (this.#hasNonces) app.addHook('onSend', keepUncached)
    app.addHook('onClose', async () => (await this.#store)?.close())
  }

  /** Replaced as a whole, when another list is. */
  get regime(): Regime {
    return this.#regime
  }

  /** Connects to where used proofs are remembered, so that the first proof need not wait for it. */
  async start(): Promise<void> {
    if (this.#settings.proofs !== undefined) await this.#openStore()
  }

  /**
   * Prepares what the issuers of another list need, which is about to take effect.
   * @throws {TypeError} for a wrong option: then nothing has changed
   */
  follow(issuers: readonly TrustedIssuer[], later: LaterBindings = {}): void {
    const { dpopProofs, clientCertFrom } = { ...this.#options, ...later }
    const options = { ...this.#options, dpopProofs, clientCertFrom }
    const settings = this.#read(options, issuers, true)
    if (settings.proofs?.nonces === true && !this.#hasNonces)
      throw wrongOption(
        'dpopProofs.nonces',
        'true',
        'false until a restart, as it was at the start'
      )
    this.#options = options
    if (!isDeepStrictEqual(settings, this.#settings)) this.#apply(settings)
  }

  #read(
    options: SenderConstraintOptions,
    issuers: readonly TrustedIssuer[],
    mayIdle: boolean
  ): BindingSettings {
    return readBindingOptions(options, {
      bindings: bindingsOf(issuers),
      isOpen: this.#isOpen,
      mayIdle,
      publicUrl: options.publicUrl,
      isTlsServer: () => 'setSecureContext' in this.#app.server
    })
  }

  #apply(settings: BindingSettings): void {
    this.#settings = settings
    this.#regime = this.#createRegime(settings)
  }

  #createRegime(settings: BindingSettings): Regime {
    const { proofs, clientCertFrom } = settings
    if (proofs === undefined && clientCertFrom === undefined) return unbound
    const { publicUrl } = this.#options
    const judge = createBindingJudge({
      ...settings,
      store: { take: async (name, until) => (await this.#openStore()).take(name, until) },
      publicUrl: typeof publicUrl === 'function' ? publicUrl : () => publicUrl ?? ''
    })
    return {
      judge,
      schemes: new Set(proofs === undefined ? ['bearer'] : ['bearer', 'dpop']),
      challenge: proofs && { ...proofs, newestNonce: judge.newestNonce },
      published: Object.freeze({
        dpopAlgorithms: proofs?.algorithms ?? [],
        dpopRequired: proofs?.isRequired ?? false,
        mtls: clientCertFrom !== undefined
      })
    }
  }

  #openStore(): Promise<ReplayStore> {
    this.#store ??= openStore(this.#app, this.#options.redisUrl)
    return this.#store
  }
}

/** A route that only bound tokens open would open to nobody. */
export function refuseUnprovable({ senderConstrained }: Guard, { regime }: SenderConstraint): void {
  const { dpopAlgorithms, mtls } = regime.published
  if (!senderConstrained || mtls || dpopAlgorithms.length > 0) return
  const allowed = 'only with the option dpop or mtls of an issuer'
  throw new TypeError(`config.auth.senderConstrained: found true, allowed: ${allowed}`)
}

function bindingsOf(issuers: readonly TrustedIssuer[]): ReadonlyMap<string, BindingPolicy> {
  const off: BindingPolicy = { dpop: 'off', mtls: 'off' }
  return new Map(issuers.map(({ policy }) => [policy.issuer, policy.bindings ?? off]))
}

async function openStore({ log }: FastifyInstance, url: string | undefined): Promise<ReplayStore> {
  if (url === undefined) return createMemoryReplayStore()
  const { openRedisReplayStore } = await import('../src/state/redis-replay-store.ts')
  return openRedisReplayStore({
    url,
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

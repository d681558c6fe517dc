import { isDeepStrictEqual } from 'node:util'
import { LRUCache } from 'lru-cache'
import { silentObserver } from '../observe/observer.ts'
import { IssuerUnavailable } from '../token/verdict.ts'
import { dismiss } from './dismiss.ts'
import { isIdentifierUrl } from './identifier-url.ts'
import { hasPlaceholder } from './issuer-template.ts'
import { check } from '../config/option-check.ts'
import type { IssuerOptions } from './issuer-options.ts'
import { withOwnKeys } from './static-keys.ts'
import {
  createTrustedIssuer,
  type TrustDependencies,
  type TrustedIssuer
} from './trusted-issuer.ts'

/**
 * Says what is trusted of an issuer that is known at run time only; undefined for one that is not trusted. `iss` comes
 * from a token that nobody has verified: look it up, never fetch it. A throw is an outage: requests get 503.
 * @param signal ends when nobody waits for the answer any more
 */
export type ResolveIssuer = (
  iss: string,
  context: { readonly signal: AbortSignal }
) => IssuerOptions | undefined | Promise<IssuerOptions | undefined>

/** What became of asking for an issuer; undefined if it is not trusted. */
export type Resolution = TrustedIssuer | IssuerUnavailable | undefined

/** A {@link Resolution} to wait for, or the news that nobody can be asked now. */
export type Asking = Promise<Resolution> | IssuerUnavailable

/** Issuers that are kept; the one that was not looked up for longest goes first. */
const maxIssuers = 1000
/** Answers "not trusted" and failures that are kept, and octets of a name that is worth asking for. */
const maxRefused = 2000
const maxNameLength = 512
/** Calls of the resolver at a time; a token that needs one more is told to come again. */
const maxCalls = 100
/** Milliseconds that one call may take: with the download of the keys less than the 10 s a request may wait. */
const patience = 4000
/** Milliseconds for which an answer counts: an issuer, one that is not trusted, a failure; one to an issuer's repetition. */
const lifetime = { issuer: 300_000, stranger: 30_000, failure: 5000, again: 30_000 }

interface Resolved {
  readonly options: IssuerOptions
  readonly issuer: TrustedIssuer
  /** Asks again when the answer is old; until then, and while the resolver fails, it counts. */
  timer: NodeJS.Timeout
}

interface Refused {
  readonly resolution: IssuerUnavailable | undefined
  /** Milliseconds since the epoch. */
  readonly until: number
}

/**
 * The issuers that a function resolves at run time. Bounded whatever tokens name: one call for an issuer at a time, a
 * hundred for all of them, answers remembered, the good ones apart from the others so that made-up names push out nothing.
 */
export class ResolvedIssuers {
  readonly #resolve: ResolveIssuer
  readonly #dependencies: TrustDependencies
  readonly #issuers = new LRUCache<string, Resolved>({
    max: maxIssuers,
    dispose: ({ issuer, timer }) => {
      clearTimeout(timer)
      dismiss(issuer)
    }
  })
  readonly #refused = new LRUCache<string, Refused>({ max: maxRefused })
  readonly #running = new Map<string, Promise<Resolution>>()
  #closed = false

  constructor(resolve: ResolveIssuer, dependencies: TrustDependencies) {
    this.#resolve = resolve
    this.#dependencies = dependencies
  }

  /** The issuer of exactly this name, if it was resolved. */
  find(iss: string): TrustedIssuer | undefined {
    return this.#issuers.get(iss)?.issuer
  }

  /** Resolves an issuer; undefined if it is known not to be trusted. */
  ask(iss: string): Asking | undefined {
    const running = this.#running.get(iss)
    if (running !== undefined) return running
    const kept = this.#refused.get(iss)
    if (kept !== undefined && this.#now() < kept.until) return kept.resolution
    if (iss.length > maxNameLength || !isIdentifierUrl(iss) || hasPlaceholder(iss)) return undefined
    if (this.#closed || this.#running.size >= maxCalls) return new IssuerUnavailable(iss, 1)
    return this.#call(iss)
  }

  /** Takes out the issuers that meet the condition; the resolver is asked again for the next token of one. */
  forgetAll(isToGo: (iss: string, issuer: TrustedIssuer) => boolean): void {
    const gone = [...this.#issuers].filter(([iss, { issuer }]) => isToGo(iss, issuer))
    for (const [iss] of gone) this.#issuers.delete(iss)
  }

  /** Stops asking, and ends all connections. */
  async close(): Promise<void> {
    this.#closed = true
    const resolved = [...this.#issuers.values()]
    for (const { timer } of resolved) clearTimeout(timer)
    await Promise.all(resolved.map(({ issuer }) => issuer.close()))
  }

  #call(iss: string): Promise<Resolution> {
    const calling = this.#answer(iss).finally(() => this.#running.delete(iss))
    this.#running.set(iss, calling)
    return calling
  }

  async #answer(iss: string): Promise<Resolution> {
    let options: IssuerOptions | undefined
    try {
      options = await this.#ask(iss)
      if (options === undefined) return this.#refuse(iss)
      return this.#accept(iss, options)
    } catch (cause) {
      return this.#fail(iss, options, cause)
    }
  }

  async #ask(iss: string): Promise<IssuerOptions | undefined> {
    const controller = new AbortController()
    let timer: NodeJS.Timeout | undefined
    const tooLate = new Promise<never>((_resolve, reject) => {
      timer = setTimeout(() => {
        reject(new Error(`no answer within ${patience} ms`))
        controller.abort()
      }, patience)
    })
    try {
      return await Promise.race([this.#resolve(iss, { signal: controller.signal }), tooLate])
    } finally {
      clearTimeout(timer)
    }
  }

  #refuse(iss: string): undefined {
    this.#issuers.delete(iss)
    this.#refused.set(iss, { resolution: undefined, until: this.#now() + lifetime.stranger })
    return undefined
  }

  #accept(iss: string, options: IssuerOptions): TrustedIssuer {
    const known = this.#issuers.get(iss)
    if (known !== undefined && isDeepStrictEqual(known.options, options)) {
      known.timer = this.#askAgain(iss, lifetime.issuer)
      return known.issuer
    }
    const issuer = this.#create(iss, options)
    if (known !== undefined) issuer.keySet.succeed(known.issuer.keySet)
    const timer = this.#askAgain(iss, lifetime.issuer)
    this.#issuers.set(iss, { options: { ...withOwnKeys(options) }, issuer, timer })
    return issuer
  }

  #create(iss: string, options: IssuerOptions): TrustedIssuer {
    check(options.issuer === iss, 'issuer', options.issuer, JSON.stringify(iss))
    const isJwt = options.tokens?.includes('opaque') !== true
    check(isJwt, 'tokens', options.tokens, 'jwt alone, as others do not say whose they are')
    const { securityEvents: events } = options
    check(
      events === undefined,
      'securityEvents',
      events,
      'none, as events do not say whose they are'
    )
    return createTrustedIssuer({ ...options, required: false }, this.#dependencies)
  }

  /** An issuer that was resolved before stays as it was. The name of another is told only if the resolver knew it. */
  #fail(iss: string, options: IssuerOptions | undefined, cause: unknown): IssuerUnavailable {
    const { observer = silentObserver } = this.#dependencies
    const known = this.#issuers.get(iss)
    const issuer = known || options ? iss : 'not resolved'
    observer.issuerTrouble({ issuer, doing: 'resolving an issuer', cause })
    const resolution = new IssuerUnavailable(iss, lifetime.failure / 1000)
    if (known === undefined)
      this.#refused.set(iss, { resolution, until: this.#now() + lifetime.failure })
    else known.timer = this.#askAgain(iss, lifetime.again)
    return resolution
  }

  #askAgain(iss: string, delay: number): NodeJS.Timeout {
    return setTimeout(() => void this.#call(iss), delay).unref()
  }

  #now(): number {
    return (this.#dependencies.clock ?? Date.now)()
  }
}

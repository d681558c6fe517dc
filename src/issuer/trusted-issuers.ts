import { createStatusListMemory } from '../revocation/token-status.ts'
import type { TokenEncryption } from '../token/encrypted-tokens.ts'
import type { Verifier } from '../token/verdict.ts'
import { dismiss } from './dismiss.ts'
import { eachOf } from './each-of.ts'
import { createIssuerList, type IssuerList } from './issuer-list.ts'
import { check } from '../config/option-check.ts'
import { type Asking, ResolvedIssuers, type ResolveIssuer } from './resolved-issuers.ts'
import type { IssuerOptions } from './issuer-options.ts'
import type { TrustDependencies, TrustedIssuer } from './trusted-issuer.ts'

/** What the trusted issuers of an API work with. */
export interface TrustedIssuersOptions extends TrustDependencies {
  /** Finds issuers that are known at run time only. Default: there are none. */
  readonly resolve?: ResolveIssuer | undefined
}

/** Judges an issuer by what the API can do. @throws {TypeError} that names its option */
type AdmitIssuer = NonNullable<TrustDependencies['admit']>

/** What another list of issuers changed, by their identifiers. */
export interface IssuerChanges {
  readonly added: readonly string[]
  readonly removed: readonly string[]
  readonly changed: readonly string[]
}

/** Issuers whose key sets are read at a time. */
const atATime = 20

/**
 * Makes the trusted issuers of an API; nothing is fetched.
 * @throws {TypeError} that names the issuer and its option, what was found and what is allowed
 */
export function createTrustedIssuers(
  list: readonly IssuerOptions[],
  options: TrustedIssuersOptions
): TrustedIssuers {
  return new TrustedIssuers(list, options)
}

/**
 * The trusted issuers of an API, found by exact `iss`: a list that can be replaced, and beside it those that are
 * resolved at run time. What an issuer costs, connections, keys and timers, begins with its use.
 */
class TrustedIssuers {
  readonly #options: TrustedIssuersOptions
  readonly #resolved: ResolvedIssuers | undefined
  #admit: AdmitIssuer = () => undefined
  #list: IssuerList

  constructor(list: readonly IssuerOptions[], options: TrustedIssuersOptions) {
    const { resolve } = options
    const isFunction = resolve === undefined || typeof resolve === 'function'
    check(isFunction, 'resolveIssuer', resolve, 'a function')
    this.#options = { statusLists: createStatusListMemory(), ...options }
    this.#list = this.#read(list)
    const admit: AdmitIssuer = (policy) => this.#admit(policy)
    this.#resolved = resolve && new ResolvedIssuers(resolve, { ...this.#options, admit })
  }

  /**
   * The issuer of tokens with exactly this `iss`, as far as it is known by now. What an unverified token says there may
   * be anything, also what can't be turned into text.
   */
  get(iss: unknown): TrustedIssuer | undefined {
    if (typeof iss !== 'string') return undefined
    return findListed(this.#list, iss) ?? this.#resolved?.find(iss)
  }

  /**
   * Asks for an issuer that {@link TrustedIssuers.get} does not know; undefined if it is not trusted. What a list says
   * that came meanwhile counts more than the answer.
   */
  resolve(iss: unknown): Asking | undefined {
    if (typeof iss !== 'string') return undefined
    const asking = this.#resolved?.ask(iss)
    if (!(asking instanceof Promise)) return asking
    return asking.then((found) => findListed(this.#list, iss) ?? found)
  }

  /** Has issuers that are resolved judged by what the API is set up for. */
  admitOnly(admit: AdmitIssuer): void {
    this.#admit = admit
  }

  /** The issuers of the list. */
  values(): readonly TrustedIssuer[] {
    return this.#list.issuers
  }

  /** Whether issuers may come to be trusted that are not in the list. */
  get isOpen(): boolean {
    return this.#resolved !== undefined
  }

  /** The identifiers that clients are told (RFC 9728 section 2). */
  get advertised(): readonly string[] {
    return this.#list.advertised
  }

  /** What judges tokens that say nothing of their issuer; undefined if no issuer has such tokens. */
  get opaqueTokens(): Verifier | undefined {
    return this.#list.opaqueTokens
  }

  /** The different keys that issuers of the list encrypt their tokens to. */
  get encryptionKeys(): readonly TokenEncryption[] {
    return this.#list.encryptionKeys
  }

  /** Whether the keys of every required issuer were read and can be used. */
  get isReady(): boolean {
    return this.#list.required.every(({ keySet }) => keySet.isUsable)
  }

  /** Takes up the kept keys of the required issuers, and begins to download them without waiting for it. */
  async start(): Promise<void> {
    await begin(this.#list.required)
  }

  /**
   * Trusts the issuers of another list from now on. Those that stay the same keep their keys and verified tokens, those
   * that changed keep their keys, and the tokens of those that are gone count no more.
   * @param prepare gets the new issuers before they take effect; default: nothing else has to know
   * @throws {TypeError} as {@link createTrustedIssuers}, and what `prepare` throws: then nothing has changed
   */
  replace(
    options: readonly IssuerOptions[],
    prepare: (issuers: readonly TrustedIssuer[]) => void = () => undefined
  ): IssuerChanges {
    const before = this.#list
    const list = this.#read(options)
    prepare(list.issuers)
    for (const [name, { issuer }] of list.entries) {
      const old = before.entries.get(name)?.issuer
      if (old !== undefined && old !== issuer) issuer.keySet.succeed(old.keySet)
    }
    this.#list = list
    const kept = new Set(list.issuers)
    for (const issuer of before.issuers) if (!kept.has(issuer)) dismiss(issuer)
    this.#resolved?.forgetAll(
      (iss, issuer) => findListed(list, iss) !== undefined || !this.#isAdmitted(issuer)
    )
    const known = new Set(before.issuers)
    void begin(list.issuers.filter((issuer) => !known.has(issuer) && isToBegin(issuer)))
    return compare(before, list)
  }

  /** Stops downloading and ends all connections. */
  async close(): Promise<void> {
    const { issuers } = this.#list
    await Promise.all([this.#resolved?.close(), ...issuers.map((issuer) => issuer.close())])
  }

  #isAdmitted({ policy }: TrustedIssuer): boolean {
    try {
      this.#admit(policy)
      return true
    } catch {
      return false
    }
  }

  #read(options: readonly IssuerOptions[]): IssuerList {
    const isList = Array.isArray(options) && (options.length > 0 || this.#options.resolve)
    check(Boolean(isList), 'issuers', options, 'a list of one or more issuers')
    return createIssuerList(options, this.#options, this.#list)
  }
}

export type { TrustedIssuers }

function findListed({ byIss, templates }: IssuerList, iss: string): TrustedIssuer | undefined {
  const issuer = byIss.get(iss)
  if (issuer !== undefined) return issuer
  for (const find of templates) {
    const tenant = find(iss)
    if (tenant !== undefined) return tenant
  }
  return undefined
}

async function begin(issuers: readonly TrustedIssuer[]): Promise<void> {
  await eachOf(issuers, atATime, ({ keySet }) => keySet.restore())
  void eachOf(issuers, atATime, ({ keySet }) => keySet.refresh())
}

/** One that has taken over keys is in use, and they have to be kept fresh. */
function isToBegin({ required, keySet }: TrustedIssuer): boolean {
  return required || keySet.metadata !== undefined
}

function compare({ entries: before }: IssuerList, { entries: after }: IssuerList): IssuerChanges {
  const names = [...after.keys()]
  return {
    added: names.filter((name) => !before.has(name)),
    removed: [...before.keys()].filter((name) => !after.has(name)),
    changed: names.filter((name) => before.has(name) && before.get(name) !== after.get(name))
  }
}

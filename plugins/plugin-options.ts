import type { FastifyRequest, RegisterOptions } from 'fastify'
import type { BindingOptions } from '../src/binding/binding-options.ts'
import type { KeySetStore } from '../src/issuer/key-set.ts'
import type { ResolveIssuer } from '../src/issuer/resolved-issuers.ts'
import type { IssuerOptions } from '../src/issuer/issuer-options.ts'
import type { ScopeImplications } from '../src/token/scope-hierarchy.ts'
import type { DenialOptions } from './denials.ts'
import type { RevocationOptions } from './revocation.ts'
import type { Guard, GuardDeclaration } from '../src/token/guard.ts'
import type { Principal } from '../src/token/principal.ts'

/** What is said of an API whatever its issuers. */
export interface SharedOptions extends BindingOptions, RevocationOptions {
  /** Name of the protection space in challenges. Default `api`. */
  readonly realm?: string | undefined
  /** URL of this API as clients see it: the RFC 9728 `resource`. Set, it puts `resource_metadata` into challenges. */
  readonly publicUrl?: string | (() => string) | undefined
  /** Called with each refusal and why, as the log says it: for counting. It must not throw: that would be a 500. */
  readonly onRefusal?: DenialOptions['onRefusal']
  /**
   * Awaited before a token is verified that is not known to be good; what it throws is the answer. For limits on failed
   * authentication, which {@link SharedOptions.onRefusal} counts. Default: nothing is waited for.
   */
  readonly beforeVerification?: ((request: FastifyRequest) => Promise<void>) | undefined
  /** Scopes that imply others, and these again others: `{ 'notes:admin': ['notes:read', 'notes:write'] }`. */
  readonly scopeImplies?: ScopeImplications | undefined
  /** Keeps the last good key set of each issuer over restarts. Default: nothing is kept. */
  readonly keySetStore?: KeySetStore | undefined
  /** Finds issuers that are known at run time only, beside those of the options. Default: there are none. */
  readonly resolveIssuer?: ResolveIssuer | undefined
}

/** Options of the plugin: one issuer by itself, or a list of them. */
export type LatchkeyOptions = SharedOptions &
  (IssuerOptions | { readonly issuers: readonly IssuerOptions[] })

declare module 'fastify' {
  interface FastifyRequest {
    /**
     * The verified caller. Present on guarded routes; null at run time where the route says `auth: false`, and for a
     * request without credentials where it says `optional`.
     */
    principal: Principal
  }
  interface FastifyContextConfig {
    /** What the route demands: nothing said, any valid token; `false`, nothing at all. */
    auth?: false | GuardDeclaration
    [guardKey]?: Guard | null
  }
}

/** Where the checked declaration of a route is kept; a public route has `null`. */
export const guardKey: unique symbol = Symbol('latchkey.guard')

/** What Fastify and the plugin itself read of the options; all else is about issuers. */
const sharedOptions: Readonly<Record<keyof SharedOptions | keyof RegisterOptions, true>> = {
  realm: true,
  publicUrl: true,
  onRefusal: true,
  beforeVerification: true,
  keySetStore: true,
  scopeImplies: true,
  dpopProofs: true,
  clientCertFrom: true,
  redisUrl: true,
  revocationStore: true,
  maxTokenLifetime: true,
  resolveIssuer: true,
  prefix: true,
  logLevel: true,
  logSerializers: true
}

/**
 * The issuers that options name.
 * @throws {TypeError} for an option beside `issuers` that is an issuer's own
 */
export function issuersOf(options: LatchkeyOptions): readonly IssuerOptions[] {
  const own = Object.entries(options).filter(
    ([name, value]) => value !== undefined && !Object.hasOwn(sharedOptions, name)
  )
  if (!('issuers' in options)) return [Object.fromEntries(own) as unknown as IssuerOptions]
  const [beside] = own.find(([name]) => name !== 'issuers') ?? []
  if (beside === undefined) return options.issuers
  throw new TypeError(`${beside}: found beside issuers, allowed: inside each of them`)
}

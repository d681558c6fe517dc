import type { FastifyRequest } from 'fastify'
import type { KeySetState } from '../src/issuer/key-set.ts'
import type { IssuerOptions } from '../src/issuer/issuer-options.ts'
import type { IssuerChanges, TrustedIssuers } from '../src/issuer/trusted-issuers.ts'
import type { UserInfoClaims } from '../src/issuer/userinfo-answer.ts'
import type { Mark } from '../src/revocation/mark.ts'
import type { Revocations } from '../src/revocation/revocations.ts'
import type { RevocationTarget } from '../src/revocation/target.ts'
import type { Denials } from './denials.ts'
import type { LaterBindings, SenderConstraint, SenderConstraints } from './sender-constraint.ts'
import { readUserInfo } from './read-user-info.ts'

/** What the plugin adds to the instance it is registered in. */
export interface Latchkey {
  /** The identifiers of the trusted issuers that clients are told: of more than 100 only the required ones. */
  readonly issuers: readonly string[]
  /**
   * Trusts the issuers of another list from now on. Those that stay the same keep their keys and verified tokens; the
   * tokens of those that are gone are refused at once.
   * @param bindings options about bound tokens that change with it; those that are not named stay
   * @throws {TypeError} for a wrong option: then nothing has changed
   */
  replaceIssuers(issuers: readonly IssuerOptions[], bindings?: LaterBindings): IssuerChanges
  /** The scopes that the guards of all routes name, sorted. */
  scopes(): readonly string[]
  /** The types of authorization details that the guards of all routes name, sorted (RFC 9396). */
  authorizationDetailsTypes(): readonly string[]
  /** What the API says of tokens that are bound to their sender. */
  readonly senderConstraints: SenderConstraints
  /** Whether the keys of every required issuer were read and can be used. */
  isReady(): boolean
  /** The state of the keys of each issuer of the list. */
  keySets(): readonly KeySetState[]
  /**
   * The UserInfo of the caller of a guarded request (OpenID Connect Core 1.0 section 5.3), from where the issuer's
   * `userinfo` option says.
   * @throws {ProblemError} if the issuer can not be asked or gives no usable answer
   * @throws {TypeError} where `request.principal` is null
   */
  readUserInfo(request: FastifyRequest): Promise<UserInfoClaims>
  /**
   * Refuses access tokens before they expire: here once it settles, elsewhere within a second.
   * @throws {ProblemError} `validation-failed` for a wrong target
   * @throws {TypeError} without the option `revocationStore`
   */
  revoke(target: RevocationTarget): Promise<Mark>
  /** Takes what issuers tell of ended sessions; undefined without the option `revocationStore`. */
  readonly revocations: Revocations | undefined
}

declare module 'fastify' {
  interface FastifyInstance {
    latchkey: Latchkey
  }
}

/** What the guards of all routes name, and what else the plugin offers. */
export interface Offered {
  readonly revocations: Revocations | undefined
  readonly scopes: ReadonlySet<string>
  readonly detailsTypes: ReadonlySet<string>
  readonly constraint: SenderConstraint
}

/** Makes what the instance is decorated with. */
export function createLatchkey(
  issuers: TrustedIssuers,
  denials: Denials,
  { scopes, detailsTypes, constraint, revocations }: Offered
): Latchkey {
  return {
    get issuers() {
      return issuers.advertised
    },
    replaceIssuers: (list, bindings) =>
      issuers.replace(list, (trusted) => constraint.follow(trusted, bindings)),
    scopes: () => [...scopes].sort(),
    authorizationDetailsTypes: () => [...detailsTypes].sort(),
    get senderConstraints() {
      return constraint.regime.published
    },
    isReady: () => issuers.isReady,
    keySets: () => issuers.values().map(({ keySet }) => keySet.state),
    readUserInfo: (request) => readUserInfo(request, issuers, denials),
    async revoke(target) {
      if (revocations !== undefined) return revocations.revoke(target)
      throw new TypeError('revocationStore: found nothing, allowed: a store, to revoke tokens')
    },
    revocations
  }
}

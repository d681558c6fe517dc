import type { Principal } from './principal.ts'
import { RecurringTokens } from './recurring-tokens.ts'
import type { IsRevoked } from './revoked-tokens.ts'

/** What keeps a verified token alive: the key that signed it, as long as it counts. */
export interface VerifyingKey {
  /** Until when the key counts, in milliseconds since the epoch; 0 once it is withdrawn. */
  readonly validUntil: number
}

interface Verified {
  readonly principal: Principal
  /** Milliseconds since the epoch. */
  readonly expiresAt: number
  readonly key: VerifyingKey
}

/** The access tokens that were verified and are seen again, 20,000 at most. */
export class VerifiedTokens {
  readonly #tokens = new RecurringTokens<Verified>(10_000)

  /**
   * The principal of a token that was verified before, compared as a whole; undefined if it is new, out of time, or
   * signed by a key that no longer counts.
   * @param now milliseconds since the epoch
   */
  find(token: string, now: number): Principal | undefined {
    const verified = this.#tokens.find(token)
    if (verified === undefined) return undefined
    return now < verified.expiresAt && now < verified.key.validUntil
      ? verified.principal
      : undefined
  }

  /** Remembers a verified token until `expiresAt` (milliseconds since the epoch) if this is not its first sight. */
  remember(token: string, principal: Principal, expiresAt: number, key: VerifyingKey): void {
    this.#tokens.keep(token, { principal, expiresAt, key })
  }

  /** Forgets the tokens that were revoked. */
  forget(isRevoked: IsRevoked): void {
    this.#tokens.drop(({ principal }) => isRevoked(principal))
  }
}

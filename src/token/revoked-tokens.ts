import type { Principal } from './principal.ts'

/** Tells of a principal whether its token was revoked. */
export type IsRevoked = (principal: Principal) => boolean

/**
 * What is known of revoked tokens. Asked when a verified JWT would be remembered, and only then: what remembers them
 * listens, for as long as the API runs, and drops those that are revoked later. So one that is known costs no check.
 */
export interface RevokedTokens {
  readonly covers: IsRevoked
  /** Calls the listener whenever tokens are revoked, with what tells those that are newly so. */
  onRevoked(listener: (isNewlyRevoked: IsRevoked) => void): void
}

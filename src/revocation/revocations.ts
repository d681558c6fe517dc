import type { TrustedIssuers } from '../issuer/trusted-issuers.ts'
import { readLogoutToken } from './logout-token.ts'
import type { Mark } from './mark.ts'
import type { RevocationList } from './revocation-list.ts'
import { readSecurityEvent, type SecurityEvent } from './security-event.ts'
import { markOf, type RevocationTarget } from './target.ts'

/** Ends access tokens before they expire. Each call settles when its marks are kept and count in this instance. */
export interface Revocations {
  /** Whether what other instances revoked can not have been missed for longer than ten seconds. */
  readonly isCurrent: boolean
  /** Whether an issuer says whose logout tokens are accepted, or one that is resolved may. */
  readonly acceptsLogoutTokens: boolean
  /** Whether an issuer says whose security events are accepted. */
  readonly acceptsSecurityEvents: boolean
  /**
   * Revokes what the target names.
   * @throws {ProblemError} `validation-failed` for a target that is none
   */
  revoke(target: RevocationTarget): Promise<Mark>
  /** Takes a logout token, as it came. @throws {StatementRefusedError} @throws {ProblemError} */
  receiveLogoutToken(text: string): Promise<readonly Mark[]>
  /** Takes a security event token, as it came. @throws {StatementRefusedError} @throws {ProblemError} */
  receiveSecurityEvent(text: string): Promise<SecurityEvent>
}

/** Brings together who may end tokens and what is known of ended ones. */
export function createRevocations(
  list: RevocationList,
  issuers: TrustedIssuers,
  clock: () => number = Date.now
): Revocations {
  const settings = () => [...issuers.values()].map(({ revocation }) => revocation)
  return {
    get isCurrent() {
      return list.isCurrent
    },
    get acceptsLogoutTokens() {
      return (
        issuers.isOpen || settings().some(({ logoutClientIds }) => logoutClientIds !== undefined)
      )
    },
    get acceptsSecurityEvents() {
      return settings().some(({ events }) => events !== undefined)
    },
    async revoke(target) {
      const mark = markOf(target, issuers, clock() / 1000)
      await list.add(mark)
      return mark
    },
    async receiveLogoutToken(text) {
      const marks = await readLogoutToken(text, issuers, clock() / 1000)
      await list.add(...marks)
      return marks
    },
    async receiveSecurityEvent(text) {
      const event = await readSecurityEvent(text, issuers, clock() / 1000)
      await list.add(...event.marks)
      return event
    }
  }
}

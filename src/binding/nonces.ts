import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto'

/** The nonces that proofs must hold (RFC 9449 section 9). */
export interface Nonces {
  /** The newest nonce, which a client uses until it is given another. */
  readonly current: () => string
  /** Until when a nonce counts, in milliseconds since the epoch; undefined if it does not, or never was one. */
  readonly validUntil: (nonce: string) => number | undefined
}

/** Milliseconds for which one nonce is the current one. */
const slotLength = 60_000

/**
 * Makes nonces without storing any: each is a MAC over a minute, so that instances with one secret know each other's.
 * That of the last minute counts as well, and that of the next: the clock of another instance may be ahead.
 * @param secret default: one of this process alone
 * @param clock milliseconds since the epoch
 */
export function createNonces(secret: string | undefined, clock: () => number = Date.now): Nonces {
  const key = secret ?? randomBytes(32)
  const made = { slot: -1, nonce: '' }

  const nonceOf = (slot: number): string =>
    createHmac('sha256', key).update(`latchkey dpop nonce ${slot}`).digest('base64url')
  const slotNow = () => Math.floor(clock() / slotLength)

  return {
    current() {
      const slot = slotNow()
      if (slot !== made.slot) Object.assign(made, { slot, nonce: nonceOf(slot) })
      return made.nonce
    },
    validUntil(nonce) {
      const now = slotNow()
      const slot = [now, now - 1, now + 1].find((slot) => isEqual(nonceOf(slot), nonce))
      return slot === undefined ? undefined : (slot + 2) * slotLength
    }
  }
}

function isEqual(expected: string, found: string): boolean {
  const [a, b] = [Buffer.from(expected), Buffer.from(found)]
  return a.length === b.length && timingSafeEqual(a, b)
}

import { createHmac, timingSafeEqual } from 'node:crypto'

/**
 * Writes and reads cursors: positions in a list that clients hand back, opaque and signed
 * (HMAC-SHA256). The signature covers the list they belong to, so a cursor is good for that one only.
 */
export interface Cursors {
  seal(list: readonly string[], position: readonly number[]): string
  /** The position, or undefined if this cursor was not made by `seal` for this very list. */
  open(list: readonly string[], cursor: string): readonly number[] | undefined
}

/** Makes {@link Cursors} that sign with `secret`. */
export function createCursors(secret: string): Cursors {
  const seal: Cursors['seal'] = (list, position) => {
    const text = position.join('.')
    const signature = createHmac('sha256', secret).update(JSON.stringify([list, text]))
    return Buffer.from(`${text}.${signature.digest('base64url')}`).toString('base64url')
  }
  return {
    seal,
    open(list, cursor) {
      const parts = Buffer.from(cursor, 'base64url').toString().split('.')
      const position = parts.slice(0, -1).map(Number)
      return isSame(seal(list, position), cursor) ? position : undefined
    }
  }
}

/** Compares the texts and not what they decode to: a cursor has exactly one spelling. */
function isSame(expected: string, given: string): boolean {
  const left = Buffer.from(expected)
  const right = Buffer.from(given)
  return left.length === right.length && timingSafeEqual(left, right)
}

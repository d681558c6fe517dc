import type { Mark } from './mark.ts'

/**
 * Puts marks that are too old, or too many, into one mark for each issuer: all its tokens that were issued up to the
 * last of their times. To forget them instead would make tokens good again that live longer than marks are kept.
 * @param oldest seconds since the epoch: marks of before are too old
 * @param most if there are more, a tenth of them goes, the oldest first
 */
export function foldedMarks(marks: readonly Mark[], oldest: number, most: number): readonly Mark[] {
  const cut = Math.max(oldest, timeOfSurplus(marks, most))
  const lastOf = new Map<string, number>()
  for (const { issuer, issuedUntil } of marks) {
    if (issuedUntil >= cut) continue
    lastOf.set(issuer, Math.max(issuedUntil, lastOf.get(issuer) ?? issuedUntil))
  }
  return [...lastOf].map(([issuer, issuedUntil]) => ({
    kind: 'all',
    issuer,
    value: '',
    issuedUntil
  }))
}

/** Before this time enough marks were made; before no time if there is room for all. */
function timeOfSurplus(marks: readonly Mark[], most: number): number {
  if (marks.length <= most) return Number.NEGATIVE_INFINITY
  const times = marks.map(({ issuedUntil }) => issuedUntil).sort((a, b) => a - b)
  const surplus = marks.length - Math.floor(most * 0.9)
  // the marks of that second go as well: they may be all there are
  return (times[surplus - 1] ?? 0) + 1
}

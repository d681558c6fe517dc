import { ConfigError } from './error.ts'

/** The refusal of a name that is no setting; names the closest one when the two are alike. */
export function unknownSetting(name: string, known: readonly string[], label = name): ConfigError {
  const word = name.toLowerCase()
  const [closest] = known
    .map((candidate) => ({ candidate, distance: editDistance(word, candidate.toLowerCase()) }))
    .filter(({ distance }) => distance <= Math.max(2, name.length / 3))
    .sort((a, b) => a.distance - b.distance)
  const hint = closest === undefined ? '' : ` (did you mean ${closest.candidate}?)`
  return new ConfigError(label, 'an unknown setting', known.join(', ') + hint)
}

/** Levenshtein distance, one row at a time. */
function editDistance(from: string, to: string): number {
  let row = Array.from({ length: to.length + 1 }, (_, column) => column)
  for (const [index, letter] of from.split('').entries()) {
    const next = [index + 1]
    for (const [column, other] of to.split('').entries()) {
      const replaced = (row[column] ?? 0) + (letter === other ? 0 : 1)
      next.push(Math.min(replaced, (row[column + 1] ?? 0) + 1, (next[column] ?? 0) + 1))
    }
    row = next
  }
  return row.at(-1) ?? 0
}

/** One scope value (RFC 6749 section 3.3): printable ASCII without space, quote and backslash. */
const scopeToken = /^[\x21\x23-\x5B\x5D-\x7E]+$/

/** Whether a value is a well-formed scope. */
export function isScope(value: unknown): value is string {
  return typeof value === 'string' && scopeToken.test(value)
}

const noScopes: readonly string[] = Object.freeze([])

/**
 * The scopes that claims grant: `scope` (RFC 8693 section 4.2), else `scp`, each a string or an array of strings.
 * Any other form grants nothing. Scopes are compared exactly; order has no meaning.
 */
export function grantedScopes(claims: Readonly<Record<string, unknown>>): readonly string[] {
  const value = claims['scope'] ?? claims['scp']
  if (typeof value === 'string') return distinct(value.split(' '))
  if (Array.isArray(value) && value.every((entry) => typeof entry === 'string'))
    return distinct(value)
  return noScopes
}

/** So many values are told apart faster by comparing than by hashing; few tokens have more. */
const few = 50

function distinct(values: readonly string[]): readonly string[] {
  if (values.length > few)
    return Object.freeze([...new Set(values)].filter((value) => value !== ''))
  return Object.freeze(
    values.filter((value, index) => value !== '' && values.indexOf(value) === index)
  )
}

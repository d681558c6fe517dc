import { LRUCache } from 'lru-cache'
import { claimAt, type ClaimPath } from './roles.ts'

/** One scope value (RFC 6749 section 3.3): printable ASCII without space, quote and backslash. */
const scopeToken = /^[\x21\x23-\x5B\x5D-\x7E]+$/

/** Whether a value is a well-formed scope. */
export function isScope(value: unknown): value is string {
  return typeof value === 'string' && scopeToken.test(value)
}

/**
 * The scopes that an issuer puts into claims of its own choice: those of all paths. A claim is a string, split by
 * spaces, or an array of strings; any other form grants nothing.
 */
export function scopesAt(
  claims: Readonly<Record<string, unknown>>,
  paths: readonly ClaimPath[]
): readonly string[] {
  return distinct(paths.flatMap((path) => scopesIn(claimAt(claims, path))))
}

const noScopes: readonly string[] = Object.freeze([])

/** Lists by the text they were read from: most tokens of an API have one of a few, and share it then. */
const known = new LRUCache<string, readonly string[]>({ max: 1000 })
/** Longest text, in characters, for which a list is kept. */
const maxKnownLength = 500

/**
 * The scopes that claims grant: `scope` (RFC 8693 section 4.2), else `scp`, each a string or an array of strings.
 * Any other form grants nothing. Scopes are compared exactly; order has no meaning.
 */
export function grantedScopes(claims: Readonly<Record<string, unknown>>): readonly string[] {
  const granted = claims['scope'] ?? claims['scp']
  if (typeof granted !== 'string' || granted.length > maxKnownLength)
    return distinct(scopesIn(granted))
  let scopes = known.get(granted)
  if (scopes === undefined) known.set(granted, (scopes = distinct(granted.split(' '))))
  return scopes
}

function scopesIn(value: unknown): readonly string[] {
  if (typeof value === 'string') return value.split(' ')
  if (Array.isArray(value) && value.every((entry) => typeof entry === 'string')) return value
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

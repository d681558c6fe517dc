import buildGetJwks from 'get-jwks'
import type { Algorithm } from '../token/algorithms.ts'
import type { SigningKey } from './signing-key.ts'

/** Entries of a key set that are looked at; a larger set is refused. */
export const maxKeys = 100

/** Finds the only key of a set that fits; undefined if there is none, or if several fit. */
export type KeyFinder = (algorithm: Algorithm, keyId: string | undefined) => SigningKey | undefined

/** What a token without a key id is looked up by; a real key id is never empty. */
const withoutKeyId = ''

/**
 * Gives a whole key set to get-jwks, which keeps and finds the keys (RFC 7517 section 4.5: by kid, told apart by
 * alg). It never downloads: its own downloads have no limit in time, size or number. Each set gets a store of its own,
 * so that nothing of a withdrawn key survives in its caches.
 */
export function createKeyStore(issuer: string, keys: readonly SigningKey[]): KeyFinder {
  const listings = unambiguous(keys)
  const { cache, generateCacheKey } = buildGetJwks({
    issuersWhitelist: [issuer],
    // exactly what is put in, since it takes the memory for all of it at once
    max: listings.length,
    ttl: Number.MAX_SAFE_INTEGER
  })
  const entryOf = (algorithm: string, keyId: string): string =>
    generateCacheKey(algorithm, keyId, issuer)

  const keyIds = new Set<string>()
  for (const { algorithm, keyId, key } of listings) {
    keyIds.add(keyId)
    cache.set(entryOf(algorithm, keyId), { domain: issuer, alg: algorithm, kid: keyId, key })
  }
  return (algorithm, keyId = withoutKeyId) =>
    // strangers send key ids without end: most are told without writing a name for them
    keyIds.has(keyId) ? cache.get(entryOf(algorithm, keyId))?.['key'] : undefined
}

interface Listing {
  readonly algorithm: Algorithm
  readonly keyId: string
  readonly key: SigningKey
}

function unambiguous(keys: readonly SigningKey[]): Listing[] {
  const listings = keys.flatMap(listingsOf)
  const first = new Map(listings.map((listing) => [nameOf(listing), listing]))
  const ambiguous = new Set(
    listings.filter((one) => !isSameKey(one, first.get(nameOf(one)))).map(nameOf)
  )
  return listings.filter((listing) => !ambiguous.has(nameOf(listing)))
}

/** One key that is listed twice, once with a certificate for example, is still one key. */
function isSameKey({ key }: Listing, other: Listing | undefined): boolean {
  return other?.key.spki === key.spki
}

function nameOf({ algorithm, keyId }: Listing): string {
  return `${algorithm} ${keyId}`
}

function listingsOf(key: SigningKey): Listing[] {
  const keyIds = key.keyId === undefined ? [withoutKeyId] : [key.keyId, withoutKeyId]
  return key.algorithms.flatMap((algorithm) => keyIds.map((keyId) => ({ algorithm, keyId, key })))
}

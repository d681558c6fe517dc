import type { Algorithm } from '../token/algorithms.ts'
import type { KeySet } from './key-set.ts'
import type { SigningKey } from './signing-key.ts'

/** What a header says of the key it was signed with. */
export interface NamedKey {
  readonly algorithm: Algorithm
  readonly keyId: string | undefined
}

/**
 * Finds a key, after the downloads that an unknown one may cause: one that runs already, then one of its own.
 * @param issuer whom the key must sign for, where tenants share the set; default: the set's own
 * @returns undefined if there is no such key; whether the issuer could be asked, {@link KeySet.isFailing} says
 */
export async function findKey(
  keySet: KeySet,
  { algorithm, keyId }: NamedKey,
  issuer?: string
): Promise<SigningKey | undefined> {
  for (let round = 0; round < 2; round++) {
    const key = keySet.find(algorithm, keyId, issuer)
    if (key !== undefined) return key
    await keySet.refreshForUnknownKey()
  }
  return keySet.find(algorithm, keyId, issuer)
}

import type { Observer } from '../observe/observer.ts'
import { createPlainSignatureCheck } from './plain-signature.ts'
import {
  importJwk,
  type SignatureCheckFactory,
  type SigningKey,
  UnusableKeyError
} from './signing-key.ts'

/** Keys by the text of their entries. */
export type PreparedKeys = ReadonlyMap<string, SigningKey>

export interface PreparationContext {
  readonly issuer: string
  readonly prepare: SignatureCheckFactory
  readonly observer: Observer
}

/**
 * Prepares the entries of a key set; those that can not be used are left out, and reported. Keys that were in the set
 * before stay the same objects, so that tokens they verified stay verified.
 */
export function prepareKeys(
  jwks: readonly unknown[],
  known: PreparedKeys,
  { issuer, prepare, observer }: PreparationContext
): PreparedKeys {
  const keys = new Map<string, SigningKey>()
  for (const jwk of jwks) {
    try {
      const text = textOf(jwk)
      keys.set(text, known.get(text) ?? prepareKey(jwk, prepare))
    } catch (cause) {
      if (!(cause instanceof UnusableKeyError)) throw cause
      observer.keySkipped({ issuer, keyId: keyIdOf(jwk), fault: cause.message })
    }
  }
  return keys
}

function prepareKey(jwk: unknown, prepare: SignatureCheckFactory): SigningKey {
  const key = importJwk(jwk)
  const { keyId, issuer, algorithms, keyObject } = key
  const spki = keyObject.export({ type: 'spki', format: 'der' }).toString('base64')
  return {
    keyId,
    issuer,
    algorithms,
    spki,
    verify: prepare(key),
    verifySignature: createPlainSignatureCheck(keyObject, algorithms),
    validUntil: 0
  }
}

/** What tells an entry from others. @throws {UnusableKeyError} if it is nested so deep that it can not be written */
function textOf(jwk: unknown): string {
  try {
    return JSON.stringify(jwk)
  } catch (cause) {
    throw new UnusableKeyError('it is nested too deep', { cause })
  }
}

function keyIdOf(jwk: unknown): string | undefined {
  const keyId = (jwk as { kid?: unknown } | null)?.kid
  return typeof keyId === 'string' ? keyId.slice(0, 256) : undefined
}

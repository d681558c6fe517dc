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
 * Prepares the entries of a key set. Keys that were in the set before stay the same objects, so that tokens they
 * verified stay verified.
 */
export type KeyPreparation = (jwks: readonly unknown[], known: PreparedKeys) => PreparedKeys

/**
 * Makes what prepares the sets of one issuer, one after the other. Entries that can not be used are left out, and
 * reported once for as long as they stay: an issuer may publish one for ever, and is asked every few minutes.
 */
export function createKeyPreparation({
  issuer,
  prepare,
  observer
}: PreparationContext): KeyPreparation {
  let reported: ReadonlySet<string> = new Set()
  return (jwks, known) => {
    const keys = new Map<string, SigningKey>()
    const skipped = new Set<string>()
    for (const jwk of jwks) {
      try {
        const text = textOf(jwk)
        keys.set(text, known.get(text) ?? prepareKey(jwk, prepare))
      } catch (cause) {
        if (!(cause instanceof UnusableKeyError)) throw cause
        const event = { issuer, keyId: keyIdOf(jwk), fault: cause.message }
        // known by its report, which holds nothing of a secret
        const name = JSON.stringify(event)
        skipped.add(name)
        if (!reported.has(name)) observer.keySkipped(event)
      }
    }
    reported = skipped
    return keys
  }
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

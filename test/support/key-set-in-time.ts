import { generateKeyPairSync } from 'node:crypto'
import { mock } from 'node:test'
import type { Test } from 'tap'
import { KeySet, type KeySetStore } from '../../src/issuer/key-set.ts'
import type { KeyDownload } from '../../src/issuer/key-source.ts'
import { IssuerFaultError } from '../../src/issuer/issuer-fault.ts'

/** The issuer of {@link createKeySet}. */
export const issuer = 'https://id.example.com'
export const metadata = {
  issuer,
  jwks_uri: `${issuer}/keys`,
  userinfo_endpoint: undefined,
  introspection_endpoint: undefined,
  token_endpoint: undefined
}
/** In milliseconds, as all times here. */
export const second = 1000
export const day = 24 * 60 * 60 * second
/** When each test begins: since the epoch. */
export const start = 1_800_000_000 * second
/** Two keys of the issuer, `a` and `b`. */
export const [a, b] = [jwk('a'), jwk('b')]

function jwk(kid: string) {
  return { ...generateKeyPairSync('ed25519').publicKey.export({ format: 'jwk' }), kid }
}

/** A key set whose issuer says what it is told to, in a time of its own that passes with `pass`. */
export function createKeySet(t: Test, store?: KeySetStore, insists?: boolean) {
  mock.timers.enable({ apis: ['setTimeout', 'Date'], now: start })
  t.teardown(() => mock.timers.reset())
  const seen = { downloads: 0, prepared: [] as unknown[], troubles: [] as string[], skipped: 0 }
  const answer: { jwks?: readonly unknown[]; maxAge?: number; wait?: Promise<void> } = { jwks: [a] }
  const keySet = new KeySet({
    issuer,
    store,
    insists,
    source: async (): Promise<KeyDownload> => {
      seen.downloads++
      await answer.wait
      if (answer.jwks === undefined) throw new IssuerFaultError(issuer, 'is down')
      return { metadata, jwks: answer.jwks, maxAge: answer.maxAge }
    },
    prepare: ({ keyId }) => {
      seen.prepared.push(keyId)
      return () => true
    },
    observer: {
      keySetReplaced() {},
      keySkipped: () => void seen.skipped++,
      issuerTrouble: ({ doing }) => void seen.troubles.push(doing)
    }
  })
  t.teardown(() => keySet.close())
  return { keySet, seen, answer }
}

/** Lets time pass in steps of a second, and what it starts come to its end. */
export async function pass(milliseconds: number): Promise<void> {
  for (let passed = 0; passed < milliseconds; passed += second) {
    mock.timers.tick(Math.min(second, milliseconds - passed))
    await settled()
  }
}

/** Lets what was started come to its end. */
export function settled(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(resolve)
  })
}

/** The key `a`, if it counts. */
export function keyA(keySet: KeySet) {
  return keySet.find('EdDSA', 'a')
}

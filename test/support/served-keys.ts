import type { Test } from 'tap'
import type { TestIssuer } from '../../src/testing.ts'
import { type GuardedApp, startGuardedApp } from './guarded-app.ts'
import { json, startHostileIssuer } from './hostile-issuer.ts'

/** An app that trusts an issuer whose key set is whatever a test puts there. */
export interface ServedKeys extends GuardedApp {
  readonly issuer: string
  /** How many downloads of the key set there were. */
  readonly downloads: () => number
}

/** Serves a document as the key set, on behalf of a sound issuer that mints, and starts a guarded app that reads it. */
export async function serveKeySet(
  t: Test,
  sound: TestIssuer,
  keySet: unknown
): Promise<ServedKeys> {
  const hostile = await startHostileIssuer()
  t.teardown(() => hostile.close())
  hostile.impersonate(sound)
  hostile.on('/jwks', json(keySet))
  const { issuer } = hostile
  const guarded = await startGuardedApp(t, { issuer, audience: sound.audience })
  return { ...guarded, issuer, downloads: () => hostile.requests('/jwks').length }
}

import type { Test } from 'tap'
import type { LatchkeyOptions } from '../../plugins/latchkey.ts'
import { startTestIssuer } from '../../src/testing.ts'
import { type Api, startApi } from './api.ts'
import * as hostile from './hostile-issuer.ts'
import type { Behaviour } from './hostile-issuer.ts'

/** What the issuer says of Ada unless told otherwise. */
export const ada = {
  sub: 'ada',
  name: 'Ada Lovelace',
  email: 'ada@secret.example',
  email_verified: true
}

/** An API and its issuer, whose UserInfo endpoint does as it is told; Ada's answer unless said otherwise. */
export async function startScene(
  t: Test,
  behaviour: Behaviour = hostile.json(ada),
  options?: Partial<LatchkeyOptions>
) {
  const sound = await startTestIssuer({ algorithms: ['ES256'] })
  t.teardown(() => sound.close())
  const issuer = await hostile.startHostileIssuer()
  t.teardown(() => issuer.close())
  issuer.impersonate(sound)
  issuer.on('/userinfo', behaviour)
  const mint = (claims: object = {}) => sound.mint({ iss: issuer.issuer, ...claims })
  const api = await startApi(t, { issuer: issuer.issuer, audience: sound.audience, ...options })
  return { issuer, sound, mint, api, calls: () => issuer.requests('/userinfo') }
}

/** Asserts that no line of the log holds a part of these tokens, or a claim about Ada. */
export function holdsNothing(t: Test, { log }: Api, tokens: readonly string[]): void {
  const parts = tokens
    .flatMap((token) => token.split('.').slice(1))
    .concat('Lovelace', 'secret.example')
  t.strictSame(
    log.filter((line) => parts.some((part) => line.includes(part))),
    []
  )
}

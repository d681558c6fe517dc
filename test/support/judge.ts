import type { Test } from 'tap'
import { createSignatureCheck } from '../../plugins/signature-check.ts'
import type { IssuerOptions } from '../../src/issuer/issuer-options.ts'
import type { TrustedIssuer } from '../../src/issuer/trusted-issuer.ts'
import { createTrustedIssuers } from '../../src/issuer/trusted-issuers.ts'
import { Refusal } from '../../src/token/refusal.ts'
import { IssuerUnavailable, type Verifier } from '../../src/token/verdict.ts'
import { createVerifier } from '../../src/token/verifier.ts'

/** A verifier without a server around it. */
export interface Judge {
  readonly verify: Verifier
  readonly trusted: TrustedIssuer
  /** `accepted`, `unavailable`, or the reason of the refusal. */
  readonly outcome: (token: string) => Promise<string>
}

/** Makes the verifier of one issuer, its keys already read. `clock` is in milliseconds since the epoch. */
export async function startJudge(
  t: Test,
  options: IssuerOptions,
  clock: () => number = Date.now
): Promise<Judge> {
  const issuers = createTrustedIssuers([options], { prepare: createSignatureCheck, clock })
  const trusted = issuers.get(options.issuer)
  if (trusted === undefined) throw new TypeError('The issuer is missing')
  t.teardown(() => trusted.keySet.close())
  await trusted.keySet.start()
  await trusted.keySet.refreshForUnknownKey()
  const verify = createVerifier(issuers, { clock })
  const outcome = async (token: string): Promise<string> => {
    const verdict = await verify(token)
    if (verdict instanceof Refusal) return verdict.reason
    return verdict instanceof IssuerUnavailable ? 'unavailable' : 'accepted'
  }
  return { verify, trusted, outcome }
}

import type { Test } from 'tap'
import { createSignatureCheck } from '../../plugins/signature-check.ts'
import type { KeySet, KeySetStore } from '../../src/issuer/key-set.ts'
import type { IssuerOptions } from '../../src/issuer/issuer-options.ts'
import { createTrustedIssuers } from '../../src/issuer/trusted-issuers.ts'
import { Refusal } from '../../src/token/refusal.ts'
import { IssuerUnavailable } from '../../src/token/verdict.ts'
import { createVerifier } from '../../src/token/verifier.ts'

/** The verifier of an API in a time that tests set, without an API around it. */
export interface Judge {
  readonly keySet: KeySet
  /** Milliseconds by which the clock is ahead of the real one. */
  ahead: number
  /** The subject of a good token, the reason a bad one is refused, or `unavailable`. */
  readonly judge: (token: string) => Promise<string>
}

/** Starts a judge that trusts one issuer; the first download may still be running. */
export async function startJudge(
  t: Test,
  options: IssuerOptions,
  store?: KeySetStore
): Promise<Judge> {
  const clock = (): number => Date.now() + judge.ahead
  const issuers = createTrustedIssuers([options], { prepare: createSignatureCheck, clock, store })
  const trusted = issuers.get(options.issuer)
  if (trusted === undefined) throw new Error('the issuer is not trusted')
  const verify = createVerifier(issuers, { clock })
  const judge: Judge = {
    keySet: trusted.keySet,
    ahead: 0,
    judge: async (token) => {
      const verdict = await verify(token)
      if (verdict instanceof IssuerUnavailable) return 'unavailable'
      return verdict instanceof Refusal ? verdict.reason : verdict.subject
    }
  }
  await trusted.keySet.start()
  t.teardown(() => trusted.close())
  return judge
}

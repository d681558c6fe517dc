import { findKey } from '../issuer/find-key.ts'
import type { SigningKey } from '../issuer/signing-key.ts'
import type { TrustedIssuer } from '../issuer/trusted-issuer.ts'
import { refusals } from './refusal.ts'
import type { UnverifiedHeader } from './unverified.ts'
import { IssuerUnavailable, type Verdict } from './verdict.ts'

/**
 * Waits for a key that is not known, as far as the issuer may be asked for it.
 * @param judgeBy judges the token by the key that was found
 * @param judgeAgain judges it anew, if the issuer's options changed meanwhile
 */
export function awaitKey(
  header: UnverifiedHeader,
  issuer: TrustedIssuer,
  judgeBy: (key: SigningKey) => Verdict | Promise<Verdict>,
  judgeAgain: () => Verdict | Promise<Verdict>
): Verdict | Promise<Verdict> {
  const refresh = issuer.keySet.refreshForUnknownKey()
  if (refresh === undefined) return withoutKey(issuer)
  const search = refresh.then(() => findKey(issuer.keySet, header, issuer.policy.issuer))
  return search.then((key) => {
    if (key !== undefined) return judgeBy(key)
    // other options of the issuer came while we waited
    return issuer.keySet.isRetired ? judgeAgain() : withoutKey(issuer)
  })
}

/** A key that a healthy issuer does not have is the token's fault; during an outage nobody can tell. */
function withoutKey({ policy, keySet }: TrustedIssuer): Verdict {
  return keySet.isFailing
    ? new IssuerUnavailable(policy.issuer, keySet.retryAfterSeconds)
    : refusals.unknown_key
}

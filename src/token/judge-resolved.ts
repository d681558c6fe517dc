import type { Resolution } from '../issuer/resolved-issuers.ts'
import type { TrustedIssuer } from '../issuer/trusted-issuer.ts'
import { refusals } from './refusal.ts'
import { IssuerUnavailable, type Verdict } from './verdict.ts'

/** Milliseconds a request may wait for its issuer to be resolved, and then for its keys. */
const longestWait = 9000

/**
 * Judges a token whose issuer is being resolved.
 * @param judgeBy judges it as one of the issuer that was found
 */
export async function judgeResolved(
  iss: string,
  resolving: Promise<Resolution>,
  judgeBy: (issuer: TrustedIssuer) => Verdict | Promise<Verdict>
): Promise<Verdict> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<IssuerUnavailable>((resolve) => {
    timer = setTimeout(() => resolve(new IssuerUnavailable(iss, 1)), longestWait)
  })
  const judging = resolving.then((issuer) => {
    if (issuer === undefined) return refusals.untrusted_issuer
    return issuer instanceof IssuerUnavailable ? issuer : judgeBy(issuer)
  })
  return Promise.race([judging, late]).finally(() => clearTimeout(timer))
}

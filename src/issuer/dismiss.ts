import type { TrustedIssuer } from './trusted-issuer.ts'

/** Milliseconds for which an issuer that is no longer trusted may finish what requests have begun. */
const farewell = 10_000

/** Ends the trust in an issuer: its tokens count no more at once, calls that run to it may still end. */
export function dismiss(issuer: TrustedIssuer): void {
  issuer.keySet.retire()
  setTimeout(() => void issuer.close(), farewell).unref()
}

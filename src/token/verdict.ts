import type { Principal } from './principal.ts'
import type { Refusal } from './refusal.ts'

/** The verdict "can not be judged now": the issuer is needed for it and can not be asked. */
export class IssuerUnavailable {
  readonly issuer: string
  /** Whole seconds after which another try makes sense. */
  readonly retryAfterSeconds: number

  constructor(issuer: string, retryAfterSeconds: number) {
    this.issuer = issuer
    this.retryAfterSeconds = retryAfterSeconds
  }
}

/** What becomes of a token. */
export type Verdict = Principal | Refusal | IssuerUnavailable

/**
 * Judges access tokens. Answers at once, but for the first tokens that the issuer has to be asked about, and with
 * `uncached` for all of these: then an earlier answer of the issuer does not count. `before` is awaited before anything is
 * done about a token that is not known to be good; what it throws is the end of it.
 */
export type Verifier = (
  token: string,
  uncached?: boolean,
  before?: () => Promise<void>
) => Verdict | Promise<Verdict>

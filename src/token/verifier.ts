import type { KeyFinder } from '../issuer/key-store.ts'
import type { SigningKey } from '../issuer/signing-key.ts'
import type { TrustedIssuer } from '../issuer/trusted-issuer.ts'
import type { TrustedIssuers } from '../issuer/trusted-issuers.ts'
import { awaitKey } from './await-key.ts'
import { createEncryptedTokens, hasFiveParts, type TokenMemory } from './encrypted-tokens.ts'
import { judgeToken, mappingOf } from './id-token.ts'
import { inTime } from './in-time.ts'
import { accepted, endOf } from './policy.ts'
import { type AcceptedClaims, createPrincipal } from './principal.ts'
import { RecurringTokens } from './recurring-tokens.ts'
import { Refusal, refusals } from './refusal.ts'
import type { RevokedTokens } from './revoked-tokens.ts'
import { isOtherKind } from './token-type.ts'
import {
  decodeClaims,
  decodeHeader,
  hasThreeParts,
  splitToken,
  type UnverifiedClaims,
  type UnverifiedHeader
} from './unverified.ts'
import { IssuerUnavailable, type Verdict, type Verifier } from './verdict.ts'
import { VerifiedTokens } from './verified-tokens.ts'

/** A header that led to a key, so that the next token with it need not be decoded or looked up. */
interface KnownHeader {
  readonly header: UnverifiedHeader
  readonly issuer: TrustedIssuer
  readonly key: SigningKey
  /** The set the key was found in: another one may tell keys apart in another way. */
  readonly finder: KeyFinder
}

const maxKnownHeaders = 1000

export interface VerifierOptions {
  /** Milliseconds since the epoch. Default `Date.now`. */
  readonly clock?: (() => number) | undefined
  /** Asked about each token whose signature is right. Default: none is revoked. */
  readonly revoked?: RevokedTokens | undefined
  /** For what comes out of encrypted tokens: where it is remembered, and nobody is asked about it. */
  readonly inside?: TokenMemory | undefined
}

/**
 * Makes the verifier of an API: known tokens first; then form, issuer, claims, and only then cryptography (RFC 9068
 * section 4). The issuer is chosen by exact `iss` before anything is fetched, and only its own keys can verify. Which
 * tokens the issuer is asked about is fixed beforehand: one that fails here is never tried there (RFC 9701 section 9).
 */
export function createVerifier(issuers: TrustedIssuers, options: VerifierOptions = {}): Verifier {
  const verifier = new TokenVerifier(issuers, options)
  return (token, uncached, before) => verifier.verify(token, uncached, before)
}

/** A JWT as it was sent, decoded; nothing of it is to be believed yet. */
class SentJwt {
  readonly token: string
  readonly headerSegment: string
  readonly claims: UnverifiedClaims
  #header: UnverifiedHeader | Refusal | undefined

  constructor(token: string, headerSegment: string, claims: UnverifiedClaims) {
    this.token = token
    this.headerSegment = headerSegment
    this.claims = claims
  }

  /** Decoded on demand: most tokens have one that is known. */
  get header(): UnverifiedHeader | Refusal {
    return (this.#header ??= decodeHeader(this.headerSegment))
  }
}

/** What is kept of refused tokens: an app whose token has expired may send it for hours. */
const refusedTokens = { generationSize: 500, maxLength: 4096 }

class TokenVerifier {
  readonly #issuers: TrustedIssuers
  readonly #clock: () => number
  readonly #revoked: RevokedTokens | undefined
  readonly #verified: TokenMemory
  readonly #known = new Map<string, KnownHeader>()
  /** They are judged anew each time; what they say does not change. undefined for what was encrypted itself. */
  readonly #refused: RecurringTokens<SentJwt> | undefined
  /** undefined for what was encrypted itself. */
  readonly #encryptedTokens: Verifier | undefined

  constructor(issuers: TrustedIssuers, { clock = Date.now, revoked, inside }: VerifierOptions) {
    this.#issuers = issuers
    this.#clock = clock
    this.#revoked = revoked
    const verified = inside ?? new VerifiedTokens()
    this.#verified = verified
    if (inside !== undefined) return
    this.#refused = new RecurringTokens(refusedTokens.generationSize)
    revoked?.onRevoked((isRevoked) => verified.forget(isRevoked))
    this.#encryptedTokens = createEncryptedTokens(issuers, verified, (memory) =>
      createVerifier(issuers, { clock, revoked, inside: memory })
    )
  }

  verify(
    token: string,
    uncached: boolean | undefined,
    before?: () => Promise<void>
  ): Verdict | Promise<Verdict> {
    const now = this.#clock()
    const principal = this.#verified.find(token, now)
    if (principal !== undefined) return principal
    if (before !== undefined) return before().then(() => this.verify(token, uncached))
    const kept = this.#refused?.find(token)
    const jwt = kept ?? decode(token)
    if (jwt instanceof Refusal) return this.#judgeOther(token, jwt, uncached)
    const verdict = this.#judge(jwt, now, uncached)
    if (verdict instanceof Promise) return inTime(jwt.claims['iss'] as string, verdict)
    if (verdict instanceof Refusal && kept === undefined && token.length <= refusedTokens.maxLength)
      this.#refused?.keep(token, jwt)
    return verdict
  }

  #judge(jwt: SentJwt, now: number, uncached: boolean | undefined): Verdict | Promise<Verdict> {
    const found = this.#known.get(jwt.headerSegment)
    const isOurs = found !== undefined && jwt.claims['iss'] === found.issuer.policy.issuer
    return isOurs && isCurrent(found, now)
      ? this.#judgeKnown(jwt, found, now)
      : this.#judgeNew(jwt, now, uncached)
  }

  /** What is no signed JWT says nothing of its issuer: it is encrypted, or that of the one issuer with opaque tokens. */
  #judgeOther(token: string, refusal: Refusal, uncached: boolean | undefined) {
    if (refusal !== refusals.malformed || hasThreeParts(token)) return refusal
    const { encryptionKeys, opaqueTokens } = this.#issuers
    const isEncrypted = encryptionKeys.length > 0 && hasFiveParts(token)
    if (isEncrypted && this.#encryptedTokens !== undefined) return this.#encryptedTokens(token)
    return opaqueTokens === undefined ? refusal : opaqueTokens(token, uncached)
  }

  #judgeKnown(jwt: SentJwt, found: KnownHeader, now: number): Verdict | Promise<Verdict> {
    const { header, issuer, key } = found
    const refusal = judgeToken(header, jwt.claims, issuer, now / 1000)
    if (refusal !== undefined) return refusal
    return key.verifySignature(jwt.token, header.algorithm)
      ? this.#accept(jwt, found)
      : refusals.bad_signature
  }

  #judgeNew(
    jwt: SentJwt,
    now: number,
    uncached: boolean | undefined,
    issuer = this.#issuers.get(jwt.claims['iss'])
  ): Verdict | Promise<Verdict> {
    if (issuer?.verifiesJwts === false) return judgeElsewhere(jwt, issuer, uncached)
    const { header } = jwt
    if (header instanceof Refusal) return header
    if (issuer === undefined) return this.#judgeUnknown(jwt, uncached)
    // what was encrypted is not kept in the clear
    const isInTheClear = this.#encryptedTokens !== undefined
    if (isInTheClear && issuer.encryption?.isRequired === true) return refusals.not_encrypted
    const refusal = judgeToken(header, jwt.claims, issuer, now / 1000)
    if (refusal !== undefined) return refusal
    const judgeBy = (key: SigningKey) => this.#judgeByKey(jwt, { header, issuer, key })
    const key = issuer.keySet.find(header.algorithm, header.keyId, issuer.policy.issuer)
    if (key !== undefined) return judgeBy(key)
    return awaitKey(header, issuer, judgeBy, () => this.#judgeNew(jwt, this.#clock(), uncached))
  }

  #judgeByKey(
    jwt: SentJwt,
    { header, issuer, key }: Omit<KnownHeader, 'finder'>
  ): Verdict | Promise<Verdict> {
    if (!key.verify(jwt.token, header.algorithm)) return refusals.bad_signature
    const found = { header, issuer, key, finder: issuer.keySet.finder }
    if (this.#known.size >= maxKnownHeaders) this.#known.clear()
    this.#known.set(jwt.headerSegment, found)
    return this.#accept(jwt, found)
  }

  /** Of an issuer that nobody has named yet: one that is known at run time only, or none at all. */
  #judgeUnknown(jwt: SentJwt, uncached: boolean | undefined): Verdict | Promise<Verdict> {
    const iss = jwt.claims['iss'] as string
    const resolution = this.#issuers.resolve(iss)
    if (resolution === undefined) return refusals.untrusted_issuer
    if (resolution instanceof IssuerUnavailable) return resolution
    return resolution.then((issuer) => {
      if (issuer === undefined) return refusals.untrusted_issuer
      if (issuer instanceof IssuerUnavailable) return issuer
      return this.#judgeNew(jwt, this.#clock(), uncached, issuer)
    })
  }

  #accept(jwt: SentJwt, found: KnownHeader): Verdict | Promise<Verdict> {
    const { header, issuer } = found
    const claims = accepted(jwt.claims)
    const { statusOf } = issuer
    if (statusOf === undefined) return this.#remember(jwt.token, claims, found)
    return statusOf(claims).then((status) => {
      // while a list was read, time passed, and other keys or options may have come
      const now = this.#clock()
      // uncached, as whoever asked may have wanted it so
      if (!isCurrent(found, now)) return this.#judge(jwt, now, true)
      if (typeof status !== 'number') return status
      const refusal = judgeToken(header, claims, issuer, now / 1000)
      return refusal ?? this.#remember(jwt.token, claims, found, status)
    })
  }

  /** @param knownUntil when the status of the token has to be looked up again: milliseconds since the epoch */
  #remember(
    token: string,
    claims: AcceptedClaims,
    { header, issuer, key }: KnownHeader,
    knownUntil = Infinity
  ): Verdict {
    const principal = createPrincipal(claims, mappingOf(header, claims, issuer))
    if (this.#revoked?.covers(principal) === true) return refusals.revoked
    const { clockTolerance, maxTokenAge } = issuer.policy
    const expiresAt = (endOf(claims, maxTokenAge) + clockTolerance) * 1000
    this.#verified.remember(token, principal, Math.min(expiresAt, knownUntil), key)
    return principal
  }
}

/** Whether key and options still count that a header led to. */
function isCurrent({ key, finder, issuer }: KnownHeader, now: number): boolean {
  return now < key.validUntil && finder === issuer.keySet.finder
}

function decode(token: string): SentJwt | Refusal {
  const segments = splitToken(token)
  if (segments instanceof Refusal) return segments
  const claims = decodeClaims(segments.claims)
  if (claims instanceof Refusal) return claims
  return new SentJwt(token, segments.header, claims)
}

/** A JWT whose issuer wants to be asked about it; what it says itself only chooses the issuer. */
function judgeElsewhere(
  { token, claims }: SentJwt,
  issuer: TrustedIssuer,
  uncached: boolean | undefined
) {
  const { opaqueTokens, policy } = issuer
  const isOther = isOtherKind(claims, policy.idTokenMarks)
  if (opaqueTokens === undefined || isOther) return refusals.wrong_type
  return opaqueTokens(token, uncached)
}

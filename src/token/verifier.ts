import { findKey } from '../issuer/find-key.ts'
import type { KeyFinder } from '../issuer/key-store.ts'
import type { SigningKey } from '../issuer/signing-key.ts'
import type { TrustedIssuer } from '../issuer/trusted-issuer.ts'
import type { TrustedIssuers } from '../issuer/trusted-issuers.ts'
import { createEncryptedTokens, hasFiveParts, type TokenMemory } from './encrypted-tokens.ts'
import { judgeToken, mappingOf } from './id-token.ts'
import { judgeResolved } from './judge-resolved.ts'
import { accepted } from './policy.ts'
import { createPrincipal } from './principal.ts'
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
export function createVerifier(
  issuers: TrustedIssuers,
  { clock = Date.now, revoked, inside }: VerifierOptions = {}
): Verifier {
  const verified = inside ?? new VerifiedTokens()
  if (inside === undefined) revoked?.onRevoked((isRevoked) => verified.forget(isRevoked))
  const known = new Map<string, KnownHeader>()
  const encryptedTokens =
    inside === undefined
      ? createEncryptedTokens(issuers, verified, (memory) =>
          createVerifier(issuers, { clock, revoked, inside: memory })
        )
      : undefined

  const accept = (
    token: string,
    claims: UnverifiedClaims,
    { header, issuer, key }: KnownHeader
  ): Verdict => {
    const principal = createPrincipal(accepted(claims), mappingOf(header, claims, issuer))
    if (revoked?.covers(principal) === true) return refusals.revoked
    const expiresAt = (principal.expiresAt + issuer.policy.clockTolerance) * 1000
    verified.remember(token, principal, expiresAt, key)
    return principal
  }

  const judgeKnown = (
    token: string,
    claims: UnverifiedClaims,
    found: KnownHeader,
    now: number
  ): Verdict => {
    const { header, issuer, key } = found
    const refusal = judgeToken(header, claims, issuer, now / 1000)
    if (refusal !== undefined) return refusal
    return key.verifySignature(token, header.algorithm)
      ? accept(token, claims, found)
      : refusals.bad_signature
  }

  const judgeNew = (
    token: string,
    headerSegment: string,
    claims: UnverifiedClaims,
    now: number,
    uncached?: boolean,
    issuer = issuers.get(claims['iss'])
  ): Verdict | Promise<Verdict> => {
    if (issuer?.verifiesJwts === false) return judgeElsewhere(token, claims, issuer, uncached)
    const header = decodeHeader(headerSegment)
    if (header instanceof Refusal) return header
    if (issuer === undefined) return judgeUnknown(token, headerSegment, claims, uncached)
    if (issuer.encryption?.isRequired === true && inside === undefined)
      return refusals.not_encrypted
    const refusal = judgeToken(header, claims, issuer, now / 1000)
    if (refusal !== undefined) return refusal
    const withKey = (key: SigningKey): Verdict => {
      if (!key.verify(token, header.algorithm)) return refusals.bad_signature
      const found = { header, issuer, key, finder: issuer.keySet.finder }
      if (known.size >= maxKnownHeaders) known.clear()
      known.set(headerSegment, found)
      return accept(token, claims, found)
    }
    const key = issuer.keySet.find(header.algorithm, header.keyId, issuer.policy.issuer)
    if (key !== undefined) return withKey(key)
    const judgeAgain = () => judgeNew(token, headerSegment, claims, clock(), uncached)
    return awaitKey(header, issuer, withKey, judgeAgain)
  }

  /** Of an issuer that nobody has named yet: one that is known at run time only, or none at all. */
  const judgeUnknown = (
    token: string,
    headerSegment: string,
    claims: UnverifiedClaims,
    uncached?: boolean
  ) => {
    const iss = claims['iss'] as string
    const resolution = issuers.resolve(iss)
    if (resolution === undefined) return refusals.untrusted_issuer
    if (resolution instanceof IssuerUnavailable) return resolution
    return judgeResolved(iss, resolution, (issuer) =>
      judgeNew(token, headerSegment, claims, clock(), uncached, issuer)
    )
  }

  /** What is no JWT says nothing of its issuer: it can only be that of the one issuer with opaque tokens. */
  const judgeOpaque = (token: string, refusal: Refusal, uncached?: boolean) => {
    if (refusal !== refusals.malformed || hasThreeParts(token)) return refusal
    if (encryptedTokens !== undefined && issuers.encryptionKeys.length > 0 && hasFiveParts(token))
      return encryptedTokens(token)
    return issuers.opaqueTokens === undefined ? refusal : issuers.opaqueTokens(token, uncached)
  }

  return (token, uncached) => {
    const now = clock()
    const principal = verified.find(token, now)
    if (principal !== undefined) return principal
    const segments = splitToken(token)
    if (segments instanceof Refusal) return judgeOpaque(token, segments, uncached)
    const claims = decodeClaims(segments.claims)
    if (claims instanceof Refusal) return claims
    const found = known.get(segments.header)
    const isCurrent =
      found !== undefined &&
      now < found.key.validUntil &&
      found.finder === found.issuer.keySet.finder &&
      claims['iss'] === found.issuer.policy.issuer
    return isCurrent
      ? judgeKnown(token, claims, found, now)
      : judgeNew(token, segments.header, claims, now, uncached)
  }
}

/** A JWT whose issuer wants to be asked about it; what it says itself only chooses the issuer. */
function judgeElsewhere(
  token: string,
  claims: UnverifiedClaims,
  { opaqueTokens, policy }: TrustedIssuer,
  uncached?: boolean
) {
  const isOther = isOtherKind(claims, policy.idTokenMarks)
  if (opaqueTokens === undefined || isOther) return refusals.wrong_type
  return opaqueTokens(token, uncached)
}

/** Milliseconds a request may wait for an issuer. */
const longestWait = 9000

function awaitKey(
  header: UnverifiedHeader,
  issuer: TrustedIssuer,
  withKey: (key: SigningKey) => Verdict,
  judgeAgain: () => Verdict | Promise<Verdict>
): Verdict | Promise<Verdict> {
  const refresh = issuer.keySet.refreshForUnknownKey()
  if (refresh === undefined) return withoutKey(issuer)
  const search = refresh.then(() => findKey(issuer.keySet, header, issuer.policy.issuer))
  return Promise.race([search, deadline()]).then((key) => {
    if (key === 'late') return unavailable(issuer)
    if (key !== undefined) return withKey(key)
    // other options of the issuer came while we waited
    return issuer.keySet.isRetired ? judgeAgain() : withoutKey(issuer)
  })
}

function deadline(): Promise<'late'> {
  return new Promise((resolve) => {
    setTimeout(() => resolve('late'), longestWait).unref()
  })
}

/** A key that a healthy issuer does not have is the token's fault; during an outage nobody can tell. */
function withoutKey(issuer: TrustedIssuer): Verdict {
  return issuer.keySet.isFailing ? unavailable(issuer) : refusals.unknown_key
}

function unavailable({ policy, keySet }: TrustedIssuer): IssuerUnavailable {
  return new IssuerUnavailable(policy.issuer, keySet.retryAfterSeconds)
}

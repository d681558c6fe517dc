import type { KeyFinder } from '../issuer/key-store.ts'
import type { SigningKey } from '../issuer/signing-key.ts'
import type { TrustedIssuer, TrustedIssuers } from '../issuer/trusted-issuer.ts'
import { accepted, judgeClaims, judgeHeader } from './policy.ts'
import { createPrincipal } from './principal.ts'
import { Refusal, refusals } from './refusal.ts'
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

/**
 * Makes the verifier of an API: known tokens first; then form, issuer, claims, and only then cryptography (RFC 9068
 * section 4). The issuer is chosen by exact `iss` before anything is fetched, and only its own keys can verify. Which
 * tokens the issuer is asked about is fixed beforehand: one that fails here is never tried there (RFC 9701 section 9).
 * @param clock milliseconds since the epoch
 */
export function createVerifier(issuers: TrustedIssuers, clock: () => number = Date.now): Verifier {
  const verified = new VerifiedTokens()
  const known = new Map<string, KnownHeader>()
  const [opaqueTokens] = [...issuers.values()].flatMap(({ opaqueTokens }) => opaqueTokens ?? [])

  const accept = (
    token: string,
    claims: UnverifiedClaims,
    { header, issuer, key }: KnownHeader
  ): Verdict => {
    if (!key.verify(token, header.algorithm)) return refusals.bad_signature
    const principal = createPrincipal(accepted(claims), issuer.mapping)
    const expiresAt = (principal.expiresAt + issuer.policy.clockTolerance) * 1000
    verified.remember(token, principal, expiresAt, key)
    return principal
  }

  const judgeKnown = (
    token: string,
    claims: UnverifiedClaims,
    found: KnownHeader,
    now: number
  ): Verdict => judgeClaims(claims, found.issuer.policy, now / 1000) ?? accept(token, claims, found)

  const judgeNew = (
    token: string,
    headerSegment: string,
    claims: UnverifiedClaims,
    now: number,
    uncached?: boolean
  ) => {
    const issuer = issuers.get(claims['iss'] as string)
    if (issuer?.verifiesJwts === false) return judgeElsewhere(token, claims, issuer, uncached)
    const header = decodeHeader(headerSegment)
    if (header instanceof Refusal) return header
    if (issuer === undefined) return refusals.untrusted_issuer
    const refusal =
      judgeHeader(header, issuer.policy) ?? judgeClaims(claims, issuer.policy, now / 1000)
    if (refusal !== undefined) return refusal
    const withKey = (key: SigningKey): Verdict => {
      const found = { header, issuer, key, finder: issuer.keySet.finder }
      const verdict = accept(token, claims, found)
      if (verdict instanceof Refusal) return verdict
      if (known.size >= maxKnownHeaders) known.clear()
      known.set(headerSegment, found)
      return verdict
    }
    const key = issuer.keySet.find(header.algorithm, header.keyId)
    return key === undefined ? awaitKey(header, issuer, withKey) : withKey(key)
  }

  /** What is no JWT says nothing of its issuer: it can only be that of the one issuer with opaque tokens. */
  const judgeOpaque = (token: string, refusal: Refusal, uncached?: boolean) =>
    opaqueTokens === undefined || refusal !== refusals.malformed || hasThreeParts(token)
      ? refusal
      : opaqueTokens(token, uncached)

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
  { opaqueTokens }: TrustedIssuer,
  uncached?: boolean
) {
  if (opaqueTokens === undefined || isOtherKind(claims)) return refusals.wrong_type
  return opaqueTokens(token, uncached)
}

/** Milliseconds a request may wait for an issuer. */
const longestWait = 9000

function awaitKey(
  header: UnverifiedHeader,
  issuer: TrustedIssuer,
  withKey: (key: SigningKey) => Verdict
): Verdict | Promise<Verdict> {
  const refresh = issuer.keySet.refreshForUnknownKey()
  if (refresh === undefined) return withoutKey(issuer)
  return Promise.race([keyAfterRefresh(header, issuer, refresh), deadline()]).then((key) => {
    if (key === 'late') return unavailable(issuer)
    return key === undefined ? withoutKey(issuer) : withKey(key)
  })
}

/** Waits for the downloads that an unknown key may cause: one that runs already, then one of its own. */
async function keyAfterRefresh(
  { algorithm, keyId }: UnverifiedHeader,
  { keySet }: TrustedIssuer,
  refresh: Promise<void>
): Promise<SigningKey | undefined> {
  await refresh
  const key = keySet.find(algorithm, keyId)
  if (key !== undefined) return key
  await keySet.refreshForUnknownKey()
  return keySet.find(algorithm, keyId)
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

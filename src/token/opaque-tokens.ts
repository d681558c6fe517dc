import { LRUCache } from 'lru-cache'
import {
  type IntrospectedClaims,
  type Introspect,
  IntrospectionFailedError
} from '../issuer/introspection.ts'
import type { Observer } from '../observe/observer.ts'
import type { ClaimMapping } from './claim-mapping.ts'
import { inTime } from './in-time.ts'
import { accepted, endOf, judgeClaims, type TokenPolicy } from './policy.ts'
import { createPrincipal, type Principal } from './principal.ts'
import { Refusal, refusals } from './refusal.ts'
import type { RevokedTokens } from './revoked-tokens.ts'
import { IssuerUnavailable, type Verdict, type Verifier } from './verdict.ts'
import { digestOf } from '../issuer/answers.ts'

export interface OpaqueTokensOptions {
  readonly policy: TokenPolicy
  readonly mapping: ClaimMapping
  readonly introspect: Introspect
  /** Seconds for which an active answer is used again: how long a revoked token may still be accepted. */
  readonly cacheSeconds: number
  readonly observer: Observer
  /** Whether the issuer is no longer trusted as it was: its answers then say nothing. Default: never. */
  readonly isRetired?: (() => boolean) | undefined
  /** Asked about each active token, a remembered one too; default: none is revoked. */
  readonly revoked?: Pick<RevokedTokens, 'covers'> | undefined
  /** Milliseconds since the epoch. Default `Date.now`. */
  readonly clock?: (() => number) | undefined
}

interface Kept {
  readonly verdict: Principal | Refusal
  /** Milliseconds since the epoch. */
  readonly usableUntil: number
}

const maxKept = 10_000
/** Milliseconds for which a refusal is used again, so that one bad token does not cost a call each time. */
const refusalLifetime = 5000
/** Calls to the issuer at a time; what comes on top is told to try again. */
const maxCalls = 100

/** What may stand behind `Bearer` (RFC 6750 section 2.1). */
const tokenText = /^[\w\-.~+/]+=*$/

/**
 * Judges the tokens of one issuer by asking it (RFC 7662): its answer goes through the same policy as the claims of a
 * JWT. Answers are kept under a digest, so that the cache holds no token, and never past `exp`; refusals apart, so that
 * made-up tokens do not push out good ones; failures not at all. One call at a time for a token: who asks `uncached`
 * waits for the one that runs, and then for one that begins later.
 */
export function createOpaqueTokens(options: OpaqueTokensOptions): Verifier {
  const {
    policy,
    introspect,
    cacheSeconds,
    observer,
    isRetired = () => false,
    clock = Date.now
  } = options
  const good = new LRUCache<string, Kept>({ max: maxKept })
  const refused = new LRUCache<string, Kept>({ max: maxKept })
  const running = new Map<string, Promise<Verdict>>()

  // marks are looked up each time, which costs less than the digest: a listener would outlive an issuer that was replaced
  const find = (name: string): Verdict | undefined => {
    const kept = good.get(name) ?? refused.get(name)
    if (kept === undefined || clock() >= kept.usableUntil) return undefined
    const { verdict } = kept
    if (verdict instanceof Refusal) return verdict
    return options.revoked?.covers(verdict) === true ? refusals.revoked : verdict
  }

  const keep = (name: string, verdict: Principal | Refusal): void => {
    const now = clock()
    if (verdict instanceof Refusal) {
      good.delete(name)
      refused.set(name, { verdict, usableUntil: now + refusalLifetime })
    } else if (cacheSeconds > 0) {
      const { expiresAt: exp, claims } = verdict
      const end = endOf({ exp, iat: claims['iat'] }, policy.maxTokenAge)
      const usableUntil = Math.min(now + cacheSeconds * 1000, end * 1000)
      good.set(name, { verdict, usableUntil })
    }
  }

  const ask = async (name: string, token: string): Promise<Verdict> => {
    try {
      const claims = await introspect(token)
      if (isRetired()) return new IssuerUnavailable(policy.issuer, 1)
      const verdict = judgeAnswer(claims, options, clock() / 1000)
      keep(name, verdict)
      return verdict
    } catch (failure) {
      if (!(failure instanceof IntrospectionFailedError)) throw failure
      const { issuer } = policy
      const { cause, retryAfterSeconds } = failure
      observer.issuerTrouble({ issuer, doing: 'introspecting an access token', cause })
      return new IssuerUnavailable(issuer, retryAfterSeconds)
    }
  }

  const begin = (name: string, token: string): Verdict | Promise<Verdict> => {
    if (isRetired() || running.size >= maxCalls) return new IssuerUnavailable(policy.issuer, 1)
    const asking = ask(name, token).finally(() => running.delete(name))
    running.set(name, asking)
    return asking
  }

  return (token, uncached) => {
    const name = digestOf(policy.issuer, token)
    const earlier = running.get(name)
    const known = uncached === true ? undefined : (find(name) ?? earlier)
    if (known !== undefined) return known
    if (earlier === undefined)
      return tokenText.test(token) ? begin(name, token) : refusals.malformed
    // its answer may be older than this request; the next call is not, whoever of those that wait here begins it
    const next = () => running.get(name) ?? begin(name, token)
    return inTime(policy.issuer, earlier.then(next, next))
  }
}

/** An answer may leave out `iss`, since we know whom we asked, and `exp`: then it counts while it is kept. */
function judgeAnswer(
  answer: IntrospectedClaims | undefined,
  { policy, mapping, cacheSeconds, revoked }: OpaqueTokensOptions,
  now: number
): Principal | Refusal {
  if (answer === undefined) return refusals.inactive
  if (isBoundToUnknownKey(answer)) return refusals.sender_constrained
  const exp = Math.ceil(now) + Math.max(cacheSeconds, 1)
  const claims = { iss: policy.issuer, exp, ...answer }
  const refusal = judgeClaims(claims, policy, now)
  if (refusal !== undefined) return refusal
  const principal = createPrincipal(accepted(claims), mapping)
  return revoked?.covers(principal) === true ? refusals.revoked : principal
}

/** A DPoP token is one even if the answer forgot the key in its `cnf` (RFC 9449 sections 5 and 6.2). */
function isBoundToUnknownKey({ token_type: type, cnf }: IntrospectedClaims): boolean {
  if (typeof type !== 'string' || type.toLowerCase() !== 'dpop') return false
  return typeof cnf !== 'object' || cnf === null || !('jkt' in cnf)
}

import { isDeepStrictEqual } from 'node:util'
import type { Decryption, DecryptionOptions } from '../issuer/decryption.ts'
import type { TrustedIssuers } from '../issuer/trusted-issuers.ts'
import { Refusal, refusals } from './refusal.ts'
import { normalizedType } from './token-type.ts'
import { decodeClaims, splitToken } from './unverified.ts'
import { IssuerUnavailable, type Verdict, type Verifier } from './verdict.ts'
import type { VerifiedTokens } from './verified-tokens.ts'

/** How the encrypted tokens of one issuer are read. */
export interface TokenEncryption {
  readonly decrypt: Decryption
  /** What the key was made of: issuers with the same are tried once for all. */
  readonly options: DecryptionOptions
  /** Whether tokens of the issuer that are not encrypted are refused. */
  readonly isRequired: boolean
}

/** What a verifier needs of {@link VerifiedTokens}. */
export type TokenMemory = Pick<VerifiedTokens, 'find' | 'remember' | 'forget'>

/** Decryptions at a time; what comes on top is told to try again. */
const maxRunning = 100

/**
 * Judges encrypted tokens: a compact JWE around a signed JWT (RFC 7519 section 5.2), which is then judged as any other of
 * the issuer whose key opened it. Verified ones are remembered by the whole outer token; the inner one is never kept,
 * since it would pass for a token that was sent in the clear.
 * @param createSigned makes the verifier of what was inside, which remembers where it is told
 */
export function createEncryptedTokens(
  issuers: TrustedIssuers,
  outer: TokenMemory,
  createSigned: (memory: TokenMemory) => Verifier
): Verifier {
  const outerOf = new Map<string, string>()
  const verifySigned = createSigned({
    find: () => undefined,
    // at once, so that a token that is revoked meanwhile does not stay
    remember: (inner, ...grounds) => {
      const token = outerOf.get(inner)
      if (token === undefined || isPadded(token, inner)) return
      outer.remember(token, ...grounds)
    },
    forget: () => undefined
  })
  let running = 0

  const judge = async (token: string): Promise<Verdict> => {
    running++
    const inner = await open(token, issuers).finally(() => running--)
    if (inner instanceof Refusal) return inner
    outerOf.set(inner, token)
    try {
      return await verifySigned(inner)
    } finally {
      outerOf.delete(inner)
    }
  }

  return (token) => {
    if (!saysNested(token)) return refusals.wrong_type
    if (running >= maxRunning) return new IssuerUnavailable('any issuer with encrypted tokens', 1)
    return judge(token)
  }
}

/** Whether a text has the four dots of a compact JWE (RFC 7516 section 7.1). */
export function hasFiveParts(token: string): boolean {
  return token.split('.', 6).length === 5
}

/**
 * Whether a token is far longer than encryption makes it. Anybody can encrypt to us, the holder of one signed token as
 * often as he likes: what is remembered must not be longer than he can have it signed.
 */
function isPadded(token: string, inner: string): boolean {
  return token.length > 2 * inner.length + 2048
}

/** That the content is a JWT and not claims that nobody signed (RFC 7519 section 5.2). */
function saysNested(token: string): boolean {
  const header = decodeClaims(token.slice(0, token.indexOf('.')))
  if (header instanceof Refusal) return false
  const { cty } = header
  return typeof cty === 'string' && normalizedType(cty) === 'jwt'
}

/** The signed token inside; it has to be one of an issuer that encrypts to the key that opened it. */
async function open(token: string, issuers: TrustedIssuers): Promise<string | Refusal> {
  // one after the other: mostly the first is the right one
  for (const { decrypt, options } of issuers.encryptionKeys) {
    const inner = await decrypt(token)
    if (inner === undefined) continue
    const segments = splitToken(inner)
    if (segments instanceof Refusal) return segments
    const claims = decodeClaims(segments.claims)
    if (claims instanceof Refusal) return claims
    const own = issuers.get(claims['iss'])?.encryption?.options
    return isDeepStrictEqual(own, options) ? inner : refusals.untrusted_issuer
  }
  return refusals.undecryptable
}

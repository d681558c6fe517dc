import { isDeepStrictEqual } from 'node:util'
import type { Decryption, DecryptionOptions } from '../issuer/decryption.ts'
import { wrongOption } from '../issuer/option-check.ts'
import type { TrustedIssuers } from '../issuer/trusted-issuer.ts'
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

/** Keys that a token may have to be tried with, since it does not say for which issuer's it was made. */
const maxKeys = 8
/** Decryptions at a time; what comes on top is told to try again. */
const maxRunning = 100

/**
 * Judges encrypted tokens: a compact JWE around a signed JWT (RFC 7519 section 5.2), which is then judged as any other of
 * the issuer whose key opened it. Verified ones are remembered by the whole outer token; the inner one is never kept,
 * since it would pass for a token that was sent in the clear.
 * @param createSigned makes the verifier of what was inside, which remembers where it is told
 * @returns undefined if no issuer has encrypted tokens
 * @throws {TypeError} if the issuers have more than eight different keys
 */
export function createEncryptedTokens(
  issuers: TrustedIssuers,
  outer: TokenMemory,
  createSigned: (memory: TokenMemory) => Verifier
): Verifier | undefined {
  const keys = keysOf(issuers)
  const [first] = keys
  if (first === undefined) return undefined
  const outerOf = new Map<string, string>()
  const verifySigned = createSigned({
    find: () => undefined,
    // at once, so that a token that is revoked meanwhile does not stay
    remember: (inner, ...grounds) => {
      const token = outerOf.get(inner)
      if (token !== undefined) outer.remember(token, ...grounds)
    },
    forget: () => undefined
  })
  let running = 0

  const judge = async (token: string): Promise<Verdict> => {
    running++
    const inner = await open(token, keys).finally(() => running--)
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
    if (running >= maxRunning) return new IssuerUnavailable(first.issuer, 1)
    return judge(token)
  }
}

/** Whether a text has the four dots of a compact JWE (RFC 7516 section 7.1). */
export function hasFiveParts(token: string): boolean {
  return token.split('.', 6).length === 5
}

/** A key, and the issuers that encrypt to it. */
interface SharedKey {
  readonly issuer: string
  readonly decrypt: Decryption
  readonly options: DecryptionOptions
  readonly issuers: Set<unknown>
}

function keysOf(issuers: TrustedIssuers): readonly SharedKey[] {
  const keys: SharedKey[] = []
  for (const [issuer, { encryption }] of issuers) {
    if (encryption === undefined) continue
    const { decrypt, options } = encryption
    const known = keys.find((key) => isDeepStrictEqual(key.options, options))
    if (known !== undefined) known.issuers.add(issuer)
    else keys.push({ issuer, decrypt, options, issuers: new Set([issuer]) })
    if (keys.length > maxKeys)
      throw wrongOption(`decryption of ${issuer}`, 'a ninth key', `${maxKeys} keys in all`)
  }
  return keys
}

/** That the content is a JWT and not claims that nobody signed (RFC 7519 section 5.2). */
function saysNested(token: string): boolean {
  const header = decodeClaims(token.slice(0, token.indexOf('.')))
  if (header instanceof Refusal) return false
  const { cty } = header
  return typeof cty === 'string' && normalizedType(cty) === 'jwt'
}

/** The signed token inside; it has to be one of an issuer that encrypts to the key that opened it. */
async function open(token: string, keys: readonly SharedKey[]): Promise<string | Refusal> {
  // one after the other: mostly the first is the right one
  for (const { decrypt, issuers } of keys) {
    const inner = await decrypt(token)
    if (inner === undefined) continue
    const segments = splitToken(inner)
    if (segments instanceof Refusal) return segments
    const claims = decodeClaims(segments.claims)
    if (claims instanceof Refusal) return claims
    return issuers.has(claims['iss']) ? inner : refusals.untrusted_issuer
  }
  return refusals.undecryptable
}

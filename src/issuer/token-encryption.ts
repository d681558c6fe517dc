import type { TokenEncryption } from '../token/encrypted-tokens.ts'
import type { Decryption, DecryptionOptions } from './decryption.ts'
import type { TokenKind } from './opaque-token-options.ts'
import { check, wrongOption } from '../config/option-check.ts'

const modes = ['off', 'optional', 'required'] as const

export interface TokenEncryptionOptions {
  readonly issuer: string
  readonly tokens?: readonly TokenKind[] | undefined
  /** The key that this issuer encrypts to. */
  readonly decryption?: DecryptionOptions | undefined
  /**
   * Whether its tokens are encrypted (RFC 7519 section 5.2): `required` refuses those that are not (RFC 9068 section 4).
   * Default `optional` with `decryption`, else `off`.
   */
  readonly encryptedTokens?: (typeof modes)[number] | undefined
}

/**
 * Checks what is said of an issuer's encrypted tokens, whose key was read.
 * @returns undefined if encrypted tokens of this issuer are not read here
 * @throws {TypeError} that names setting and issuer, what was found and what is allowed; never shows a key
 */
export function readTokenEncryption(
  { issuer, tokens = ['jwt'], decryption, encryptedTokens }: TokenEncryptionOptions,
  decrypt: Decryption | undefined
): TokenEncryption | undefined {
  const name = `encryptedTokens of ${issuer}`
  const isMode = encryptedTokens === undefined || modes.includes(encryptedTokens)
  check(isMode, name, encryptedTokens, modes.join(', '))
  const isWanted = encryptedTokens === 'optional' || encryptedTokens === 'required'
  const found = JSON.stringify(encryptedTokens)
  const isReadHere = tokens.some((kind) => kind !== 'opaque')
  if (isWanted && !isReadHere)
    throw wrongOption(name, `${found} with opaque tokens alone`, 'off, since the issuer reads them')
  if (decryption === undefined || decrypt === undefined) {
    if (isWanted) throw wrongOption(name, `${found} without decryption`, 'off, or decryption')
    return undefined
  }
  if (encryptedTokens === 'off' || !isReadHere) return undefined
  return { decrypt, options: decryption, isRequired: encryptedTokens === 'required' }
}

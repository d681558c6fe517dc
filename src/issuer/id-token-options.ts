import type { ClaimMapping } from '../token/claim-mapping.ts'
import type { IdTokenPolicy } from '../token/id-token.ts'
import type { TokenKind } from './opaque-token-options.ts'
import type { TokenMarkOptions } from './token-marks.ts'
import { check, isListOf, isText, wrongOption } from '../config/option-check.ts'
import { isObject } from '../json/object.ts'

/** Which ID tokens may stand in for access tokens. */
export interface IdTokenOptions {
  /** The clients they must be made for: those of this API's own apps. */
  readonly clientId: string | readonly string[]
}

export interface IdTokenSettings {
  readonly issuer: string
  readonly audience: string | readonly string[]
  readonly tokens?: readonly TokenKind[] | undefined
  /** Default, where `tokens` has nothing but `id`: the `audience`. */
  readonly idTokens?: IdTokenOptions | undefined
}

/**
 * Checks what is said of an issuer's ID tokens.
 * @returns undefined if they are refused, as they are unless `tokens` has `id`
 * @throws {TypeError} that names setting and issuer, what was found and what is allowed
 */
export function readIdTokenOptions(
  { issuer, audience, tokens = ['jwt'], idTokens }: IdTokenSettings,
  mapping: ClaimMapping
): IdTokenPolicy | undefined {
  const name = `idTokens of ${issuer}`
  if (!tokens.includes('id')) {
    if (idTokens === undefined) return undefined
    throw wrongOption(name, 'a value', 'nothing, or "id" among tokens')
  }
  const areOnly = !tokens.includes('jwt')
  const settings = idTokens ?? (areOnly ? { clientId: audience } : undefined)
  const allowed = 'an object with clientId, since tokens has "id" beside "jwt"'
  check(isObject(settings), name, idTokens, allowed)
  const unknown = Object.keys(settings).find((member) => member !== 'clientId')
  check(unknown === undefined, `idTokens.${unknown} of ${issuer}`, 'an unknown option', 'clientId')
  const clientIds: unknown[] = [settings.clientId].flat()
  check(
    isListOf(clientIds, isText),
    `idTokens.clientId of ${issuer}`,
    settings.clientId,
    'one or more client ids'
  )
  return { clientIds: new Set(clientIds), areOnly, mapping: withoutScopes(mapping) }
}

/** Required claims are those of access tokens: left out without a word, the check would be missed. */
export function refuseClaimsOfIdTokens({
  issuer,
  tokens,
  requiredClaims
}: Pick<IdTokenSettings, 'issuer' | 'tokens'> & TokenMarkOptions): void {
  if (requiredClaims === undefined || tokens?.every((kind) => kind === 'id') !== true) return
  const allowed =
    'nothing, as tokens has "id" alone and they are asked of access tokens; see allow in config.auth'
  throw wrongOption(`requiredClaims of ${issuer}`, 'a value', allowed)
}

/**
 * Whatever an ID token says, it grants nothing; its client is who asked for it (OpenID Connect Core 1.0 section 2),
 * which without `azp` is its only audience, in a list or not.
 */
function withoutScopes(mapping: ClaimMapping): ClaimMapping {
  return Object.freeze({ ...mapping, scopeClaims: [], client: [['azp'], ['aud'], ['aud', '0']] })
}

import { isDeepStrictEqual } from 'node:util'
import type { TokenEncryption } from '../token/encrypted-tokens.ts'
import type { Verifier } from '../token/verdict.ts'
import { createEntries, type Entries } from './issuer-entries.ts'
import { documentHome } from './issuer-template.ts'
import { spreadTenants, type Tenants } from './issuer-tenants.ts'
import { wrongOption } from '../config/option-check.ts'
import type { IssuerOptions } from './issuer-options.ts'
import type { TrustDependencies, TrustedIssuer } from './trusted-issuer.ts'

/** A list of issuers, checked and ready to be looked up; replaced as a whole. */
export interface IssuerList extends Tenants {
  readonly entries: Entries
  readonly issuers: readonly TrustedIssuer[]
  /** Those without whose keys the API is not ready. */
  readonly required: readonly TrustedIssuer[]
  /** The identifiers that clients are told (RFC 9728 section 2). */
  readonly advertised: readonly string[]
  /** What judges tokens that say nothing of their issuer. */
  readonly opaqueTokens: Verifier | undefined
  /** The different keys that issuers encrypt their tokens to. */
  readonly encryptionKeys: readonly TokenEncryption[]
}

/** Identifiers that clients are told; of more only those of required issuers: a thousand tenants are nobody's business. */
const maxAdvertised = 100

/**
 * Makes a list of issuers; nothing is fetched. Issuers that are the same as in `previous` are taken from there.
 * @throws {TypeError} that names the issuer and its option, what was found and what is allowed
 */
export function createIssuerList(
  options: readonly IssuerOptions[],
  dependencies: TrustDependencies,
  previous?: IssuerList
): IssuerList {
  const entries = createEntries(options, dependencies, previous?.entries)
  const tenants = spreadTenants(entries)
  const issuers = [...entries.values()].map(({ issuer }) => issuer)
  return {
    ...tenants,
    entries,
    issuers,
    required: issuers.filter(({ required }) => required),
    advertised: Object.freeze(advertised(entries, tenants)),
    opaqueTokens: issuers.flatMap(({ opaqueTokens }) => opaqueTokens ?? [])[0],
    encryptionKeys: differentKeys(issuers)
  }
}

/** Keys that an encrypted token may have to be tried with, since it does not say for which issuer's it was made. */
const maxKeys = 8

function differentKeys(issuers: readonly TrustedIssuer[]): readonly TokenEncryption[] {
  const keys: TokenEncryption[] = []
  for (const { policy, encryption } of issuers) {
    if (encryption === undefined) continue
    if (keys.some(({ options }) => isDeepStrictEqual(options, encryption.options))) continue
    if (keys.push(encryption) > maxKeys)
      throw wrongOption(`decryption of ${policy.issuer}`, 'a ninth key', `${maxKeys} keys in all`)
  }
  return keys
}

/** Any tenant is told by where the metadata of all of them is. */
function advertised(entries: Entries, { byIss }: Tenants): string[] {
  const open = [...entries.values()]
    .filter(({ options }) => options.tenants === 'any')
    .map(({ options }) => documentHome(options.issuer))
  const named = [...byIss].filter(([, { required }]) => byIss.size <= maxAdvertised || required)
  return [...named.map(([iss]) => iss), ...open]
}

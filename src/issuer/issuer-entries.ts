import { isDeepStrictEqual } from 'node:util'
import { refuseSecondIssuerOfOpaqueTokens } from './opaque-token-options.ts'
import { check } from '../config/option-check.ts'
import { readUtf8 } from '../config/option-file.ts'
import type { IssuerOptions } from './issuer-options.ts'
import { withOwnKeys } from './static-keys.ts'
import {
  createTrustedIssuer,
  type TrustDependencies,
  type TrustedIssuer
} from './trusted-issuer.ts'
import { isObject } from '../json/object.ts'

/** An issuer, and all that it was made of: while that stays the same, so does the issuer. */
export interface Entry {
  readonly options: IssuerOptions
  /** What was read of the files that the options name, by their paths. */
  readonly files: ReadonlyMap<string, string>
  readonly issuer: TrustedIssuer
}

/** The entries of a list, by the `issuer` of their options. */
export type Entries = ReadonlyMap<string, Entry>

/** Issuers of a list that are required unless their options say otherwise; of a longer list none is. */
const maxRequired = 100

/**
 * Makes the entries of a list of issuers. Those that are the same as among `previous` are taken from there.
 * @throws {TypeError} that names the issuer and its option, what was found and what is allowed
 */
export function createEntries(
  list: readonly IssuerOptions[],
  dependencies: TrustDependencies,
  previous: Entries = new Map()
): Entries {
  check(Array.isArray(list), 'issuers', list, 'a list of issuers')
  const required = list.length <= maxRequired
  const entries = new Map<string, Entry>()
  for (const [index, given] of list.entries()) {
    const entry = named(index, list, () => {
      const options = isObject(given) ? { required, ...given } : given
      const known = previous.get(options?.issuer)
      return known && isSame(known, options, dependencies)
        ? known
        : createEntry(options, dependencies)
    })
    const { issuer } = entry.options
    if (entries.has(issuer)) throw new TypeError(`issuers: ${issuer} is listed twice`)
    entries.set(issuer, entry)
  }
  refuseSecondIssuerOfOpaqueTokens(list)
  return entries
}

/** Among several issuers, a fault says whose it is. */
function named(index: number, list: readonly IssuerOptions[], make: () => Entry): Entry {
  try {
    return make()
  } catch (error) {
    if (!(error instanceof TypeError) || list.length === 1) throw error
    const issuer = String(list[index]?.issuer)
    if (error.message.includes(` of ${issuer}`)) throw error
    throw new TypeError(`issuers[${index}] (${issuer}): ${error.message}`, { cause: error })
  }
}

function createEntry(options: IssuerOptions, dependencies: TrustDependencies): Entry {
  const { readFile: read = readUtf8 } = dependencies
  const files = new Map<string, string>()
  const readFile = (path: string): string => {
    const text = read(path)
    files.set(path, text)
    return text
  }
  const issuer = createTrustedIssuer(options, { ...dependencies, readFile })
  return { options: withOwnKeys(options), files, issuer }
}

function isSame(
  { options, files }: Entry,
  given: IssuerOptions,
  { readFile: read = readUtf8 }: TrustDependencies
): boolean {
  return (
    isDeepStrictEqual(options, given) && [...files].every(([path, text]) => reads(read, path, text))
  )
}

/** A file that can not be read is told by the one who needs it. */
function reads(read: (path: string) => string, path: string, text: string): boolean {
  try {
    return read(path) === text
  } catch {
    return false
  }
}

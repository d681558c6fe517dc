import { check, isText, wrongOption } from '../config/option-check.ts'
import { readOptionFile } from '../config/option-file.ts'
import { isObject } from '../json/object.ts'
import { type Observer, silentObserver } from '../observe/observer.ts'
import type { TokenPolicy } from '../token/policy.ts'
import type { IssuerOptions } from './issuer-options.ts'
import type { KeySource } from './key-source.ts'
import { maxKeys } from './key-store.ts'
import { createKeyPreparation, type PreparedKeys } from './prepare-keys.ts'
import { isSecretKey } from './signing-key.ts'

/** A key set as it is written down (RFC 7517 section 5); all its keys are public. */
export interface StaticKeySet {
  readonly keys: readonly object[]
}

/** The keys of an issuer that is not asked for them. One of the two. */
export interface StaticKeyOptions {
  /** Its key set: then neither metadata nor keys are read from the issuer. */
  readonly jwks?: StaticKeySet | undefined
  /** Path of a file with its key set; read at the start, and again with each new list of issuers. */
  readonly jwksFile?: string | undefined
}

export interface StaticKeyDependencies {
  readonly observer?: Observer | undefined
  /** Reads the files that options name. Default: Node's. */
  readonly readFile?: ((path: string) => string) | undefined
}

/** Seconds after which the kept keys are taken up anew, well before the time for which any key counts without that. */
const maxAge = 3600
const allowedSet = `an object with "keys", a list of 1 to ${maxKeys} public keys (RFC 7517)`

/**
 * The options of an issuer with what static keys set: `/me` has its claims from the token, since no metadata say where
 * UserInfo is. Without static keys they are returned as they are.
 * @throws {TypeError} that names setting and issuer, what was found and what is allowed, if an option needs metadata
 */
export function withStaticKeys(options: IssuerOptions): IssuerOptions {
  const given = settingOf(options)
  if (given === undefined) return options
  const { issuer, userinfo = 'claims', tokenExchange, introspection } = options
  const refuse = (name: string, found: string, allowed: string): never => {
    throw wrongOption(`${name} of ${issuer}`, found, `${allowed}, as ${given} leaves no metadata`)
  }
  if (userinfo === 'forward' || userinfo === 'exchange')
    refuse('userinfo', `"${userinfo}"`, 'claims, introspection, off')
  if (tokenExchange !== undefined) refuse('tokenExchange', 'a value', 'nothing')
  if (isObject(introspection) && introspection['endpoint'] === undefined)
    refuse('introspection.endpoint', 'nothing', 'the URL to ask')
  return { ...options, userinfo }
}

/**
 * The options with a key set of their own, to be compared with later ones: a list of keys is easily changed in place.
 */
export function withOwnKeys(options: IssuerOptions): IssuerOptions {
  const { jwks } = options
  return jwks === undefined ? options : { ...options, jwks: structuredClone(jwks) }
}

/**
 * Makes the source of an issuer's static keys; nothing is ever fetched. Keys that can not be used are left out and
 * reported, as those of a downloaded set.
 * @returns undefined if the keys are the issuer's to give
 * @throws {TypeError} that names setting and issuer, and never shows a key, if no token could be verified with the set
 */
export function createStaticKeySource(
  options: IssuerOptions,
  { algorithms }: Pick<TokenPolicy, 'algorithms'>,
  { observer = silentObserver, readFile }: StaticKeyDependencies
): KeySource | undefined {
  const setting = settingOf(options)
  if (setting === undefined) return undefined
  const { issuer } = options
  const name = `${setting} of ${issuer}`
  const jwks = keysOf(name, readSet(name, options, readFile))
  refuseSecrets(name, jwks)
  const faults: string[] = []
  const keySkipped: Observer['keySkipped'] = (skipped) => {
    faults.push(skipped.fault)
    observer.keySkipped(skipped)
  }
  const context = {
    issuer,
    prepare: () => () => false,
    observer: { ...silentObserver, keySkipped }
  }
  const usable = createKeyPreparation(context)(jwks, new Map())
  checkUsable(name, usable, algorithms, faults)
  // texts, so that nobody changes the keys in place
  const texts = [...usable.keys()]
  return async () => ({
    metadata: undefined,
    jwks: texts.map((text): unknown => JSON.parse(text)),
    maxAge
  })
}

function settingOf({ issuer, jwks, jwksFile }: IssuerOptions): 'jwks' | 'jwksFile' | undefined {
  if (jwks !== undefined && jwksFile !== undefined)
    throw wrongOption(`jwksFile of ${issuer}`, 'a value beside jwks', 'one of the two')
  if (jwksFile !== undefined) return 'jwksFile'
  return jwks === undefined ? undefined : 'jwks'
}

function readSet(
  name: string,
  { jwks, jwksFile }: StaticKeyOptions,
  readFile: StaticKeyDependencies['readFile']
): unknown {
  if (jwksFile === undefined) return jwks
  check(isText(jwksFile), name, jwksFile, 'the path of a file')
  const text = readOptionFile(name, jwksFile, readFile)
  try {
    return JSON.parse(text)
  } catch {
    // without its cause, which quotes the file
    throw wrongOption(name, 'a file that is not JSON', allowedSet)
  }
}

function keysOf(name: string, set: unknown): readonly unknown[] {
  const keys = isObject(set) ? set['keys'] : undefined
  if (!Array.isArray(keys)) throw wrongOption(name, 'no list of keys', allowedSet)
  if (keys.length === 0 || keys.length > maxKeys)
    throw wrongOption(name, `${keys.length} keys`, allowedSet)
  return keys
}

/** An issuer that publishes a private key is at fault, and does without it; who hands us one should know at once. */
function refuseSecrets(name: string, jwks: readonly unknown[]): void {
  const index = jwks.findIndex((jwk) => isObject(jwk) && isSecretKey(jwk))
  if (index < 0) return
  const keyId = (jwks[index] as { kid?: unknown }).kid
  const which = typeof keyId === 'string' ? `kid ${JSON.stringify(keyId.slice(0, 256))}` : 'no kid'
  const found = `a private or secret key (keys[${index}], ${which})`
  throw wrongOption(name, found, 'public keys alone')
}

function checkUsable(
  name: string,
  keys: PreparedKeys,
  accepted: TokenPolicy['algorithms'],
  [fault]: readonly string[]
): void {
  const algorithms = [...keys.values()].flatMap((key) => key.algorithms)
  if (algorithms.some((algorithm) => accepted.has(algorithm))) return
  const found =
    keys.size === 0
      ? `no usable key (the first: ${fault})`
      : `no key for the accepted algorithms, but for ${[...new Set(algorithms)].join(', ')}`
  throw wrongOption(name, found, 'a public signature key for one of the accepted algorithms')
}

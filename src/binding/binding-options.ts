import { isAddressBlock, isRedisUrl } from '../config/rules.ts'
import { check, isListFrom, wrongOption } from '../config/option-check.ts'
import { readOptionFile } from '../config/option-file.ts'
import { type Algorithm, supportedAlgorithms } from '../token/algorithms.ts'
import type { BindingMode, BindingPolicy } from '../token/confirmation.ts'
import { isObject } from '../json/object.ts'

/** How DPoP proofs are judged (RFC 9449), for all issuers with `dpop`. */
export interface ProofOptions {
  /** Whether proofs need a nonce of ours; then the client's clock does not matter. Default false. */
  readonly nonces?: boolean | undefined
  /** What nonces are made from, 32 characters or more; the same for all instances. Default: another in each process. */
  readonly nonceSecret?: string | undefined
  /** Path of a file with it, read at the start and again with each later list of issuers. */
  readonly nonceSecretFile?: string | undefined
  /** Accepted signature algorithms. Default: ES256 to ES512, EdDSA, Ed25519, PS256, RS256. */
  readonly algorithms?: readonly Algorithm[] | undefined
}

/** What an API says about bound tokens, whatever their issuer. */
export interface BindingOptions {
  readonly dpopProofs?: ProofOptions | undefined
  /** Proxies whose Client-Cert field tells the client's certificate (RFC 9440): addresses and CIDR blocks. Default none. */
  readonly clientCertFrom?: readonly string[] | undefined
  /** Remembers used proofs for all instances. Default: each process for itself. */
  readonly redisUrl?: string | undefined
}

/** What the options are checked against. */
export interface BindingSurroundings {
  /** By issuer. */
  readonly bindings: ReadonlyMap<string, BindingPolicy>
  /** Whether issuers are resolved at run time: then what is set up here is for them as well. */
  readonly isOpen?: boolean | undefined
  /** Whether the issuers that options were given for may have gone since: then these do nothing. */
  readonly mayIdle?: boolean | undefined
  readonly publicUrl: unknown
  /** Whether the server itself speaks TLS with the client. */
  readonly isTlsServer: () => boolean
  /** Default: Node's. @throws if it can not */
  readonly readFile?: ((path: string) => string) | undefined
}

/** Checked options of an API that accepts bound tokens. */
export interface BindingSettings {
  /** undefined if DPoP is off for all issuers. */
  readonly proofs: ProofSettings | undefined
  /** undefined if certificates are of no matter for any issuer. */
  readonly clientCertFrom: readonly string[] | undefined
}

export interface ProofSettings {
  readonly algorithms: readonly Algorithm[]
  /** Whether every issuer demands DPoP. */
  readonly isRequired: boolean
  readonly nonces: boolean
  readonly nonceSecret: string | undefined
}

const usualAlgorithms = ['ES256', 'ES384', 'ES512', 'EdDSA', 'Ed25519', 'PS256', 'RS256'] as const
const modes: ReadonlySet<unknown> = new Set<BindingMode>(['off', 'optional', 'required'])
const minSecretLength = 32

/**
 * Checks `dpop` and `mtls` of one issuer; both default to `off`.
 * @throws {TypeError} that names the option, what was found and what is allowed
 */
export function readBindingPolicy({
  dpop = 'off',
  mtls = 'off'
}: {
  readonly dpop?: BindingMode | undefined
  readonly mtls?: BindingMode | undefined
}): BindingPolicy {
  check(modes.has(dpop), 'dpop', dpop, 'off, optional or required')
  check(modes.has(mtls), 'mtls', mtls, 'off, optional or required')
  return Object.freeze({ dpop, mtls })
}

/**
 * Checks what is said of bound tokens, and reads the file it names.
 * @throws {TypeError} that names the option, what was found and what is allowed; never shows a secret
 */
export function readBindingOptions(
  options: BindingOptions,
  surroundings: BindingSurroundings
): BindingSettings {
  const { redisUrl } = options
  if (redisUrl !== undefined && !isRedisUrl(redisUrl))
    throw wrongOption('redisUrl', 'a value that is none', 'a redis:// or rediss:// URL')
  return {
    proofs: readProofOptions(options, surroundings),
    clientCertFrom: readCertificateOptions(options, surroundings)
  }
}

function readProofOptions(
  { dpopProofs }: BindingOptions,
  { bindings, isOpen = false, mayIdle = false, publicUrl, readFile }: BindingSurroundings
): ProofSettings | undefined {
  const issuer = issuerWith('dpop', bindings)
  if (issuer === undefined) {
    if (dpopProofs === undefined || (mayIdle && !isOpen)) return undefined
    if (!isOpen) throw wrongOption('dpopProofs', 'a value', 'only with dpop of an issuer')
  }
  check(
    publicUrl !== undefined,
    'publicUrl',
    publicUrl,
    `the URL of this API: ${issuer === undefined ? 'dpopProofs needs' : `dpop of ${issuer} needs`} it`
  )
  const supported = allowedAlgorithms(bindings)
  const usual = usualAlgorithms.filter((name) => supported.includes(name))
  const { nonces = false, algorithms = usual } = checkNames(dpopProofs ?? {})
  check(typeof nonces === 'boolean', 'dpopProofs.nonces', nonces, 'true or false')
  const fits = isListFrom(algorithms, supported)
  check(fits, 'dpopProofs.algorithms', algorithms, `one or more of ${supported.join(', ')}`)
  const nonceSecret = readSecret(dpopProofs ?? {}, readFile)
  if (nonceSecret !== undefined && !nonces)
    throw wrongOption('dpopProofs.nonceSecret', 'a value', 'only with nonces: true')
  const isRequired =
    bindings.size > 0 && [...bindings.values()].every(({ dpop }) => dpop === 'required')
  return { algorithms, isRequired, nonces, nonceSecret }
}

/** Proofs are read before their issuer's rules are looked at: the strictest issuer counts for all. */
function allowedAlgorithms(bindings: BindingSurroundings['bindings']): readonly Algorithm[] {
  const limited = [...bindings.values()].find(({ proofAlgorithms }) => proofAlgorithms)
  return limited?.proofAlgorithms ?? supportedAlgorithms
}

/**
 * Checks an issuer that is resolved at run time: its tokens can be bound only in ways that are set up for others, since
 * what clients are told can not wait for it.
 * @throws {TypeError} that names the option, what was found and what is allowed
 */
export function checkResolvedBindings(
  { proofs, clientCertFrom }: BindingSettings,
  { dpop, mtls, proofAlgorithms }: BindingPolicy
): void {
  const unless = (option: string) => `off without the option ${option} or an issuer of the list`
  check(dpop === 'off' || proofs !== undefined, 'dpop', dpop, unless('dpopProofs'))
  check(mtls === 'off' || clientCertFrom !== undefined, 'mtls', mtls, unless('clientCertFrom'))
  if (dpop === 'off' || proofAlgorithms === undefined) return
  const alien = proofs?.algorithms.find((name) => !proofAlgorithms.includes(name))
  const allowed = `a profile that accepts proofs with ${alien} as well`
  check(alien === undefined, 'profile', proofAlgorithms, allowed)
}

const proofOptionNames = ['nonces', 'nonceSecret', 'nonceSecretFile', 'algorithms']

function checkNames(options: ProofOptions): ProofOptions {
  const allowed = `an object with ${proofOptionNames.join(', ')}`
  check(isObject(options), 'dpopProofs', options, allowed)
  const unknown = Object.keys(options).find((name) => !proofOptionNames.includes(name))
  if (unknown === undefined) return options
  throw wrongOption(`dpopProofs.${unknown}`, 'an unknown option', proofOptionNames.join(', '))
}

function readSecret(
  { nonceSecret, nonceSecretFile }: ProofOptions,
  readFile?: (path: string) => string
): string | undefined {
  if (nonceSecretFile === undefined) return checkSecret('dpopProofs.nonceSecret', nonceSecret)
  const name = 'dpopProofs.nonceSecretFile'
  if (nonceSecret !== undefined) throw wrongOption(name, 'nonceSecret beside it', 'one of the two')
  return checkSecret(name, readOptionFile(name, nonceSecretFile, readFile).trim())
}

function checkSecret(name: string, secret: string | undefined): string | undefined {
  if (secret === undefined) return undefined
  if (typeof secret === 'string' && secret.length >= minSecretLength) return secret
  throw wrongOption(
    name,
    'a value that is none',
    `a secret of ${minSecretLength} characters or more`
  )
}

function readCertificateOptions(
  { clientCertFrom }: BindingOptions,
  { bindings, isOpen = false, mayIdle = false, isTlsServer }: BindingSurroundings
): readonly string[] | undefined {
  const issuer = issuerWith('mtls', bindings)
  const proxies = clientCertFrom ?? []
  const isList = Array.isArray(proxies) && proxies.every(isBlock)
  check(
    isList,
    'clientCertFrom',
    clientCertFrom,
    'a list of IP addresses and CIDR blocks of proxies'
  )
  if (issuer === undefined && !(isOpen && proxies.length > 0)) {
    const isIdle = proxies.length === 0 || mayIdle
    check(isIdle, 'clientCertFrom', clientCertFrom, 'only with mtls of an issuer')
    return undefined
  }
  if (proxies.length === 0 && !isTlsServer()) {
    const allowed = `the proxies that send Client-Cert, or a server with TLS: mtls of ${issuer} needs one`
    throw wrongOption('clientCertFrom', 'nothing', allowed)
  }
  return proxies
}

function isBlock(entry: unknown): boolean {
  return typeof entry === 'string' && isAddressBlock(entry)
}

function issuerWith(
  kind: keyof BindingPolicy,
  bindings: BindingSurroundings['bindings']
): string | undefined {
  return [...bindings.keys()].find((issuer) => bindings.get(issuer)?.[kind] !== 'off')
}

import { createPrivateKey, type JsonWebKey, type KeyObject, randomUUID } from 'node:crypto'
import { check, isText, wrongOption } from '../config/option-check.ts'
import { readOptionFile } from '../config/option-file.ts'
import type { Algorithm } from '../token/algorithms.ts'

const authMethods = ['client_secret_basic', 'client_secret_post', 'private_key_jwt'] as const

/** How this API, as a client of the issuer, says who it is (OpenID Connect Core 1.0 section 9). */
export interface ClientOptions {
  readonly clientId: string
  /** The secret itself; only one of this and `clientSecretFile`. */
  readonly clientSecret?: string | undefined
  /** Path of a file with the secret, read once at the start. */
  readonly clientSecretFile?: string | undefined
  /** Path of a file with the private key, as PEM or as a JWK with `kid`; read once at the start. */
  readonly privateKeyFile?: string | undefined
  /** Default: `private_key_jwt` with a key, `client_secret_basic` with a secret. */
  readonly authMethod?: (typeof authMethods)[number] | undefined
}

/** What a request to the issuer carries so that the issuer knows its client. */
export interface ClientCredentials {
  readonly headers: Readonly<Record<string, string>>
  readonly form: Readonly<Record<string, string>>
}

/** Makes the credentials of one request. */
export type ClientAuthentication = () => Promise<ClientCredentials>

export interface ClientAuthenticationContext {
  /** The issuer to authenticate to: the audience of assertions, and named in errors. */
  readonly issuer: string
  /** Name of the setting that holds the options, for errors. */
  readonly setting: string
  /** Default: Node's. @throws if it can not */
  readonly readFile: ((path: string) => string) | undefined
  /** Milliseconds since the epoch. */
  readonly clock: () => number
  /** The only signature algorithms of assertions. Default: any. */
  readonly algorithms?: readonly Algorithm[] | undefined
}

/**
 * Prepares the authentication of a confidential client.
 * @throws {TypeError} for options that are incomplete or contradict one another, and files that can not be used;
 *   never shows a secret
 */
export function createClientAuthentication(
  options: ClientOptions,
  context: ClientAuthenticationContext
): ClientAuthentication {
  const { clientId, privateKeyFile } = options
  checkName('clientId', clientId, context)
  const method = methodOf(options, context)
  if (method === 'private_key_jwt') {
    const path = checkName('privateKeyFile', privateKeyFile, context)
    return withPrivateKey(clientId, readKey(path, context), context)
  }
  const secret = readSecret(options, context)
  const credentials =
    method === 'client_secret_basic'
      ? { headers: { authorization: basic(clientId, secret) }, form: {} }
      : { headers: {}, form: { client_id: clientId, client_secret: secret } }
  return async () => credentials
}

const credentialNames = ['clientSecret', 'clientSecretFile', 'privateKeyFile'] as const

/** Exactly one kind of credentials, and that of the method. */
function methodOf(options: ClientOptions, context: ClientAuthenticationContext) {
  const given = credentialNames.filter((name) => options[name] !== undefined)
  const usual = given.includes('privateKeyFile') ? 'private_key_jwt' : 'client_secret_basic'
  const { authMethod: method = usual } = options
  const name = nameOf('authMethod', context)
  check(authMethods.includes(method), name, method, authMethods.join(', '))
  const needsKey = method === 'private_key_jwt'
  const [only, ...more] = given
  const fits = only !== undefined && more.length === 0 && (only === 'privateKeyFile') === needsKey
  if (fits) return method
  const found = `${method} with ${given.join(' and ') || 'no credentials'}`
  const allowed = needsKey ? 'privateKeyFile alone' : 'one of clientSecret, clientSecretFile'
  throw wrongOption(name, found, allowed)
}

function readSecret(
  { clientSecret, clientSecretFile }: ClientOptions,
  context: ClientAuthenticationContext
): string {
  const allowed = 'a secret that is not empty'
  if (clientSecret !== undefined) {
    if (isText(clientSecret)) return clientSecret
    throw wrongOption(nameOf('clientSecret', context), 'a value that is none', allowed)
  }
  const path = checkName('clientSecretFile', clientSecretFile, context)
  const secret = readOptionFile(nameOf('clientSecretFile', context), path, context.readFile).trim()
  if (secret !== '') return secret
  throw wrongOption(
    nameOf('clientSecretFile', context),
    `${JSON.stringify(path)}, which is empty`,
    allowed
  )
}

/** RFC 6749 section 2.3.1 wants both form-encoded before they are joined. */
function basic(clientId: string, secret: string): string {
  const pair = [clientId, secret].map((text) =>
    new URLSearchParams({ '': text }).toString().slice(1)
  )
  return `Basic ${Buffer.from(pair.join(':')).toString('base64')}`
}

interface AssertionKey {
  readonly key: KeyObject
  readonly algorithm: Algorithm
  readonly keyId: string | undefined
}

/** Seconds for which an assertion counts: it is made for one request. */
const assertionLifetime = 60

/** Assertions of RFC 7523; their audience is the issuer, which no other server can pass itself off as. */
function withPrivateKey(
  clientId: string,
  { key, algorithm, keyId }: AssertionKey,
  { issuer, clock }: ClientAuthenticationContext
): ClientAuthentication {
  const header = { alg: algorithm, ...(keyId !== undefined && { kid: keyId }) }
  return async () => {
    const { SignJWT } = await import('jose')
    const now = Math.floor(clock() / 1000)
    const claims = { iss: clientId, sub: clientId, aud: issuer, jti: randomUUID() }
    const assertion = await new SignJWT({ ...claims, iat: now, exp: now + assertionLifetime })
      .setProtectedHeader(header)
      .sign(key)
    const client_assertion_type = 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer'
    return {
      headers: {},
      form: { client_id: clientId, client_assertion_type, client_assertion: assertion }
    }
  }
}

function readKey(path: string, context: ClientAuthenticationContext): AssertionKey {
  const { algorithms } = context
  const text = readOptionFile(nameOf('privateKeyFile', context), path, context.readFile)
  const imported = importPrivateKey(text)
  const algorithm = imported && algorithmOf(imported.key, algorithms)
  const strictly = algorithms === undefined ? '' : `, for one of ${algorithms.join(', ')}`
  check(
    algorithm !== undefined,
    nameOf('privateKeyFile', context),
    path,
    `a file with a private RSA key of 2048 bits or more, or an EC (P-256, P-384, P-521) or Ed25519 one, as PEM or JWK${strictly}`
  )
  return { ...imported, algorithm } as AssertionKey
}

/** A private key of any type from PEM or a JWK; undefined if the text is neither. */
export function importPrivateKey(
  text: string
): { key: KeyObject; keyId: string | undefined } | undefined {
  try {
    if (!text.trimStart().startsWith('{')) return { key: createPrivateKey(text), keyId: undefined }
    const jwk = JSON.parse(text) as JsonWebKey & { kid?: string }
    return { key: createPrivateKey({ key: jwk, format: 'jwk' }), keyId: jwk.kid }
  } catch {
    // the reason would show what the file holds
    return undefined
  }
}

const curves: Readonly<Record<string, readonly Algorithm[]>> = {
  prime256v1: ['ES256'],
  secp384r1: ['ES384'],
  secp521r1: ['ES512']
}

function algorithmOf(key: KeyObject, allowed?: readonly Algorithm[]): Algorithm | undefined {
  const names = algorithmsFor(key)
  return allowed === undefined ? names[0] : names.find((name) => allowed.includes(name))
}

/** The most usual one first. */
function algorithmsFor({
  asymmetricKeyType,
  asymmetricKeyDetails
}: KeyObject): readonly Algorithm[] {
  const { modulusLength = 0, namedCurve = '' } = asymmetricKeyDetails ?? {}
  if (asymmetricKeyType === 'rsa') return modulusLength >= 2048 ? ['RS256', 'PS256'] : []
  if (asymmetricKeyType === 'ec') return curves[namedCurve] ?? []
  return asymmetricKeyType === 'ed25519' ? ['EdDSA'] : []
}

function checkName(name: string, value: unknown, context: ClientAuthenticationContext): string {
  check(isText(value), nameOf(name, context), value, 'a text that is not empty')
  return value
}

function nameOf(name: string, { setting, issuer }: ClientAuthenticationContext): string {
  return `${setting}.${name} of ${issuer}`
}

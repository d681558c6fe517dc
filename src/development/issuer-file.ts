import { generateKeyPair, randomBytes, type KeyObject } from 'node:crypto'
import { mkdir, readFile, rename, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { calculateJwkThumbprint, type JWK } from 'jose'
import { ConfigError } from '../config/error.ts'
import { DevelopmentIssuerError } from './errors.ts'

/** What a development issuer keeps, so that tokens and clients outlive a restart. Holds secrets. */
export interface IssuerFile {
  /** Where the issuer listens, or listened last; the token command looks here. */
  readonly issuer?: string
  /** The secret of the client `latchkey-machine`. */
  readonly clientSecret: string
  /** Private signing keys, the one for access tokens first. */
  readonly keys: readonly JWK[]
}

/** Makes the keys and the client secret of a new development issuer. */
export async function createIssuerFile(): Promise<IssuerFile> {
  const generate = promisify(generateKeyPair)
  const keys = await Promise.all([
    generate('rsa', { modulusLength: 2048 }).then((pair) => privateJwk(pair.privateKey, 'RS256')),
    generate('ec', { namedCurve: 'P-256' }).then((pair) => privateJwk(pair.privateKey, 'ES256')),
    generate('ed25519').then((pair) => privateJwk(pair.privateKey, 'EdDSA'))
  ])
  return { clientSecret: randomBytes(32).toString('base64url'), keys }
}

/**
 * Reads `dev-issuer.json` of a data directory; undefined if there is none.
 * @throws {ConfigError} if it can't be read
 * @throws {DevelopmentIssuerError} with one line that names the file if it isn't what was written
 */
export async function readIssuerFile(dataDir: string): Promise<IssuerFile | undefined> {
  const path = pathIn(dataDir)
  let text: string
  try {
    text = await readFile(path, 'utf8')
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw directoryFault(dataDir, 'read', cause)
  }
  const content = parse(text)
  if (content === undefined) {
    throw new DevelopmentIssuerError(
      `${path} is damaged: delete it, and the next start makes new keys`
    )
  }
  return content
}

/**
 * Writes `dev-issuer.json`, whole or not at all, readable by its owner only.
 * @throws {ConfigError} if it can't be written
 */
export async function writeIssuerFile(dataDir: string, content: IssuerFile): Promise<void> {
  const path = pathIn(dataDir)
  const draft = `${path}.${process.pid}`
  try {
    await mkdir(dataDir, { recursive: true })
    await writeFile(draft, `${JSON.stringify(content, null, 2)}\n`, { mode: 0o600 })
    await rename(draft, path)
  } catch (cause) {
    throw directoryFault(dataDir, 'written', cause)
  }
}

function directoryFault(dataDir: string, verb: string, cause: unknown): ConfigError {
  const { code } = cause as NodeJS.ErrnoException
  const found = `${JSON.stringify(dataDir)}, where dev-issuer.json can not be ${verb} (${code})`
  return new ConfigError('DATA_DIR', found, 'a directory that can be written')
}

function pathIn(dataDir: string): string {
  return join(dataDir, 'dev-issuer.json')
}

function parse(text: string): IssuerFile | undefined {
  try {
    const content = JSON.parse(text) as Partial<IssuerFile> | null
    const whole = typeof content?.clientSecret === 'string' && Array.isArray(content.keys)
    return whole ? (content as IssuerFile) : undefined
  } catch {
    return undefined
  }
}

// Node's own export: Web Crypto prints an experimental warning for Ed25519 on Node 20.
async function privateJwk(key: KeyObject, alg: string): Promise<JWK> {
  const jwk = key.export({ format: 'jwk' }) as JWK
  return { ...jwk, alg, use: 'sig', kid: await calculateJwkThumbprint(jwk) }
}

import { generateKeyPair } from 'node:crypto'
import type { KeyObject } from 'node:crypto'
import { promisify } from 'node:util'
import { calculateJwkThumbprint, exportJWK } from 'jose'
import type { JWK } from 'jose'

const generate = promisify(generateKeyPair)

/** By its own name: what Node's types call it differs from version to version. */
interface KeyPair {
  readonly publicKey: KeyObject
  readonly privateKey: KeyObject
}

const families = [
  {
    algorithms: ['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512'],
    generate: (): Promise<KeyPair> => generate('rsa', { modulusLength: 2048 })
  },
  {
    algorithms: ['ES256'],
    generate: (): Promise<KeyPair> => generate('ec', { namedCurve: 'P-256' })
  },
  {
    algorithms: ['ES384'],
    generate: (): Promise<KeyPair> => generate('ec', { namedCurve: 'P-384' })
  },
  {
    algorithms: ['ES512'],
    generate: (): Promise<KeyPair> => generate('ec', { namedCurve: 'P-521' })
  },
  { algorithms: ['EdDSA', 'Ed25519'], generate: (): Promise<KeyPair> => generate('ed25519') }
] as const

type Family = (typeof families)[number]

/** A JWS algorithm that a test issuer can sign with (RFC 7518 section 3.1, RFC 8037, RFC 9864). */
export type TestAlgorithm = Family['algorithms'][number]

/** All of them; RS256 first, as it is what most issuers sign with. */
export const testAlgorithms: readonly TestAlgorithm[] = families.flatMap(
  ({ algorithms }) => algorithms
)

/** A key of a test issuer: one for all RSA algorithms, one per curve. */
export interface TestKey {
  /** The key's thumbprint (RFC 7638): no two keys share one. */
  readonly kid: string
  /** What it signs with unless told otherwise. */
  readonly alg: TestAlgorithm
  /** All that the issuer signs with it. */
  readonly algorithms: readonly TestAlgorithm[]
  /** As published in the key set; without `alg`, because one key may serve several. */
  readonly publicJwk: JWK
  readonly privateKey: KeyObject
}

type KeyMaterial = Pick<TestKey, 'kid' | 'publicJwk' | 'privateKey'>

// An RSA key takes a tenth of a second to make: those of closed issuers are used again. Two running
// issuers never share a key, or the one's tokens would pass for the other's.
const idle = new Map<Family, KeyMaterial[]>(families.map((family) => [family, []]))

/** Takes one key for each kind of key that the algorithms need, in their order. */
export function takeKeys(algorithms: readonly TestAlgorithm[]): Promise<TestKey[]> {
  const needed = new Set(algorithms.map(familyOf))
  return Promise.all(Array.from(needed, (family) => takeKey(family, algorithms)))
}

/** Gives keys back, for the next issuer of this process. */
export function returnKeys(keys: readonly TestKey[]): void {
  for (const { alg, kid, publicJwk, privateKey } of keys)
    idle.get(familyOf(alg))?.push({ kid, publicJwk, privateKey })
}

async function takeKey(family: Family, wanted: readonly TestAlgorithm[]): Promise<TestKey> {
  const material = idle.get(family)?.pop() ?? (await makeKey(family))
  const algorithms = wanted.filter((alg) => familyOf(alg) === family)
  const [alg = family.algorithms[0]] = algorithms
  return { ...material, alg, algorithms }
}

async function makeKey(family: Family): Promise<KeyMaterial> {
  const { publicKey, privateKey } = await family.generate()
  const jwk = await exportJWK(publicKey)
  const kid = await calculateJwkThumbprint(jwk)
  return { kid, privateKey, publicJwk: { ...jwk, kid, use: 'sig' } }
}

function familyOf(alg: TestAlgorithm): Family {
  const family = families.find(({ algorithms }) => (algorithms as readonly string[]).includes(alg))
  if (!family) throw new TypeError(`A test issuer can not sign with ${alg}`)
  return family
}

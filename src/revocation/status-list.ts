import { createPublicKey, type KeyObject } from 'node:crypto'
import { promisify } from 'node:util'
import { inflate } from 'node:zlib'
import type { JWTPayload } from 'jose'
import { findKey } from '../issuer/find-key.ts'
import { IssuerFaultError } from '../issuer/issuer-fault.ts'
import { expect, type SignedAnswerContext } from '../issuer/signed-answer.ts'
import type { SigningKey } from '../issuer/signing-key.ts'
import { isObject } from '../json/object.ts'
import { isAlgorithm } from '../token/algorithms.ts'
import { namesOneOf } from '../token/audience.ts'

/** A status list that was verified and unpacked. */
export interface StatusList {
  /** The status at an index, 0 for valid (Token Status List section 7.1); undefined beyond the end of the list. */
  readonly statusAt: (index: number) => number | undefined
  /** Octets of memory that it takes. */
  readonly size: number
  /** The key that signed it. */
  readonly key: SigningKey
  /** Seconds since the epoch. */
  readonly issuedAt: number
  /** When a new copy should be had: milliseconds since the epoch. */
  readonly freshUntil: number
  /** When it counts no more, new copy or not: milliseconds since the epoch. */
  readonly validUntil: number
}

export interface StatusListSource extends SignedAnswerContext {
  /** Where the list is: what its `sub` must say. */
  readonly uri: string
  /** The issuer of the tokens in the list, whose keys must have signed it: of tenants that share a set, one. */
  readonly issuer: string
}

/** Seconds after which a new copy is asked for, whatever the list says, and if it says nothing. */
const ttlBounds = { least: 10, most: 3600, usual: 300 }
/** Seconds for which a list counts at most when no new copy can be had, as keys do. */
const longestLife = 24 * 60 * 60
/** Octets of an unpacked list: 33 million tokens of one bit. */
const maxListBytes = 4 * 1024 * 1024

const what = 'the status list'
const unpack = promisify(inflate)

/**
 * Verifies and unpacks a Status List Token in JWT format (Token Status List sections 5.1 and 8.3) with the keys and
 * algorithms of the issuer.
 * @throws {IssuerFaultError} with the first check that failed, and nothing of what the list says
 */
export async function readStatusList(token: string, source: StatusListSource): Promise<StatusList> {
  const { policy, issuer, clock } = source
  const now = clock()
  const { payload, key } = await verified(token, source, now)
  const { iss, aud, iat = NaN } = payload
  expect(iss === undefined || iss === issuer, what, 'iss')
  expect(aud === undefined || namesOneOf(policy.audiences, aud), what, 'aud')
  expect(iat <= now / 1000 + policy.clockTolerance, what, 'iat')
  const times = { issuedAt: iat, ...lifetimeOf(payload, policy.clockTolerance, now) }
  return { key, ...times, ...(await contentOf(payload)) }
}

async function verified(
  token: string,
  { uri, issuer, policy, keySet }: StatusListSource,
  now: number
): Promise<{ readonly payload: JWTPayload; readonly key: SigningKey }> {
  const { decodeProtectedHeader, jwtVerify } = await import('jose')
  try {
    const { alg, kid } = decodeProtectedHeader(token)
    expect(isAlgorithm(alg) && policy.algorithms.has(alg), what, 'alg')
    const key = await findKey(keySet, { algorithm: alg, keyId: kid }, issuer)
    expect(key !== undefined, what, 'key')
    const { payload } = await jwtVerify(token, keyObjectOf(key), {
      typ: 'statuslist+jwt',
      algorithms: [alg],
      subject: uri,
      clockTolerance: policy.clockTolerance,
      currentDate: new Date(now)
    })
    return { payload, key }
  } catch (error) {
    throw faultOf(error)
  }
}

function keyObjectOf({ spki }: SigningKey): KeyObject {
  return createPublicKey({ key: Buffer.from(spki, 'base64'), format: 'der', type: 'spki' })
}

/** Statuses stand side by side in an octet, the first in its lowest bits (section 4.1). */
async function contentOf({
  status_list: list
}: JWTPayload): Promise<Pick<StatusList, 'statusAt' | 'size'>> {
  expect(isObject(list), what, 'status_list')
  const { bits, lst } = list
  expect(bits === 1 || bits === 2 || bits === 4 || bits === 8, what, 'bits')
  expect(typeof lst === 'string', what, 'lst')
  const packed = Buffer.from(lst, 'base64url')
  const octets = await unpack(packed, { maxOutputLength: maxListBytes }).catch((error: Error) => {
    throw faultOf(error)
  })
  const perOctet = 8 / bits
  const statusAt = (index: number) => {
    const octet = octets[Math.floor(index / perOctet)]
    return octet === undefined
      ? undefined
      : (octet >> ((index % perOctet) * bits)) & (2 ** bits - 1)
  }
  return { statusAt, size: octets.buffer.byteLength }
}

function lifetimeOf(
  { ttl, exp = Infinity }: JWTPayload,
  tolerance: number,
  now: number
): Pick<StatusList, 'freshUntil' | 'validUntil'> {
  expect(ttl === undefined || (typeof ttl === 'number' && ttl > 0), what, 'ttl')
  const { least, most, usual } = ttlBounds
  const end = now + Math.min(Math.max(ttl ?? usual, least), most) * 1000
  if (exp === Infinity) return { freshUntil: end, validUntil: end }
  const validUntil = Math.min((exp + tolerance) * 1000, now + longestLife * 1000)
  return { freshUntil: Math.min(end, validUntil), validUntil }
}

/** Without its cause, which goes to the log: errors of jose hold all that the list says. */
function faultOf(error: unknown): IssuerFaultError {
  if (error instanceof IssuerFaultError) return error
  return new IssuerFaultError(what, error instanceof Error ? error.message : 'can not be read')
}

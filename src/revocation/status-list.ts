import { createPublicKey } from 'node:crypto'
import { promisify } from 'node:util'
import { inflate } from 'node:zlib'
import type { JWTHeaderParameters, JWTPayload } from 'jose'
import { deadline } from '../issuer/deadline.ts'
import { findKey } from '../issuer/find-key.ts'
import { IssuerFaultError } from '../issuer/issuer-fault.ts'
import { expect, type SignedAnswerContext } from '../issuer/signed-answer.ts'
import { isObject } from '../json/object.ts'
import type { Algorithm } from '../token/algorithms.ts'

/** A status list that was verified and unpacked. */
export interface StatusList {
  /** The status at an index, 0 for valid (Token Status List section 7.1); undefined beyond the end of the list. */
  readonly statusAt: (index: number) => number | undefined
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
/** Octets of an unpacked list: 33 million tokens of one bit. */
const maxListBytes = 4 * 1024 * 1024

const what = 'the status list'
const unpack = promisify(inflate)

/**
 * Verifies and unpacks a Status List Token in JWT format (Token Status List sections 5.1 and 8.3) with the keys and
 * algorithms of the issuer.
 * @throws {Error} with the first check that failed
 */
export async function readStatusList(token: string, source: StatusListSource): Promise<StatusList> {
  const { uri, issuer, policy, clock } = source
  const { jwtVerify } = await import('jose')
  const now = clock()
  const { payload } = await jwtVerify(token, (header) => keyOf(header, source), {
    typ: 'statuslist+jwt',
    algorithms: [...policy.algorithms],
    subject: uri,
    requiredClaims: ['iat'],
    clockTolerance: policy.clockTolerance,
    currentDate: new Date(now)
  })
  expect(payload.iss === undefined || payload.iss === issuer, what, 'iss')
  return { statusAt: await lookUpIn(payload), ...lifetimeOf(payload, policy.clockTolerance, now) }
}

async function keyOf({ alg, kid }: JWTHeaderParameters, { keySet, issuer }: StatusListSource) {
  // jose has checked that it is one of ours
  const named = { algorithm: alg as Algorithm, keyId: kid }
  const key = await Promise.race([findKey(keySet, named, issuer), deadline()])
  if (key === 'late' || key === undefined)
    throw new IssuerFaultError(what, 'is signed with a key that the issuer does not publish')
  return createPublicKey({ key: Buffer.from(key.spki, 'base64'), format: 'der', type: 'spki' })
}

/** Statuses stand side by side in an octet, the first in its lowest bits (section 4.1). */
async function lookUpIn({ status_list: list }: JWTPayload): Promise<StatusList['statusAt']> {
  expect(isObject(list), what, 'status_list')
  const { bits, lst } = list
  expect(bits === 1 || bits === 2 || bits === 4 || bits === 8, what, 'bits')
  expect(typeof lst === 'string', what, 'lst')
  const octets = await unpack(Buffer.from(lst, 'base64url'), { maxOutputLength: maxListBytes })
  const perOctet = 8 / bits
  return (index) => {
    const octet = octets[Math.floor(index / perOctet)]
    return octet === undefined
      ? undefined
      : (octet >> ((index % perOctet) * bits)) & (2 ** bits - 1)
  }
}

function lifetimeOf(
  { ttl, exp }: JWTPayload,
  tolerance: number,
  now: number
): Pick<StatusList, 'freshUntil' | 'validUntil'> {
  expect(ttl === undefined || (typeof ttl === 'number' && ttl > 0), what, 'ttl')
  const { least, most, usual } = ttlBounds
  const end = now + Math.min(Math.max(ttl ?? usual, least), most) * 1000
  const validUntil = exp === undefined ? end : (exp + tolerance) * 1000
  return { freshUntil: Math.min(end, validUntil), validUntil }
}

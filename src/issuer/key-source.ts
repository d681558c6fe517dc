import type { BoundedFetch, BoundedResponse } from './bounded-fetch.ts'
import {
  agreesWithAuthorizationServerMetadata,
  discover,
  type IssuerMetadata,
  maxMetadataBytes
} from './discovery.ts'
import type { Observer } from '../observe/observer.ts'
import { IssuerFaultError } from './issuer-fault.ts'
import { maxKeys } from './key-store.ts'
import { parseJsonObject } from './response.ts'

/** A whole key set as it was downloaded, with the metadata that led to it. */
export interface KeyDownload {
  /** undefined where the keys are static, and nothing is known of the issuer. */
  readonly metadata: IssuerMetadata | undefined
  /** The entries of `keys`, unchecked. */
  readonly jwks: readonly unknown[]
  /** Seconds for which the issuer calls the set fresh; undefined if it does not say. */
  readonly maxAge: number | undefined
}

/** Downloads a whole key set; `now` is in milliseconds since the epoch. @throws {UpstreamError} @throws {IssuerFaultError} */
export type KeySource = (now: number) => Promise<KeyDownload>

/** Milliseconds after which the discovery document is read again. */
const metadataLifetime = 60 * 60 * 1000

/**
 * Downloads key sets of an issuer: discovery document first, then the set it names. The document is kept for an hour, or
 * until a download fails, since the set may have moved.
 */
export function createKeySource(
  issuer: string,
  fetch: BoundedFetch,
  observer: Observer
): KeySource {
  let kept: { readonly metadata: IssuerMetadata; readonly readAt: number } | undefined
  let compared = false

  const compareOnce = (metadata: IssuerMetadata): void => {
    if (compared) return
    compared = true
    void warnOfSecondDocument(metadata, fetch, observer)
  }

  return async (now) => {
    const known = kept !== undefined && now - kept.readAt < metadataLifetime ? kept : undefined
    kept = undefined
    const current = known ?? { metadata: await discover(issuer, fetch), readAt: now }
    const download = await downloadKeys(current.metadata, fetch)
    kept = current
    compareOnce(current.metadata)
    return download
  }
}

/** Downloads the key set that the metadata names. @throws {UpstreamError} @throws {IssuerFaultError} */
export async function downloadKeys(
  metadata: IssuerMetadata,
  fetch: BoundedFetch
): Promise<KeyDownload> {
  const headers = { accept: 'application/jwk-set+json, application/json' }
  const response = await fetch(metadata.jwks_uri, { maxBytes: maxMetadataBytes, headers })
  const { keys } = parseJsonObject(response, 'the key set')
  return { metadata, jwks: checkKeys(keys), maxAge: maxAgeOf(response) }
}

/** Checks the form of a key set (RFC 7517 section 5), not of its entries. @throws {IssuerFaultError} */
export function checkKeys(keys: unknown): readonly unknown[] {
  if (!Array.isArray(keys)) throw new IssuerFaultError('the key set', 'has no array of keys')
  if (keys.length > maxKeys)
    throw new IssuerFaultError('the key set', `has more than ${maxKeys} keys`)
  return keys
}

/** A disagreement is worth a line in the log, never a failure: OpenID Connect's document is the one in use. */
async function warnOfSecondDocument(
  metadata: IssuerMetadata,
  fetch: BoundedFetch,
  observer: Observer
): Promise<void> {
  const { issuer } = metadata
  const doing = 'comparing its two metadata documents'
  try {
    if (await agreesWithAuthorizationServerMetadata(metadata, fetch)) return
    observer.issuerTrouble({ issuer, doing, cause: new IssuerFaultError(issuer, 'they differ') })
  } catch (cause) {
    observer.issuerTrouble({ issuer, doing, cause })
  }
}

/** `max-age` of a response (RFC 9111 section 5.2.2.1), in seconds. */
function maxAgeOf({ headers }: BoundedResponse): number | undefined {
  const field = headers['cache-control']
  const seconds = /(?:^|[\s,])max-age="?(\d{1,9})/i.exec(String(field ?? ''))?.[1]
  return seconds === undefined ? undefined : Number(seconds)
}

import { type BoundedFetchOptions, createBoundedFetch } from '../issuer/bounded-fetch.ts'
import { KeySet } from '../issuer/key-set.ts'
import { downloadKeys } from '../issuer/key-source.ts'
import type { SignatureCheckFactory } from '../issuer/signing-key.ts'
import { type Observer, silentObserver } from '../observe/observer.ts'

/** A stream of security events about the tokens of an issuer (Shared Signals Framework 1.0). */
export interface EventStream {
  /** The exact `iss` of its events. */
  readonly issuer: string
  /** Who its events may be addressed to. */
  readonly audiences: ReadonlySet<string>
  /** Members of a complex subject that must be understood, and are not here. */
  readonly criticalMembers: readonly string[]
  /** The keys of its transmitter; undefined for those of the issuer itself. */
  readonly keySet: KeySet | undefined
  close(): Promise<void>
}

export interface TransmitterDependencies {
  readonly prepare: SignatureCheckFactory
  readonly observer?: Observer | undefined
  readonly clock?: (() => number) | undefined
  readonly fetch?: BoundedFetchOptions | undefined
}

/** The key set at a fixed address, of a transmitter that is not the issuer; nothing is fetched before it is needed. */
export function createTransmitterKeys(
  issuer: string,
  jwksUri: string,
  { prepare, observer = silentObserver, clock, fetch: options }: TransmitterDependencies
): Pick<EventStream, 'close'> & { readonly keySet: KeySet } {
  const fetch = createBoundedFetch(jwksUri, options)
  const metadata = {
    issuer,
    jwks_uri: jwksUri,
    userinfo_endpoint: undefined,
    introspection_endpoint: undefined,
    token_endpoint: undefined
  }
  const source = async () => downloadKeys(metadata, fetch)
  const keySet = new KeySet({ issuer, source, prepare, observer, clock })
  const close = async (): Promise<void> => {
    keySet.close()
    await fetch.close()
  }
  return { keySet, close }
}

import { lookup as resolve } from 'node:dns'
import { BlockList, isIP, type LookupFunction } from 'node:net'
import type { TLSSocketOptions } from 'node:tls'
import { Agent, type Dispatcher } from 'undici'

/** An answer that was read whole, within its bounds. */
export interface BoundedResponse {
  readonly status: number
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
  readonly body: Buffer
}

/** What one request may send and how much it may read. */
export interface BoundedRequest {
  readonly headers?: Readonly<Record<string, string>>
  /** Default GET. */
  readonly method?: 'GET' | 'POST'
  readonly body?: string
  /** Most octets of the body that are read. */
  readonly maxBytes: number
}

/** Reads a URL of one issuer. @throws {UpstreamError} whenever there is no whole answer within the bounds */
export type BoundedFetch = (url: string, request: BoundedRequest) => Promise<BoundedResponse>

/** A {@link BoundedFetch} with connections of its own. */
export interface ClosableFetch extends BoundedFetch {
  /** Ends all connections, and with them what is still being read. */
  close(): Promise<void>
}

/** How an issuer is reached; all of it may be left out. */
export interface BoundedFetchOptions {
  /** Milliseconds for one whole exchange, the body included. Default 4500. */
  readonly timeout?: number
  /** How host names are resolved. Default: the system's resolver. */
  readonly lookup?: LookupFunction
  /** Certificate authorities, in PEM. Default: those of Node. */
  readonly ca?: TLSSocketOptions['ca']
}

/** Why an issuer gave no usable answer. */
export type UpstreamFault = 'forbidden_url' | 'timeout' | 'unreachable' | 'too_large'

/** An exchange with an issuer that failed; the cause is for the log only. */
export class UpstreamError extends Error {
  override readonly name = 'UpstreamError'
  readonly fault: UpstreamFault
  readonly url: string

  constructor(fault: UpstreamFault, url: string, options?: ErrorOptions) {
    super(`${fault.replace('_', ' ')}: ${url}`, options)
    this.fault = fault
    this.url = url
  }
}

/**
 * Makes the one way in which anything of an issuer is read: GET or POST, bounded in time and size, no redirects, and only
 * from where this issuer may send us: https, or http where the issuer itself is on loopback; no local address that is not
 * the issuer's own host (RFC 8725bis section 3.10).
 */
export function createBoundedFetch(
  issuer: string,
  options: BoundedFetchOptions = {}
): ClosableFetch {
  const { timeout = 4500, lookup = resolve, ca } = options
  // made when first used: of a long list of issuers most are never asked
  let home: URL | undefined
  let ownHost: Agent | undefined
  let publicOnly: Agent | undefined
  let closed = false

  const fetch: BoundedFetch = async (url, { method = 'GET', headers, body, maxBytes }) => {
    home ??= new URL(issuer)
    if (!isAllowedUrl(url, home)) throw new UpstreamError('forbidden_url', url)
    const { host, hostname, origin, pathname, search } = new URL(url)
    const isHome = host === home.host || isLoopbackHost(home.hostname)
    if (!isHome && isLocalAddress(hostname)) throw new UpstreamError('forbidden_url', url)
    if (closed) throw new UpstreamError('unreachable', url)
    const agent = isHome
      ? (ownHost ??= createAgent(lookup, ca))
      : (publicOnly ??= createAgent(refuseLocal(lookup), ca))
    const signal = AbortSignal.timeout(timeout)
    try {
      const path = pathname + search
      const response = await agent.request({
        origin,
        path,
        method,
        headers: headers ?? {},
        body: body ?? null,
        signal
      })
      return await readWhole(response, maxBytes, url)
    } catch (cause) {
      if (cause instanceof UpstreamError) throw cause
      throw new UpstreamError(signal.aborted ? 'timeout' : 'unreachable', url, { cause })
    }
  }
  const close = async (): Promise<void> => {
    closed = true
    await Promise.all([ownHost?.destroy(), publicOnly?.destroy()])
  }
  return Object.assign(fetch, { close })
}

/** Whether an issuer may name a URL: absolute https, or http on loopback if the issuer is http on loopback. */
export function isAllowedUrl(url: unknown, issuer: URL): url is string {
  if (typeof url !== 'string' || !URL.canParse(url)) return false
  const { protocol, hostname, username, password } = new URL(url)
  if (username !== '' || password !== '') return false
  return (
    protocol === 'https:' ||
    (protocol === 'http:' && issuer.protocol === 'http:' && isLoopbackHost(hostname))
  )
}

/** Whether a host, as a URL spells it, is this machine: localhost, 127.0.0.0/8 or [::1]. */
export function isLoopbackHost(hostname: string): boolean {
  return (
    hostname === 'localhost' ||
    hostname === '[::1]' ||
    (isIP(hostname) === 4 && hostname.startsWith('127.'))
  )
}

async function readWhole(
  { statusCode, headers, body }: Dispatcher.ResponseData,
  maxBytes: number,
  url: string
): Promise<BoundedResponse> {
  const chunks: Buffer[] = []
  let length = 0
  for await (const chunk of body as AsyncIterable<Buffer>) {
    length += chunk.length
    if (length > maxBytes) throw new UpstreamError('too_large', url)
    chunks.push(chunk)
  }
  return { status: statusCode, headers, body: Buffer.concat(chunks) }
}

function createAgent(lookup: LookupFunction, ca: BoundedFetchOptions['ca']): Agent {
  return new Agent({ connections: 8, connect: { lookup, ...(ca === undefined ? {} : { ca }) } })
}

const localAddresses = new BlockList()
for (const [network, prefix] of [
  ['0.0.0.0', 8],
  ['10.0.0.0', 8],
  ['100.64.0.0', 10],
  ['127.0.0.0', 8],
  ['169.254.0.0', 16],
  ['172.16.0.0', 12],
  ['192.0.0.0', 24],
  ['192.168.0.0', 16],
  ['198.18.0.0', 15]
] as const) {
  localAddresses.addSubnet(network, prefix, 'ipv4')
  // the same network behind a translator (RFC 6052 section 2.1)
  localAddresses.addSubnet(`64:ff9b::${network}`, 96 + prefix, 'ipv6')
}
localAddresses.addAddress('::', 'ipv6')
localAddresses.addAddress('::1', 'ipv6')
localAddresses.addSubnet('fc00::', 7, 'ipv6')
localAddresses.addSubnet('fe80::', 10, 'ipv6')

/** Whether a host is written as an address of this machine or its network; a name is judged when it is resolved. */
function isLocalAddress(hostname: string): boolean {
  if (isLoopbackHost(hostname)) return true
  const address = hostname.replace(/^\[|\]$/g, '')
  const family = isIP(address)
  return family !== 0 && localAddresses.check(address, family === 6 ? 'ipv6' : 'ipv4')
}

function refuseLocal(lookup: LookupFunction): LookupFunction {
  return (hostname, options, callback) => {
    lookup(hostname, options, (error, address, family) => {
      const addresses = typeof address === 'string' ? [{ address }] : address
      const local = error === null && addresses.some((entry) => isLocalAddress(entry.address))
      callback(local ? new Error('resolves to a local address') : error, address, family)
    })
  }
}

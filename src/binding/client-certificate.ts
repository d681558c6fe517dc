import { createHash, X509Certificate } from 'node:crypto'
import { BlockList, isIPv4, isIPv6, type Socket } from 'node:net'
import type { TLSSocket } from 'node:tls'

/** How a request came: what is read of it to find the certificate of its client. */
export interface CertifiedRequest {
  readonly socket: Socket
  /** Name, value, name, value … as they came. */
  readonly rawHeaders: readonly string[]
}

/** What a request says of its client's certificate. */
export type FoundCertificate =
  | { readonly kind: 'none' }
  /** `thumbprint` is the SHA-256 of the certificate in base64url, as in `x5t#S256` (RFC 8705 section 3.1). */
  | { readonly kind: 'certificate'; readonly thumbprint: string }
  /** A proxy sent a Client-Cert field that is none. */
  | { readonly kind: 'malformed' }

/** Finds the certificate of a request's client. */
export interface CertificateFinder {
  find(request: CertifiedRequest): FoundCertificate
  /** Whether the certificate of a request is that of its Client-Cert field, which its answer then varies by. */
  isForwarded(request: CertifiedRequest): boolean
}

const none: FoundCertificate = Object.freeze({ kind: 'none' })
const malformed: FoundCertificate = Object.freeze({ kind: 'malformed' })

/** A byte sequence (RFC 8941 section 3.3.5) without parameters. */
const byteSequence = /^:([A-Za-z\d+/]+={0,2}):$/

/**
 * Makes the finder of client certificates. From a proxy at one of the addresses it is the one of the Client-Cert field
 * (RFC 9440); from anybody else that of the TLS connection, and the field is not read. Its chain, names and times are not
 * judged: the certificate only has to be the one that the token was issued to (RFC 8705 section 6.2).
 * @param proxies IP addresses and CIDR blocks
 */
export function createCertificateFinder(proxies: readonly string[]): CertificateFinder {
  const trusted = new BlockList()
  for (const block of proxies) addBlock(trusted, block)

  const isForwarded = ({ socket: { remoteAddress = '' } }: CertifiedRequest): boolean => {
    if (isIPv4(remoteAddress)) return trusted.check(remoteAddress, 'ipv4')
    return isIPv6(remoteAddress) && trusted.check(remoteAddress, 'ipv6')
  }
  return {
    isForwarded,
    find: (request) =>
      isForwarded(request) ? ofField(request.rawHeaders) : ofSocket(request.socket)
  }
}

/** Resumed sessions show it as well: it is part of their state. */
function ofSocket(socket: Socket & Partial<Pick<TLSSocket, 'getPeerX509Certificate'>>) {
  const certificate = socket.getPeerX509Certificate?.()
  return certificate === undefined ? none : found(certificate)
}

function ofField(rawHeaders: readonly string[]): FoundCertificate {
  const fields = fieldsOf(rawHeaders, 'client-cert')
  const [field] = fields
  if (field === undefined) return none
  const [, encoded = ''] = byteSequence.exec(field) ?? []
  const bytes = Buffer.from(encoded, 'base64')
  const isSound = fields.length === 1 && bytes.toString('base64') === encoded
  return isSound ? parse(bytes) : malformed
}

/** Exactly one certificate in DER: the parser would also take PEM, and what follows the certificate. */
function parse(bytes: Buffer): FoundCertificate {
  try {
    const certificate = new X509Certificate(bytes)
    return certificate.raw.equals(bytes) ? found(certificate) : malformed
  } catch {
    return malformed
  }
}

function found({ raw }: X509Certificate): FoundCertificate {
  return { kind: 'certificate', thumbprint: createHash('sha256').update(raw).digest('base64url') }
}

/** The values of all lines of a field: Node's parsed headers would join or drop them. */
export function fieldsOf(rawHeaders: readonly string[], name: string): string[] {
  return rawHeaders.filter(
    (_, index) => index % 2 === 1 && rawHeaders[index - 1]?.toLowerCase() === name
  )
}

function addBlock(list: BlockList, block: string): void {
  const [address = '', prefix] = block.split('/')
  const family = isIPv4(address) ? 'ipv4' : 'ipv6'
  if (prefix === undefined) list.addAddress(address, family)
  else list.addSubnet(address, Number(prefix), family)
}

import { X509Certificate } from 'node:crypto'
import { once } from 'node:events'
import { type AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'
import { connect, type SecureVersion, type TLSSocket } from 'node:tls'
import Fastify from 'fastify'
import type { Test } from 'tap'
import latchkey, { type LatchkeyOptions } from '../../plugins/latchkey.ts'
import { certificate, certificateKey } from './certificate.ts'

/** An API that asks for client certificates as docs/sender-constraint.md says. */
export async function startTlsApp(t: Test, options: LatchkeyOptions): Promise<number> {
  const https = {
    cert: certificate,
    key: certificateKey,
    requestCert: true,
    rejectUnauthorized: false
  }
  const app = Fastify({ https })
  t.teardown(() => app.close())
  await app.register(latchkey, options)
  app.get('/whoami', async ({ principal }) => ({ sub: principal.subject }))
  await app.listen({ port: 0, host: '127.0.0.1' })
  return (app.server.address() as AddressInfo).port
}

/** What a client brings to the handshake. */
export interface TlsClient {
  readonly cert?: string
  readonly key?: string
  readonly session?: Buffer | undefined
  readonly version?: SecureVersion
}

/** The whole text of the answer to `GET /whoami`. */
export async function askOverTls(
  port: number,
  token: string,
  client: TlsClient = {},
  lines: readonly string[] = [],
  scheme = 'Bearer'
): Promise<string> {
  return (await exchange(port, token, client, lines, scheme)).answer
}

/** One request on a connection of its own; the session can be resumed. */
export async function exchange(
  port: number,
  token: string,
  { version = 'TLSv1.3', ...client }: TlsClient,
  lines: readonly string[] = [],
  scheme = 'Bearer'
) {
  const versions = { minVersion: version, maxVersion: version }
  const socket = connect({
    port,
    host: '127.0.0.1',
    rejectUnauthorized: false,
    ...versions,
    ...client
  })
  const session = sessionOf(socket)
  await once(socket, 'secureConnect')
  const isReused = socket.isSessionReused()
  const fields = ['Host: h', 'Connection: close', `Authorization: ${scheme} ${token}`, ...lines]
  socket.write(`GET /whoami HTTP/1.1\r\n${fields.join('\r\n')}\r\n\r\n`)
  const answer = await text(socket)
  return { answer, isReused, session: await session }
}

/** TLS 1.3 hands out its sessions after the handshake; a resumed TLS 1.2 connection gets none. */
async function sessionOf(socket: TLSSocket): Promise<Buffer | undefined> {
  return new Promise((resolve) => {
    socket.once('session', resolve)
    socket.once('close', () => resolve(undefined))
  })
}

/** The Client-Cert field (RFC 9440 section 2.2) that a proxy makes of a certificate. */
export function clientCertField(pem: string): string {
  return `:${new X509Certificate(pem).raw.toString('base64')}:`
}

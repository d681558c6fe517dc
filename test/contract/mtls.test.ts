import { createHash, X509Certificate } from 'node:crypto'
import { once } from 'node:events'
import { type AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'
import { connect, type SecureVersion, type TLSSocket } from 'node:tls'
import Fastify from 'fastify'
import t, { type Test } from 'tap'
import latchkey, { type LatchkeyOptions } from '../../plugins/latchkey.ts'
import { startTestIssuer } from '../../src/testing.ts'
import { certificate, certificateKey } from '../support/certificate.ts'
import { clientCertificate, clientKey, renewedCertificate } from '../support/client-certificates.ts'
import { createDpopClient, publicUrl } from '../support/dpop-client.ts'

const issuer = await startTestIssuer({ algorithms: ['RS256'] })
t.teardown(() => issuer.close())
const thumbprint = createHash('sha256').update(new X509Certificate(clientCertificate).raw).digest()
const cnf = { 'x5t#S256': thumbprint.toString('base64url') }
const token = await issuer.mint({ cnf })
const plain = await issuer.mint()
const owner = { cert: clientCertificate, key: clientKey }
const port = await startTlsApp(t, { ...issuer.options, mtls: 'optional' })

void t.test(
  'MTLS-1, MTLS-2: the certificate of the connection opens the door, though nobody signed it',
  async (t) => {
    t.match(await ask(port, token, owner), /^HTTP\/1\.1 200 /)
    t.match(await ask(port, plain, owner), /^HTTP\/1\.1 200 /, 'a plain token needs none')
    t.match(await ask(port, plain), /^HTTP\/1\.1 200 /)
  }
)

void t.test('MTLS-1, MTLS-3: no certificate, and a renewed one, do not', async (t) => {
  refusedToken(t, await ask(port, token))
  refusedToken(t, await ask(port, token, { cert: renewedCertificate, key: clientKey }))
})

void t.test('MTLS-1: a thumbprint in another form does not count', async (t) => {
  for (const value of [
    `${cnf['x5t#S256']}=`,
    thumbprint.toString('hex'),
    '',
    null,
    5,
    [cnf['x5t#S256']]
  ])
    refusedToken(t, await ask(port, await issuer.mint({ cnf: { 'x5t#S256': value } }), owner))
})

void t.test('MTLS-4: by default the Client-Cert field is not read', async (t) => {
  refusedToken(t, await ask(port, token, {}, [`Client-Cert: ${fieldOf(clientCertificate)}`]))
  const lines = [`Client-Cert: ${fieldOf(renewedCertificate)}`, 'Client-Cert: garbage']
  t.match(await ask(port, token, owner, lines), /^HTTP\/1\.1 200 /)
})

for (const version of ['TLSv1.2', 'TLSv1.3'] as const)
  void t.test(`MTLS-10: a resumed session of ${version} has its certificate still`, async (t) => {
    const { answer, session } = await exchange(port, token, { ...owner, version })
    t.match(answer, /^HTTP\/1\.1 200 /)
    const resumed = await exchange(port, token, { session, version })
    t.equal(resumed.isReused, true)
    t.match(resumed.answer, /^HTTP\/1\.1 200 /)
    const without = await exchange(port, token, { version })
    const again = await exchange(port, token, { session: without.session, version })
    t.equal(again.isReused, true)
    refusedToken(t, again.answer)
  })

void t.test('an issuer that demands certificates has no other tokens', async (t) => {
  const strict = await startTlsApp(t, { ...issuer.options, mtls: 'required' })
  t.match(await ask(strict, token, owner), /^HTTP\/1\.1 200 /)
  refusedToken(t, await ask(strict, plain, owner))
})

void t.test('DPOP-27: a token bound to a key and a certificate needs both', async (t) => {
  const client = await createDpopClient()
  const options = { ...issuer.options, publicUrl, dpop: 'optional', mtls: 'optional' } as const
  const both = await startTlsApp(t, options)
  const twice = await issuer.mint({ cnf: { ...cnf, ...client.cnf } })
  const proof = () => [`DPoP: ${client.prove(twice)}`]
  t.match(await ask(both, twice, owner, proof(), 'DPoP'), /^HTTP\/1\.1 200 /)
  refusedToken(t, await ask(both, twice, {}, proof(), 'DPoP'))
  refusedToken(t, await ask(both, twice, owner, proof()))
  const stranger = await createDpopClient()
  const foreign = [`DPoP: ${stranger.prove(twice)}`]
  refusedToken(t, await ask(both, twice, owner, foreign, 'DPoP'))
  t.match(await ask(both, twice, owner, [], 'DPoP'), 'error="invalid_dpop_proof"')
  refusedToken(t, await ask(both, token, owner, [`DPoP: ${client.prove(token)}`], 'DPoP'))
})

/** An API that asks for client certificates as docs/sender-constraint.md says. */
async function startTlsApp(t: Test, options: LatchkeyOptions): Promise<number> {
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

interface Client {
  readonly cert?: string
  readonly key?: string
  readonly session?: Buffer | undefined
  readonly version?: SecureVersion
}

async function ask(
  port: number,
  token: string,
  client: Client = {},
  lines: readonly string[] = [],
  scheme = 'Bearer'
): Promise<string> {
  return (await exchange(port, token, client, lines, scheme)).answer
}

/** One request on a connection of its own; the session can be resumed. */
async function exchange(
  port: number,
  token: string,
  { version = 'TLSv1.3', ...client }: Client,
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

function refusedToken(t: Test, answer: string): void {
  t.match(answer, /^HTTP\/1\.1 401 /)
  t.match(answer, 'error="invalid_token"')
}

function fieldOf(pem: string): string {
  return `:${new X509Certificate(pem).raw.toString('base64')}:`
}

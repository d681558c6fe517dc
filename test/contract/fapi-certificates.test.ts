import { createHash, X509Certificate } from 'node:crypto'
import t, { type Test } from 'tap'
import type { LatchkeyOptions } from '../../plugins/latchkey.ts'
import type { RevocationStore } from '../../src/revocation/revocation-store.ts'
import { startTestIssuer } from '../../src/testing.ts'
import { testAlgorithms } from '../../src/testing/keys.ts'
import { clientCertificate, clientKey, renewedCertificate } from '../support/client-certificates.ts'
import { createDpopClient, publicUrl } from '../support/dpop-client.ts'
import { startGuardedApp } from '../support/guarded-app.ts'
import { askOverTls, clientCertField, startTlsApp } from '../support/tls-client.ts'

// The profile called with client certificates, as they come: over TLS to the API, and from a proxy in front of it.

const issuer = await startTestIssuer()
t.teardown(() => issuer.close())
const digest = createHash('sha256').update(new X509Certificate(clientCertificate).raw)
const cnf = { 'x5t#S256': digest.digest('base64url') }
const allowed = new Set(['PS256', 'ES256', 'EdDSA', 'Ed25519'])
const dpopClient = await createDpopClient()

/** Forgets what it is told with the process, which is all that these tests need. */
const revocationStore: RevocationStore = { read: async () => [], add: async () => undefined }
const fapi = {
  ...issuer.options,
  profile: 'fapi2',
  backchannelLogout: { clientId: 'app' },
  publicUrl,
  revocationStore
} as const

/** Calls the API with a certificate, or without. */
type Ask = (token: string, pem?: string) => Promise<{ status: number; challenge: string }>

const ways: Record<string, (t: Test, options: LatchkeyOptions) => Promise<Ask>> = {
  'over TLS': async (t, options) => {
    const port = await startTlsApp(t, options)
    return async (token, cert) => {
      const client = cert === undefined ? {} : { cert, key: clientKey }
      const answer = await askOverTls(port, token, client)
      const [, challenge = ''] = /^www-authenticate: (.*)\r$/im.exec(answer) ?? []
      return { status: Number(answer.slice('HTTP/1.1 '.length).slice(0, 3)), challenge }
    }
  },
  'behind a proxy': async (t, options) => {
    const { call } = await startGuardedApp(t, { ...options, clientCertFrom: ['127.0.0.1'] })
    return async (token, pem) => {
      const lines = pem === undefined ? [] : ['Client-Cert', clientCertField(pem)]
      const { status, headers } = await call({ token, lines })
      return { status, challenge: String(headers['www-authenticate']) }
    }
  }
}

const modes = {
  'mtls required': { mtls: 'required' },
  'dpop or mtls': { dpop: 'optional', mtls: 'optional' },
  'mtls optional, dpop unsaid': { mtls: 'optional' }
} as const

for (const [way, start] of Object.entries(ways))
  for (const [mode, options] of Object.entries(modes))
    void t.test(`${way}, ${mode}`, async (t) => {
      const ask = await start(t, { ...fapi, ...options })
      await acceptsItsOwner(t, ask)
      await refusesOthers(t, ask)
      await holdsTokensToTheProfile(t, ask)
    })

async function acceptsItsOwner(t: Test, ask: Ask): Promise<void> {
  const token = await mint()
  for (const time of ['first', 'second', 'third'])
    t.match(await ask(token, clientCertificate), { status: 200 }, `FAPI-2: the ${time} time`)
  await refused(t, ask(token, renewedCertificate), 'MTLS-1: then another certificate')
  await refused(t, ask(token), 'MTLS-1: then none')
}

async function refusesOthers(t: Test, ask: Ask): Promise<void> {
  await refused(t, ask(await mint(), renewedCertificate), 'MTLS-1: another certificate')
  await refused(t, ask(await mint()), 'MTLS-1: no certificate')
  for (const unbound of [undefined, {}, { other: 'x' }, null])
    await refused(
      t,
      ask(await mint({ cnf: unbound }), clientCertificate),
      `FAPI-2: cnf ${JSON.stringify(unbound)}`
    )
  const byKey = await mint({ cnf: dpopClient.cnf })
  await refused(t, ask(byKey, clientCertificate), 'FAPI-2: a certificate in place of a proof')
  const both = await mint({ cnf: { ...cnf, ...dpopClient.cnf } })
  await refused(t, ask(both, clientCertificate), 'DPOP-27: one of two')
}

async function holdsTokensToTheProfile(t: Test, ask: Ask): Promise<void> {
  for (const alg of testAlgorithms) {
    const asked = ask(await mint({}, { alg }), clientCertificate)
    if (allowed.has(alg)) t.match(await asked, { status: 200 }, `FAPI-3: ${alg}`)
    else await refused(t, asked, `FAPI-3: ${alg}`)
  }
  const plain = await mint({}, { header: { typ: 'JWT' } })
  await refused(t, ask(plain, clientCertificate), 'AT-1: typ JWT')
  await refused(t, ask(await mint({ jti: undefined }), clientCertificate), 'AT-4: without jti')
}

void t.test('FAPI-1: a revoked token is refused, whoever has the certificate', async (t) => {
  const options = { ...fapi, mtls: 'required', clientCertFrom: ['127.0.0.1'] } as const
  const { app, call } = await startGuardedApp(t, options)
  const token = await mint({ jti: 'soon revoked' })
  const lines = ['Client-Cert', clientCertField(clientCertificate)]
  for (let times = 0; times < 3; times++) t.equal((await call({ token, lines })).status, 200)
  await app.latchkey.revoke({ jti: 'soon revoked', issuer: issuer.issuer })
  t.equal((await call({ token, lines })).status, 401)
})

void t.test('MTLS-4: over TLS the field of a client proves nothing', async (t) => {
  const port = await startTlsApp(t, { ...fapi, mtls: 'required' })
  const field = [`Client-Cert: ${clientCertField(clientCertificate)}`]
  for (const client of [{}, { cert: renewedCertificate, key: clientKey }])
    t.match(await askOverTls(port, await mint(), client, field), /^HTTP\/1\.1 401 /)
})

void t.test('FAPI-2: with both optional a key does, and no certificate is asked for', async (t) => {
  const options = { ...fapi, ...modes['dpop or mtls'], clientCertFrom: ['127.0.0.1'] } as const
  const { call } = await startGuardedApp(t, options)
  const token = await mint({ cnf: dpopClient.cnf })
  t.equal((await call(dpopClient.call(token))).status, 200)
  const certified = await mint()
  t.equal((await call(dpopClient.call(certified))).status, 401, 'a key in place of a certificate')
})

type MintOptions = Parameters<typeof issuer.mint>[1]

function mint(claims: object = {}, options: MintOptions = {}): Promise<string> {
  return issuer.mint({ cnf, ...claims }, { alg: 'PS256', ...options })
}

async function refused(t: Test, asked: ReturnType<Ask>, name: string): Promise<void> {
  const { status, challenge } = await asked
  t.equal(status, 401, name)
  t.match(challenge, 'error="invalid_token"', name)
}

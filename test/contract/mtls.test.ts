import { createHash, X509Certificate } from 'node:crypto'
import t, { type Test } from 'tap'
import { startTestIssuer } from '../../src/testing.ts'
import { clientCertificate, clientKey, renewedCertificate } from '../support/client-certificates.ts'
import { createDpopClient, publicUrl } from '../support/dpop-client.ts'
import { askOverTls, clientCertField, exchange, startTlsApp } from '../support/tls-client.ts'

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
    t.match(await askOverTls(port, token, owner), /^HTTP\/1\.1 200 /)
    t.match(await askOverTls(port, plain, owner), /^HTTP\/1\.1 200 /, 'a plain token needs none')
    t.match(await askOverTls(port, plain), /^HTTP\/1\.1 200 /)
  }
)

void t.test('MTLS-1, MTLS-3: no certificate, and a renewed one, do not', async (t) => {
  refusedToken(t, await askOverTls(port, token))
  refusedToken(t, await askOverTls(port, token, { cert: renewedCertificate, key: clientKey }))
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
    refusedToken(
      t,
      await askOverTls(port, await issuer.mint({ cnf: { 'x5t#S256': value } }), owner)
    )
})

void t.test('MTLS-4: by default the Client-Cert field is not read', async (t) => {
  refusedToken(
    t,
    await askOverTls(port, token, {}, [`Client-Cert: ${clientCertField(clientCertificate)}`])
  )
  const lines = [`Client-Cert: ${clientCertField(renewedCertificate)}`, 'Client-Cert: garbage']
  t.match(await askOverTls(port, token, owner, lines), /^HTTP\/1\.1 200 /)
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
  t.match(await askOverTls(strict, token, owner), /^HTTP\/1\.1 200 /)
  refusedToken(t, await askOverTls(strict, plain, owner))
})

void t.test('DPOP-27: a token bound to a key and a certificate needs both', async (t) => {
  const client = await createDpopClient()
  const options = { ...issuer.options, publicUrl, dpop: 'optional', mtls: 'optional' } as const
  const both = await startTlsApp(t, options)
  const twice = await issuer.mint({ cnf: { ...cnf, ...client.cnf } })
  const proof = () => [`DPoP: ${client.prove(twice)}`]
  t.match(await askOverTls(both, twice, owner, proof(), 'DPoP'), /^HTTP\/1\.1 200 /)
  refusedToken(t, await askOverTls(both, twice, {}, proof(), 'DPoP'))
  refusedToken(t, await askOverTls(both, twice, owner, proof()))
  const stranger = await createDpopClient()
  const foreign = [`DPoP: ${stranger.prove(twice)}`]
  refusedToken(t, await askOverTls(both, twice, owner, foreign, 'DPoP'))
  t.match(await askOverTls(both, twice, owner, [], 'DPoP'), 'error="invalid_dpop_proof"')
  refusedToken(t, await askOverTls(both, token, owner, [`DPoP: ${client.prove(token)}`], 'DPoP'))
})

function refusedToken(t: Test, answer: string): void {
  t.match(answer, /^HTTP\/1\.1 401 /)
  t.match(answer, 'error="invalid_token"')
}

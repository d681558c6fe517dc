import { createHash, X509Certificate } from 'node:crypto'
import t from 'tap'
import { startTestIssuer } from '../../src/testing.ts'
import { clientCertificate, renewedCertificate } from '../support/client-certificates.ts'
import { createDpopClient, publicUrl } from '../support/dpop-client.ts'
import { startGuardedApp } from '../support/guarded-app.ts'
import { assertInvalidRequest, assertInvalidToken } from '../support/outcomes.ts'

const issuer = await startTestIssuer({ algorithms: ['RS256'] })
t.teardown(() => issuer.close())
const options = { ...issuer.options, mtls: 'optional' } as const
const { call } = await startGuardedApp(t, { ...options, clientCertFrom: ['127.0.0.0/8', '::1'] })
const der = new X509Certificate(clientCertificate).raw
const cnf = { 'x5t#S256': createHash('sha256').update(der).digest('base64url') }
const token = await issuer.mint({ cnf })
const field = fieldOf(der)

void t.test('MTLS-4, MTLS-7: a trusted proxy tells the certificate of its client', async (t) => {
  const answer = await call({ token, lines: ['Client-Cert', field] })
  t.equal(answer.status, 200, answer.text)
  t.equal(answer.headers.vary, 'Client-Cert')
  const other = fieldOf(new X509Certificate(renewedCertificate).raw)
  assertInvalidToken(t, await call({ token, lines: ['Client-Cert', other] }), 'another')
  assertInvalidToken(t, await call({ token }), 'none')
})

void t.test(
  'MTLS-7: an answer to a token that is bound to a key alone does not vary',
  async (t) => {
    const client = await createDpopClient()
    const both = { ...options, publicUrl, dpop: 'optional', clientCertFrom: ['127.0.0.1'] } as const
    const proxied = await startGuardedApp(t, both)
    const { status, headers } = await proxied.call(
      client.call(await issuer.mint({ cnf: client.cnf }))
    )
    t.equal(status, 200)
    t.equal(headers.vary, undefined)
  }
)

void t.test('MTLS-4: from anybody else the field is ignored', async (t) => {
  const elsewhere = await startGuardedApp(t, { ...options, clientCertFrom: ['10.0.0.0/8', '::1'] })
  for (const value of [field, 'garbage']) {
    const answer = await elsewhere.call({ token, lines: ['Client-Cert', value] })
    assertInvalidToken(t, answer, value)
  }
  const claimed = ['Client-Cert', field, 'X-Forwarded-For', '10.0.0.1']
  assertInvalidToken(t, await elsewhere.call({ token, lines: claimed }), 'forged address')
})

const base64 = der.toString('base64')
const malformed: Record<string, readonly string[]> = {
  'two lines': [field, field],
  'a list': [`${field}, ${field}`],
  'a parameter': [`${field};a=1`],
  'no colons': [base64],
  'a string': [`"${base64}"`],
  PEM: [clientCertificate.replaceAll('\n', ' ').trim()],
  'PEM as bytes': [fieldOf(Buffer.from(clientCertificate))],
  base64url: [':-_-_:'],
  'a wrong padding': [`:${base64.endsWith('=') ? base64.replace(/=+$/, '') : `${base64}==`}:`],
  'bits left over': [':QR==:'],
  'not base64': [':***:'],
  'nothing in it': ['::'],
  nothing: [''],
  'no certificate': [fieldOf(Buffer.from('no certificate'))],
  'a certificate cut short': [fieldOf(der.subarray(0, -1))],
  'something behind the certificate': [fieldOf(Buffer.concat([der, Buffer.from('x')]))],
  'two certificates': [fieldOf(Buffer.concat([der, der]))]
}
for (const [name, values] of Object.entries(malformed))
  void t.test(
    `MTLS-5, MTLS-9: ${name} in the Client-Cert field is a malformed request`,
    async (t) => {
      const lines = values.flatMap((value) => ['Client-Cert', value])
      assertInvalidRequest(t, await call({ token, lines }), name)
    }
  )

void t.test('MTLS-6: a chain is of no matter, and no certificate by itself', async (t) => {
  const chain = ['Client-Cert-Chain', field]
  assertInvalidToken(t, await call({ token, lines: chain }), 'alone')
  const answer = await call({ token, lines: ['Client-Cert', field, 'Client-Cert-Chain', 'x'] })
  t.equal(answer.status, 200)
})

void t.test(
  'INT-8, MTLS-4: what is off is ignored, and bound tokens are then refused',
  async (t) => {
    const off = await startGuardedApp(t, issuer.options)
    assertInvalidToken(t, await off.call({ token, lines: ['Client-Cert', field] }), 'off')
    const { status, headers } = await off.call({
      token: await issuer.mint(),
      lines: ['Client-Cert', 'x']
    })
    t.equal(status, 200)
    t.equal(headers.vary, undefined)
  }
)

function fieldOf(bytes: Uint8Array): string {
  return `:${Buffer.from(bytes).toString('base64')}:`
}

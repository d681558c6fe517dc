import { createHash, X509Certificate } from 'node:crypto'
import t from 'tap'
import { startTestIssuer } from '../../src/testing.ts'
import { appUnderTest } from '../support/app.ts'
import { clientCertificate } from '../support/client-certificates.ts'
import { callWith, createDpopClient, publicUrl } from '../support/dpop-client.ts'
import { startGuardedApp } from '../support/guarded-app.ts'
import { callOrigin, problemOf } from '../support/http-call.ts'
import { opaqueToken, startScene } from '../support/introspection-scene.ts'
import * as hostile from '../support/hostile-issuer.ts'
import { until } from '../support/until.ts'

const issuer = await startTestIssuer({ algorithms: ['RS256'] })
t.teardown(() => issuer.close())
const client = await createDpopClient()
const algs = 'ES256 ES384 ES512 EdDSA Ed25519 PS256 RS256'
const metadataPath = '/.well-known/oauth-protected-resource'

void t.test(
  'DPOP-26, PRM-7: an issuer that demands DPoP has no other tokens, and no other offer',
  async (t) => {
    const { call } = await startGuardedApp(t, { ...issuer.options, publicUrl, dpop: 'required' })
    const token = await issuer.mint({ cnf: client.cnf })
    t.equal((await call(client.call(token))).status, 200)
    const resource_metadata = `${publicUrl}${metadataPath}`
    const none = await call()
    t.equal(none.status, 401)
    t.match(problemOf(none).detail, /Authorization field: DPoP, a space, the token\.$/)
    t.same(none.challenges, [{ scheme: 'DPoP', params: { realm: 'api', algs, resource_metadata } }])
    const plain = await call({ token: await issuer.mint() })
    t.equal(plain.status, 401)
    t.match(plain.challenges, [
      { scheme: 'DPoP', params: { algs, resource_metadata, error: undefined } },
      { scheme: 'Bearer', params: { error: 'invalid_token', error_description: /not bound/ } }
    ])
    const certified = await issuer.mint({ cnf: { 'x5t#S256': 'a'.repeat(43) } })
    t.equal((await call({ token: certified })).status, 401)
  }
)

void t.test('BEARER-13: each issuer has its own say, and both schemes are offered', async (t) => {
  const strict = await startTestIssuer({ algorithms: ['RS256'] })
  t.teardown(() => strict.close())
  const issuers = [issuer.options, { ...strict.options, dpop: 'required' as const }]
  const { call } = await startGuardedApp(t, { issuers, publicUrl })
  t.equal((await call({ token: await issuer.mint() })).status, 200)
  t.equal((await call({ token: await strict.mint() })).status, 401)
  t.equal((await call(client.call(await strict.mint({ cnf: client.cnf })))).status, 200)
  t.equal((await call(client.call(await issuer.mint({ cnf: client.cnf })))).status, 401)
  t.same(
    (await call()).challenges.map(({ scheme }) => scheme),
    ['Bearer', 'DPoP']
  )
})

void t.test('BEARER-5: with DPoP off its scheme is an unknown one', async (t) => {
  const { call } = await startGuardedApp(t, issuer.options)
  const token = await issuer.mint({ cnf: client.cnf })
  for (const request of [client.call(token), { lines: ['Authorization', 'DPoP'] }]) {
    const { status, challenges, headers } = await call(request)
    t.equal(status, 401)
    t.same(challenges, [{ scheme: 'Bearer', params: { realm: 'api' } }])
    t.equal(headers['dpop-nonce'], undefined)
  }
})

void t.test('a route for bound tokens only is refused where no token can be', async (t) => {
  const started = startGuardedApp(t, issuer.options, { '/bound': { senderConstrained: true } })
  await t.rejects(started, {
    name: 'TypeError',
    message: /^config\.auth\.senderConstrained: found true, allowed: only with /
  })
})

void t.test('INT-8: what introspection says of the binding is proved too', async (t) => {
  const { api, active, answerWith } = await startScene(t, { dpop: 'optional', publicUrl })
  const ask = async (token: string, { lines = [] } = client.call(token)) => {
    const [, authorization = '', , dpop] = lines
    const headers = { authorization, ...(dpop !== undefined && { dpop }) }
    return (await api.app.inject({ url: '/whoami', headers })).statusCode
  }
  answerWith(hostile.json({ ...active, token_type: 'DPoP', cnf: client.cnf }))
  t.equal(await ask(opaqueToken), 200)
  t.equal(await ask(opaqueToken), 200, 'kept, it is proved anew')
  t.equal((await api.ask(opaqueToken)).status, 401, 'as Bearer it is refused')
  const stranger = await createDpopClient()
  t.equal(await ask(opaqueToken, stranger.call(opaqueToken)), 401)
  t.equal(await ask(opaqueToken, callWith(opaqueToken)), 401)
  answerWith(hostile.json({ ...active, token_type: 'DPoP', cnf: { kid: 'x' } }))
  t.equal((await api.ask('another-token')).status, 401, 'a DPoP token whose key is not told')
})

const modes: Record<string, [object, object]> = {
  'nothing is on': [{}, {}],
  'DPoP is optional': [
    { dpop: 'optional' },
    { dpop_signing_alg_values_supported: algs.split(' ') }
  ],
  'DPoP is required, with an algorithm': [
    { dpop: 'required' },
    { dpop_signing_alg_values_supported: ['ES256'], dpop_bound_access_tokens_required: true }
  ],
  'certificates are optional': [
    { mtls: 'optional' },
    { tls_client_certificate_bound_access_tokens: true }
  ]
}
for (const [name, [modes_, expected]] of Object.entries(modes))
  void t.test(`PRM-5: the metadata where ${name}`, async (t) => {
    const { app } = await appUnderTest(t, {
      publicUrl,
      issuers: [{ ...issuer.options, ...modes_ }],
      ...('mtls' in modes_ && { clientCertFrom: ['127.0.0.1'] }),
      ...(name.endsWith('algorithm') && { dpopProofs: { algorithms: ['ES256'] } })
    })
    const metadata: Record<string, unknown> = (await app.inject(metadataPath)).json()
    const members = Object.entries(metadata).filter(([member]) => /^(dpop|tls)_/.test(member))
    t.same(Object.fromEntries(members), expected)
  })

void t.test(
  'MTLS-8: the service takes a certificate and its chain beside a large token',
  async (t) => {
    const { app } = await appUnderTest(t, {
      issuers: [{ ...issuer.options, mtls: 'optional' }],
      clientCertFrom: ['127.0.0.1']
    })
    const origin = await app.listen({ host: '127.0.0.1', port: 0 })
    await until(() => app.latchkey.isReady())
    const { raw } = new X509Certificate(clientCertificate)
    const x5t = createHash('sha256').update(raw).digest('base64url')
    const token = await issuer.mint({ cnf: { 'x5t#S256': x5t }, padding: 'x'.repeat(3000) })
    const chain = `:${Buffer.alloc(12_000).toString('base64')}:`
    const lines = ['Client-Cert', `:${raw.toString('base64')}:`, 'Client-Cert-Chain', chain]
    const { status, headers, text } = await callOrigin(origin, { token, lines })
    t.equal(status, 200, text)
    t.match(headers.vary, 'Client-Cert')
  }
)

void t.test('the service does not start with certificates that nobody could send', async (t) => {
  const started = appUnderTest(t, { issuers: [{ ...issuer.options, mtls: 'optional' }] })
  await t.rejects(started, {
    message: /^clientCertFrom: found nothing, allowed: the proxies .* mtls of http/
  })
})

void t.test('DPOP-25: pages may send proofs, and read challenges and nonces', async (t) => {
  const { app } = await appUnderTest(t, {
    publicUrl,
    issuers: [{ ...issuer.options, dpop: 'optional' }],
    dpopProofs: { nonces: true },
    corsOrigins: ['https://app.example']
  })
  const origin = 'https://app.example'
  const asked = { 'access-control-request-method': 'GET', 'access-control-request-headers': 'dpop' }
  const preflight = await app.inject({
    method: 'OPTIONS',
    url: '/whoami',
    headers: { origin, ...asked }
  })
  t.match(preflight.headers['access-control-allow-headers'], /\bDPoP\b/)
  const refused = await app.inject({ url: '/whoami', headers: { origin } })
  t.equal(refused.statusCode, 401)
  t.type(refused.headers['dpop-nonce'], 'string')
  for (const field of ['WWW-Authenticate', 'DPoP-Nonce'])
    t.match(refused.headers['access-control-expose-headers'], field)
})

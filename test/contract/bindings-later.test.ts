import { createHash, X509Certificate } from 'node:crypto'
import t from 'tap'
import type { Test } from 'tap'
import type { LatchkeyOptions } from '../../plugins/latchkey.ts'
import type { IssuerOptions } from '../../src/issuer/issuer-options.ts'
import { startTestIssuer } from '../../src/testing.ts'
import { clientCertificate } from '../support/client-certificates.ts'
import { createDpopClient, publicUrl } from '../support/dpop-client.ts'
import { startGuardedApp } from '../support/guarded-app.ts'

const client = await createDpopClient()
const der = new X509Certificate(clientCertificate).raw
const certified = { 'x5t#S256': createHash('sha256').update(der).digest('base64url') }
const clientCertFrom = ['127.0.0.1']
const certificate = ['Client-Cert', `:${der.toString('base64')}:`]

/** An API that starts with one issuer of plain tokens, and another that comes later. */
async function startScene(t: Test, own: Partial<LatchkeyOptions & IssuerOptions> = {}) {
  const [first, later] = [await startTestIssuer(), await startTestIssuer()]
  for (const issuer of [first, later]) t.teardown(() => issuer.close())
  const { dpopProofs, ...ofIssuer } = own
  const issuers = [{ ...first.options, ...ofIssuer }]
  const api = await startGuardedApp(t, { publicUrl, issuers, dpopProofs })
  return { first, later, issuers, ...api }
}

for (const dpop of ['required', 'optional'] as const)
  t.test(`DPOP-14, DPOP-17: an issuer with dpop ${dpop} may come later, and go`, async (t) => {
    const { first, later, issuers, app, call } = await startScene(t)
    const plain = await first.mint()
    const token = await later.mint({ cnf: client.cnf })
    t.equal((await call({ token })).status, 401, 'before')
    t.equal((await call(client.call(token))).status, 401, 'DPoP is no scheme of this API yet')

    app.latchkey.replaceIssuers([...issuers, { ...later.options, dpop }])
    t.equal((await call(client.call(token))).status, 200, 'with a proof')
    t.equal((await call({ token })).status, 401, 'as a bearer token')
    t.equal((await call({ token: plain })).status, 200, 'a plain token of the other')
    const proof = client.call(token)
    t.equal((await call(proof)).status, 200)
    t.equal((await call(proof)).status, 401, 'the same proof again')
    t.strictSame(schemesOf(await call()), ['Bearer', 'DPoP'])
    t.ok(app.latchkey.senderConstraints.dpopAlgorithms.includes('ES256'))

    app.latchkey.replaceIssuers(issuers)
    t.equal((await call(client.call(token))).status, 401, 'after')
    t.equal((await call({ token })).status, 401)
    t.equal((await call({ token: plain })).status, 200)
    t.strictSame(schemesOf(await call()), ['Bearer'])
    t.strictSame(app.latchkey.senderConstraints.dpopAlgorithms, [])
  })

t.test('DPOP-17: where none but the later issuers is left, DPoP is required', async (t) => {
  const { later, app, call } = await startScene(t)
  app.latchkey.replaceIssuers([{ ...later.options, dpop: 'required' }])
  t.strictSame(schemesOf(await call()), ['DPoP'])
  t.equal(app.latchkey.senderConstraints.dpopRequired, true)
})

for (const mtls of ['required', 'optional'] as const)
  t.test(`MTLS-1, MTLS-4: an issuer with mtls ${mtls} may come later, and go`, async (t) => {
    const { later, issuers, app, call } = await startScene(t)
    const token = await later.mint({ cnf: certified })
    const list = [...issuers, { ...later.options, mtls }]
    t.throws(() => app.latchkey.replaceIssuers(list), { message: /^clientCertFrom: found nothing/ })
    t.equal((await call({ token, lines: certificate })).status, 401, 'nothing has changed')

    app.latchkey.replaceIssuers(list, { clientCertFrom })
    t.equal((await call({ token, lines: certificate })).status, 200, 'with the certificate')
    t.equal((await call({ token })).status, 401, 'without')
    t.equal(app.latchkey.senderConstraints.mtls, true)

    app.latchkey.replaceIssuers(list)
    t.equal((await call({ token, lines: certificate })).status, 200, 'the proxies stay')
    const without = () => app.latchkey.replaceIssuers(list, { clientCertFrom: undefined })
    t.throws(without, { message: /^clientCertFrom: found nothing/ }, 'unless they are taken away')
    app.latchkey.replaceIssuers(issuers)
    t.equal((await call({ token, lines: certificate })).status, 401, 'after')
    t.equal(app.latchkey.senderConstraints.mtls, false)
  })

t.test('options of proofs stay, change or are refused with the list', async (t) => {
  const { issuers, app, call } = await startScene(t, { dpop: 'optional' })
  const algorithms = ['ES256'] as const
  const algs = async () =>
    (await call()).challenges.find(({ scheme }) => scheme === 'DPoP')?.params['algs']
  t.match(await algs(), /^ES256 ES384/)
  app.latchkey.replaceIssuers(issuers, { dpopProofs: { algorithms } })
  t.equal(await algs(), 'ES256')
  app.latchkey.replaceIssuers(issuers)
  t.equal(await algs(), 'ES256')
  t.throws(() => app.latchkey.replaceIssuers(issuers, { dpopProofs: { nonces: true } }), {
    message: /^dpopProofs\.nonces: found true, allowed: false until a restart/
  })
  t.equal(await algs(), 'ES256')
})

t.test('DPOP-11: nonces go with the list, and come back', async (t) => {
  const { first, issuers, app, call } = await startScene(t, {
    dpop: 'optional',
    dpopProofs: { nonces: true }
  })
  const token = await first.mint({ cnf: client.cnf })
  const nonceOf = async () => (await call(client.call(token))).headers['dpop-nonce']
  t.type(await nonceOf(), 'string')
  app.latchkey.replaceIssuers(issuers, { dpopProofs: {} })
  t.equal(await nonceOf(), undefined)
  app.latchkey.replaceIssuers(issuers, { dpopProofs: { nonces: true } })
  const nonce = await nonceOf()
  t.equal((await call(client.call(token, { claims: { nonce } }))).status, 200)
})

t.test('an option that is not named stays when another one changes', async (t) => {
  const { first, issuers, app, call } = await startScene(t, {
    dpop: 'optional',
    dpopProofs: { nonces: true }
  })
  const list = [{ ...issuers[0], ...first.options, mtls: 'optional' } as const]
  app.latchkey.replaceIssuers(list, { clientCertFrom })
  const bound = await first.mint({ cnf: client.cnf })
  t.equal((await call(client.call(bound))).status, 401, 'without a nonce')
  app.latchkey.replaceIssuers(list, { dpopProofs: { nonces: true, algorithms: ['ES256'] } })
  const token = await first.mint({ cnf: certified })
  t.equal((await call({ token, lines: certificate })).status, 200, 'the proxies stay')
})

t.test(
  'FAPI-3: a later profile that allows fewer algorithms of proofs counts for all',
  async (t) => {
    const { issuers, app } = await startScene(t, { dpop: 'optional' })
    const strict: IssuerOptions = {
      issuer: 'https://id.example.com',
      audience: 'api',
      profile: 'fapi2',
      tokens: ['opaque'],
      introspection: { clientId: 'api', clientSecret: 'secret' }
    }
    t.ok(app.latchkey.senderConstraints.dpopAlgorithms.includes('RS256'))
    app.latchkey.replaceIssuers([...issuers, strict])
    t.notOk(app.latchkey.senderConstraints.dpopAlgorithms.includes('RS256'))
  }
)

t.test(
  'DPOP-17, MTLS-1: an issuer that is resolved opens nothing that is not set up',
  async (t) => {
    for (const [way, cnf] of [
      [{ dpop: 'optional' }, client.cnf],
      [{ dpop: 'required' }, client.cnf],
      [{ mtls: 'optional' }, certified],
      [{ mtls: 'required' }, certified]
    ] as const) {
      const issuer = await startTestIssuer()
      t.teardown(() => issuer.close())
      const resolveIssuer = () => ({ ...issuer.options, ...way })
      const { call, log } = await startGuardedApp(t, { publicUrl, issuers: [], resolveIssuer })
      t.equal((await call({ token: await issuer.mint({ cnf }) })).status, 503)
      t.match(
        log.join(''),
        /off without the option (dpopProofs|clientCertFrom) or an issuer of the list/
      )
    }
  }
)

function schemesOf({
  challenges
}: {
  readonly challenges: readonly { readonly scheme: string }[]
}) {
  return challenges.map(({ scheme }) => scheme)
}

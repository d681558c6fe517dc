import t from 'tap'
import type { IssuerOptions } from '../../src/issuer/issuer-options.ts'
import { startTestIssuer } from '../../src/testing.ts'
import { startGuardedApp } from '../support/guarded-app.ts'

const publicUrl = 'https://api.example.com'
const thumbprint = 'a'.repeat(43)
const ways: [Partial<IssuerOptions>, object][] = [
  [{ dpop: 'required' }, { jkt: thumbprint }],
  [{ dpop: 'optional' }, { jkt: thumbprint }],
  [{ mtls: 'required' }, { 'x5t#S256': thumbprint }],
  [{ mtls: 'optional' }, { 'x5t#S256': thumbprint }]
]

for (const [way, cnf] of ways) {
  const name = JSON.stringify(way)
  t.test(`DPOP-17, MTLS-1: an issuer with ${name} that comes later opens nothing`, async (t) => {
    const [first, later] = [await startTestIssuer(), await startTestIssuer()]
    for (const issuer of [first, later]) t.teardown(() => issuer.close())
    const issuers = [first.options]
    const { app, call } = await startGuardedApp(t, { publicUrl, issuers })
    const token = await later.mint({ cnf })
    const list = [first.options, { ...later.options, ...way }]
    t.throws(() => app.latchkey.replaceIssuers(list), { message: /until a restart/ })
    t.equal((await call({ token })).status, 401, 'a bound token without a proof')
    t.equal((await call({ token: await first.mint() })).status, 200)
  })

  t.test(`DPOP-17, MTLS-1: one with ${name} that is resolved opens nothing`, async (t) => {
    const issuer = await startTestIssuer()
    t.teardown(() => issuer.close())
    const resolveIssuer = () => ({ ...issuer.options, ...way })
    const { call } = await startGuardedApp(t, { publicUrl, issuers: [], resolveIssuer })
    t.equal((await call({ token: await issuer.mint({ cnf }) })).status, 503)
  })
}

t.test('DPOP-14: where proofs are judged, an issuer with dpop may come later', async (t) => {
  const [first, later] = [await startTestIssuer(), await startTestIssuer()]
  for (const issuer of [first, later]) t.teardown(() => issuer.close())
  const own: IssuerOptions = { ...first.options, dpop: 'optional' }
  const { app, call } = await startGuardedApp(t, { publicUrl, issuers: [own] })
  app.latchkey.replaceIssuers([own, { ...later.options, dpop: 'required' }])
  const { status } = await call({ token: await later.mint({ cnf: { jkt: thumbprint } }) })
  t.equal(status, 401)
  t.equal((await call({ token: await first.mint() })).status, 200)
})

t.test(
  'an issuer whose profile allows fewer algorithms of proofs waits for a restart',
  async (t) => {
    const issuer = await startTestIssuer()
    t.teardown(() => issuer.close())
    const own: IssuerOptions = { ...issuer.options, dpop: 'optional' }
    const { app } = await startGuardedApp(t, { publicUrl, issuers: [own] })
    const strict: IssuerOptions = {
      issuer: 'https://id.example.com',
      audience: 'api',
      profile: 'fapi2',
      tokens: ['opaque'],
      introspection: { clientId: 'api', clientSecret: 'secret' }
    }
    t.throws(() => app.latchkey.replaceIssuers([own, strict]), {
      message: /profile.*until a restart/
    })
  }
)

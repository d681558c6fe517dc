import { generateKeyPairSync } from 'node:crypto'
import { calculateJwkThumbprint, type JWK } from 'jose'
import t from 'tap'
import { startTestIssuer } from '../../src/testing.ts'
import { createDpopClient, publicUrl } from '../support/dpop-client.ts'
import { startGuardedApp } from '../support/guarded-app.ts'

const revocationStore = { read: async () => [], add: async () => undefined }

t.test('META-11: a list that comes while an issuer is resolved counts more', async (t) => {
  const issuer = await startTestIssuer()
  t.teardown(() => issuer.close())
  const { promise: asked, resolve: ask } = deferred()
  const { promise: answered, resolve: answer } = deferred()
  const { app, call } = await startGuardedApp(t, {
    publicUrl,
    issuers: [],
    async resolveIssuer() {
      ask()
      await answered
      return issuer.options
    }
  })
  const token = await issuer.mint()
  const calls = [call({ token }), call({ token })]
  await asked
  app.latchkey.replaceIssuers([{ ...issuer.options, dpop: 'required' }])
  answer()
  for (const { status } of await Promise.all(calls)) t.equal(status, 401, 'asked for before it')
  t.equal((await call({ token })).status, 401, 'known by then')
  t.equal((await call({ token: await issuer.mint() })).status, 401, 'another token of the issuer')
})

t.test(
  'FAPI-3: a resolved issuer is admitted anew when what it was admitted under is gone',
  async (t) => {
    const [listed, resolved] = [await startTestIssuer(), await startTestIssuer()]
    for (const issuer of [listed, resolved]) t.teardown(() => issuer.close())
    const fapi = {
      profile: 'fapi2',
      backchannelLogout: { clientId: 'app' }
    } as const
    const { app, call, log } = await startGuardedApp(t, {
      publicUrl,
      revocationStore,
      issuers: [{ ...listed.options, ...fapi }],
      resolveIssuer: () => ({ ...resolved.options, ...fapi })
    })
    const client = await createDpopClient()
    const { publicKey, privateKey: key } = generateKeyPairSync('rsa', { modulusLength: 2048 })
    const jwk = publicKey.export({ format: 'jwk' }) as JWK
    const bound = { cnf: { jkt: await calculateJwkThumbprint(jwk) } }
    const token = await resolved.mint(bound, { alg: 'ES256' })
    const weak = () => call(client.call(token, { header: { alg: 'RS256', jwk }, key }))
    t.equal((await weak()).status, 401, 'the profile wants other proofs')
    const good = await resolved.mint({ cnf: client.cnf }, { alg: 'ES256' })
    t.equal((await call(client.call(good))).status, 200)

    app.latchkey.replaceIssuers([{ ...listed.options, dpop: 'optional' }])
    t.equal((await weak()).status, 503, 'as after a restart')
    t.match(log.join(''), /a profile that accepts proofs with/)
  }
)

function deferred() {
  let resolve = (): void => undefined
  const promise = new Promise<void>((settle) => {
    resolve = settle
  })
  return { promise, resolve }
}

import t from 'tap'
import { startTestIssuer } from '../../src/testing.ts'
import { publicUrl } from '../support/dpop-client.ts'
import { startGuardedApp } from '../support/guarded-app.ts'

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

function deferred() {
  let resolve = (): void => undefined
  const promise = new Promise<void>((settle) => {
    resolve = settle
  })
  return { promise, resolve }
}

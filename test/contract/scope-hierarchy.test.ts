import t from 'tap'
import { startTestIssuer } from '../../src/testing.ts'
import { assertCleanLog, startGuardedApp } from '../support/guarded-app.ts'
import { assertInsufficientScope, assertNoCredentials } from '../support/outcomes.ts'

const issuer = await startTestIssuer({ algorithms: ['ES256'] })
t.teardown(() => issuer.close())
const scopeImplies = {
  everything: ['documents:admin'],
  'documents:admin': ['documents:read', 'documents:write']
}
const guarded = await startGuardedApp(t, { ...issuer.options, scopeImplies })
const { call } = guarded
const tokenFor = (scope: string) => issuer.mint({ scope })

void t.test('a scope opens what the scopes open that it implies, near and far', async (t) => {
  for (const scope of ['documents:read', 'documents:admin', 'everything'])
    for (let sight = 0; sight < 3; sight++) {
      const token = await tokenFor(scope)
      t.equal((await call({ path: '/documents', token })).status, 200, scope)
    }
})

void t.test('it does not work upwards, nor sideways', async (t) => {
  const path = '/documents'
  for (const scope of ['documents:write', 'documents', 'documents:admin2'])
    assertInsufficientScope(
      t,
      await call({ path, token: await tokenFor(scope) }),
      scope,
      'documents:read'
    )
})

void t.test('the caller is told what the route names, not what would imply it', async (t) => {
  assertNoCredentials(t, await call({ path: '/documents' }), 'none', 'documents:read')
})

void t.test('the principal has all of its scopes', async (t) => {
  const { text } = await call({ token: await tokenFor('documents:admin openid') })
  t.match(JSON.parse(text), {
    scopes: ['documents:admin', 'openid', 'documents:read', 'documents:write']
  })
})

void t.test('no token is in the log', async (t) => assertCleanLog(t, guarded))

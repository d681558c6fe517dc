import t from 'tap'
import { startTestIssuer } from '../../src/testing.ts'
import { assertCleanLog, startGuardedApp } from '../support/guarded-app.ts'
import { assertAccessDenied } from '../support/outcomes.ts'

const [keycloak, auth0, plain] = [
  await startTestIssuer({ algorithms: ['ES256'] }),
  await startTestIssuer({ algorithms: ['ES256'] }),
  await startTestIssuer({ algorithms: ['ES256'] })
]
for (const issuer of [keycloak, auth0, plain]) t.teardown(() => issuer.close())
const guarded = await startGuardedApp(
  t,
  {
    issuers: [
      { ...keycloak.options, claims: { roles: 'realm_access.roles' } },
      { ...auth0.options, claims: { roles: ['permissions', 'https://api.example.com/roles'] } },
      plain.options
    ]
  },
  { '/admin': { roles: ['admin', 'auditor'] } }
)

async function ask(issuer: typeof plain, claims: object) {
  return guarded.call({ path: '/admin', token: await issuer.mint({ ...claims }) })
}

const everywhere = {
  realm_access: { roles: ['admin'] },
  permissions: ['admin'],
  roles: ['admin', 'auditor']
}
const detail = 'This operation needs the role admin and auditor.'

void t.test('all roles are needed, from where each issuer has them', async (t) => {
  const roles = ['auditor', 'x', 'admin']
  t.equal((await ask(keycloak, { realm_access: { roles } })).status, 200)
  t.equal((await ask(auth0, { 'https://api.example.com/roles': roles })).status, 200)
  for (const issuer of [keycloak, auth0])
    assertAccessDenied(t, await ask(issuer, everywhere), 'one of two', detail)
})

void t.test('the roles of one issuer are not looked for where another has them', async (t) => {
  assertAccessDenied(t, await ask(keycloak, { permissions: ['admin', 'auditor'] }), 'other', detail)
  assertAccessDenied(t, await ask(plain, everywhere), 'an issuer that says nothing', detail)
})

void t.test('roles are compared exactly, and nonsense grants nothing', async (t) => {
  for (const roles of [['Admin', 'auditor'], 'admin auditor', ['admin', 'auditor', 1], {}, null])
    assertAccessDenied(
      t,
      await ask(keycloak, { realm_access: { roles } }),
      JSON.stringify(roles),
      detail
    )
  assertAccessDenied(t, await ask(keycloak, { realm_access: 5 }), 'a number', detail)
})

void t.test('no token is in the log', async (t) => assertCleanLog(t, guarded))

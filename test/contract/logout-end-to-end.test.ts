import { setTimeout as sleep } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { appUnderTest } from '../support/app.ts'
import { startDatabases, type TestDatabase } from '../support/databases.ts'
import { callOrigin } from '../support/http-call.ts'
import { type LogoutProvider, startLogoutProvider } from '../support/logout-provider.ts'
import { until } from '../support/until.ts'

const databases = await startDatabases(t)

for (const database of databases)
  for (const sessionRequired of [false, true])
    void t.test(
      `BCL-10, BCL-11: ${database.name}: a sign-out at the provider, ${sessionRequired ? 'with' : 'without'} sid, ` +
        'ends the token on both instances',
      (t) => signOutAndIn(t, database, sessionRequired)
    )

async function signOutAndIn(t: Test, database: TestDatabase, sessionRequired: boolean) {
  const provider = await startLogoutProvider(t)
  const url = await database.create()
  const first = await startInstance(t, provider, url)
  const second = await startInstance(t, provider, url)
  await provider.open(`${first}/backchannel-logout`, sessionRequired)
  const { token, signOut } = await provider.signIn()
  const statusAt = async (origin: string, sent = token) =>
    (await callOrigin(origin, { token: sent })).status
  for (const origin of [first, second]) await until(async () => (await statusAt(origin)) === 200)
  // from the second time on the token is remembered
  for (const origin of [first, second]) t.equal(await statusAt(origin), 200, 'good before')

  await signOut()

  t.equal(await statusAt(first), 401, 'refused by the instance that was told')
  await until(async () => (await statusAt(second)) === 401, 1000)
  t.pass('refused by the other within a second')

  await sleep(1000)
  const again = await provider.signIn()
  for (const origin of [first, second])
    t.equal(await statusAt(origin, again.token), 200, 'a new sign-in is good')
  const third = await startInstance(t, provider, url)
  t.equal((await callOrigin(third, { token })).status, 401, 'refused after a restart')
}

async function startInstance(
  t: Test,
  { issuer, audience }: LogoutProvider,
  url: string
): Promise<string> {
  const { app } = await appUnderTest(t, {
    ...(url.startsWith('postgres:') ? { databaseUrl: url } : { dataDir: url }),
    issuers: [{ issuer, audience, backchannelLogout: { clientId: 'app' } }]
  })
  return app.listen({ host: '127.0.0.1', port: 0 })
}

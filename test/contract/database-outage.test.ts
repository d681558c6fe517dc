import t, { type Test } from 'tap'
import { startTestIssuer } from '../../src/testing.ts'
import { appUnderTest } from '../support/app.ts'
import { startDatabases } from '../support/databases.ts'
import { callOrigin, problemOf } from '../support/http-call.ts'
import { startRelay } from '../support/relay.ts'
import { until } from '../support/until.ts'

// Two instances on one PostgreSQL. The way of the first to it is disturbed, that of the second never is.

const issuer = await startTestIssuer({ algorithms: ['RS256'] })
t.teardown(() => issuer.close())
// most of the time is waiting
t.jobs = 3
const postgres = (await startDatabases(t)).find(({ name }) => name === 'PostgreSQL')

/** Milliseconds for which /readyz waits for a check, and some for a busy machine. */
const readinessPatience = 4000

if (postgres !== undefined) {
  void t.test('BCL-11: a database that is gone and comes back', { buffered: true }, async (t) => {
    const { relay, first, second } = await startInstances(t, await postgres.create())
    t.equal((await first.revoke('known')).status, 201)
    const remembered = await mint('remembered')
    for (let times = 0; times < 3; times++) t.equal(await first.statusOf(remembered), 200)

    relay.cut()

    const answer = await first.readiness()
    t.match(answer, { status: 503, headers: { 'retry-after': '5' } })
    t.equal(problemOf(answer).detail, 'Not ready: database.')
    t.equal(await first.statusOf(await mint('known')), 401, 'known marks count')
    t.equal(await first.statusOf(remembered), 200)
    t.equal(await first.statusOf(await mint('new')), 200)
    t.equal(await first.statusOf(remembered, '/documents'), 503)
    const unkept = await first.revoke('unkept')
    t.match(unkept, { status: 503, headers: { 'retry-after': '5' } })
    t.equal(await first.statusOf(await mint('unkept')), 200, 'what is refused has no effect')
    t.equal((await second.revoke('elsewhere')).status, 201)
    await until(() => first.hasLogged('revoked tokens can not be read'))

    relay.restore()

    await assertHealed(t, first, second, 2000)
    t.equal(
      await second.statusOf(await mint('unkept')),
      200,
      'nothing was kept of what was refused'
    )
    t.ok(first.hasLogged('revoked tokens can be read again'))
    t.equal((await first.revoke('unkept')).status, 201)
    t.equal(await first.statusOf(await mint('unkept')), 401)
  })

  void t.test(
    'BCL-11: a database that breaks off in the middle of a call',
    { buffered: true },
    async (t) => {
      const { relay, first, second } = await startInstances(t, await postgres.create())
      relay.silence()
      const [unkept, documents] = [
        first.revoke('unkept'),
        first.statusOf(await mint('x'), '/documents')
      ]
      await until(() => first.isWaiting(2))
      relay.cut()
      t.equal((await unkept).status, 503)
      t.equal(await documents, 503)
      t.equal((await second.revoke('elsewhere')).status, 201)
      relay.restore()
      await assertHealed(t, first, second, 2000)
    }
  )

  void t.test(
    'BCL-11: a database that answers nothing, over connections that stay dead',
    async (t) => {
      const { relay, first, second } = await startInstances(t, await postgres.create())
      t.equal((await first.revoke('known')).status, 201)

      relay.silence()

      const unkept = first.revoke('unkept')
      const answer = await first.readiness()
      t.match([answer.status, problemOf(answer).detail], [503, 'Not ready: database.'])
      t.equal(await first.statusOf(await mint('known')), 401)
      t.equal(await first.statusOf(await mint('new')), 200)
      t.equal((await second.revoke('elsewhere')).status, 201)
      t.equal((await unkept).status, 503, 'in the end')
      const blind = 'Not ready: database, revoked tokens.'
      await until(async () => problemOf(await first.readiness()).detail === blind)

      relay.restore()

      await assertHealed(t, first, second, 3000)
    }
  )
}

type Instance = Awaited<ReturnType<typeof startInstance>>

async function startInstances(t: Test, url: string) {
  const relay = await startRelay(t, Number(new URL(url).port))
  const relayed = new URL(url)
  relayed.port = String(relay.port)
  return {
    relay,
    first: await startInstance(t, relayed.href),
    second: await startInstance(t, url)
  }
}

async function startInstance(t: Test, databaseUrl: string) {
  const { app, log } = await appUnderTest(t, { databaseUrl, issuers: [issuer.options] })
  let running = 0
  app.addHook('onRequest', async () => void running++)
  app.addHook('onResponse', async () => void running--)
  const origin = await app.listen({ host: '127.0.0.1', port: 0 })
  await until(() => app.latchkey.isReady())
  return {
    isWaiting: (count: number) => running === count,
    hasLogged: (message: string) => log.some((line) => line.includes(`"msg":"${message}"`)),
    async statusOf(token: string, path = '/whoami') {
      return (await callOrigin(origin, { token, path })).status
    },
    /** @throws {Error} if the answer takes longer than it may */
    async readiness() {
      const begin = performance.now()
      const answer = await callOrigin(origin, { path: '/readyz' })
      if (performance.now() - begin < readinessPatience) return answer
      throw new Error('/readyz took too long')
    },
    async revoke(subject: string) {
      const token = await mint('root', 'revocations:write')
      const lines = ['Content-Type', 'application/json']
      const body = JSON.stringify({ subject, issuer: issuer.issuer })
      return callOrigin(origin, { method: 'POST', path: '/admin/revocations', token, lines, body })
    }
  }
}

/** Without a restart: the mark that the other instance made meanwhile, readiness, and marks of either for both. */
async function assertHealed(t: Test, first: Instance, second: Instance, patience: number) {
  const knows = async (instance: Instance, subject: string) =>
    (await instance.statusOf(await mint(subject))) === 401
  await until(() => knows(first, 'elsewhere'), patience)
  t.equal((await first.readiness()).status, 200)
  for (const [here, there] of [
    [first, second],
    [second, first]
  ] as const) {
    const subject = here === first ? 'from the first' : 'from the second'
    t.equal((await here.revoke(subject)).status, 201)
    t.ok(await knows(here, subject))
    await until(() => knows(there, subject), 1500)
  }
  t.equal(await first.statusOf(await mint('new'), '/documents'), 200)
}

function mint(sub: string, scope = 'openid documents:read'): Promise<string> {
  return issuer.mint({ sub, scope, iat: Math.floor(Date.now() / 1000) - 60 })
}

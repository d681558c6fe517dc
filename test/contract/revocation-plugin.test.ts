import Fastify from 'fastify'
import t from 'tap'
import latchkey from '../../src/index.ts'
import { openDatabase } from '../../src/storage/database.ts'
import { createRevocationStore } from '../../src/storage/revocations.ts'
import { startTestIssuer } from '../../src/testing.ts'
import { mintLogoutToken } from '../support/revocable-api.ts'
import { until } from '../support/until.ts'

const issuer = await startTestIssuer({ algorithms: ['RS256'] })
t.teardown(() => issuer.close())

void t.test('a user of the plugin gets the routes of what is switched on', async (t) => {
  const storage = await openDatabase('memory://')
  const app = Fastify()
  t.teardown(() => app.close().then(() => storage.close()))
  await app.register(latchkey, {
    ...issuer.options,
    revocationStore: createRevocationStore(storage),
    backchannelLogout: { clientId: 'app' }
  })
  app.get('/', async () => 'in')
  await until(() => app.latchkey.isReady())
  const statusOf = async (token: string) =>
    (await app.inject({ url: '/', headers: { authorization: `Bearer ${token}` } })).statusCode
  const push = async (url: string) => {
    const headers = { 'content-type': 'application/x-www-form-urlencoded' }
    const payload = `logout_token=${await mintLogoutToken(issuer)}`
    return (await app.inject({ method: 'POST', url, headers, payload })).statusCode
  }
  const token = await issuer.mint()
  t.equal(await statusOf(token), 200)
  t.equal(await push('/backchannel-logout'), 200)
  t.equal(await statusOf(token), 401)
  t.equal(await push('/security-events'), 404)
  const events = {
    ...issuer.options,
    securityEvents: { audience: 'https://api.example.com/events' }
  }
  t.throws(() => app.latchkey.replaceIssuers([events]), {
    message: /^securityEvents: found a value, allowed: none until a restart/
  })

  const own = await issuer.mint({ sub: 'bob', jti: 'own' })
  t.equal(await statusOf(own), 200)
  await app.latchkey.revoke({ jti: 'own' })
  t.equal(await statusOf(own), 401)
})

void t.test('without a store nothing can be revoked', async (t) => {
  const app = Fastify()
  t.teardown(() => app.close())
  await app.register(latchkey, issuer.options)
  t.equal(app.latchkey.revocations, undefined)
  await t.rejects(app.latchkey.revoke({ jti: 'x' }), {
    name: 'TypeError',
    message: /^revocationStore/
  })
})

void t.test('a lifetime that makes no sense stops the start', async (t) => {
  for (const maxTokenLifetime of [0, 59, 1.5, Number.NaN, 157_680_001]) {
    const app = Fastify()
    t.teardown(() => app.close())
    const options = { ...issuer.options, maxTokenLifetime }
    const start = async () => app.register(latchkey, options)
    await t.rejects(start, { message: /^maxTokenLifetime: found/ })
  }
})

import Fastify from 'fastify'
import t, { type Test } from 'tap'
import latchkey, { type IssuerOptions } from '../../src/index.ts'
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
  app.latchkey.replaceIssuers([events])
  t.equal(await push('/backchannel-logout'), 404, 'no issuer of the new list tells of logouts')
  t.equal(await push('/security-events'), 415, 'it takes them now, in their own media type')

  const own = await issuer.mint({ sub: 'bob', jti: 'own' })
  t.equal(await statusOf(own), 200)
  await app.latchkey.revoke({ jti: 'own' })
  t.equal(await statusOf(own), 401)
})

void t.test('BCL-10: an issuer that is resolved at run time ends sessions, too', async (t) => {
  const storage = await openDatabase('memory://')
  const app = Fastify()
  t.teardown(() => app.close().then(() => storage.close()))
  let answers: 'well' | 'never' = 'well'
  const resolveIssuer = () => {
    if (answers === 'never') throw new Error('the directory is down')
    return { ...issuer.options, backchannelLogout: { clientId: 'app' } }
  }
  const revocationStore = createRevocationStore(storage)
  await app.register(latchkey, { issuers: [], resolveIssuer, revocationStore })
  app.get('/', async () => 'in')
  const push = async (claims = {}) => {
    const headers = { 'content-type': 'application/x-www-form-urlencoded' }
    const payload = `logout_token=${await mintLogoutToken(issuer, claims)}`
    return app.inject({ method: 'POST', url: '/backchannel-logout', headers, payload })
  }
  answers = 'never'
  t.match(await push({ iss: 'https://away.example' }), { statusCode: 503 })
  answers = 'well'
  t.equal((await push()).statusCode, 200, 'before any token of it was seen')
  const token = await issuer.mint()
  const headers = { authorization: `Bearer ${token}` }
  t.equal((await app.inject({ url: '/', headers })).statusCode, 401)
})

void t.test('registrations beside each other share one store', async (t) => {
  const storage = await openDatabase('memory://')
  const app = Fastify()
  t.teardown(() => app.close().then(() => storage.close()))
  const revocationStore = createRevocationStore(storage)
  for (const path of ['/a', '/b'])
    await app.register(async (context) => {
      await context.register(latchkey, { ...issuer.options, revocationStore })
      context.get(path, async () => 'in')
      await until(() => context.latchkey.isReady())
    })
  const headers = { authorization: `Bearer ${await issuer.mint()}` }
  for (const url of ['/a', '/b']) t.equal((await app.inject({ url, headers })).statusCode, 200, url)
})

/** An API whose tokens can be revoked; all is asked of `/`. */
async function startRevocable(t: Test, options: Partial<IssuerOptions>) {
  const storage = await openDatabase('memory://')
  const app = Fastify()
  t.teardown(() => app.close().then(() => storage.close()))
  const revocationStore = createRevocationStore(storage)
  await app.register(latchkey, { ...issuer.options, ...options, revocationStore })
  app.get('/', async ({ principal: { clientId, tokenId } }) => ({ clientId, tokenId }))
  await until(() => app.latchkey.isReady())
  const ask = (token: string) =>
    app.inject({ url: '/', headers: { authorization: `Bearer ${token}` } })
  return { app, ask }
}

void t.test('BEARER-6: a token is revoked by what its issuer calls its id, too', async (t) => {
  const { app, ask } = await startRevocable(t, { claims: { tokenId: 'uti' } })
  const token = await issuer.mint({ uti: 'one', jti: undefined })
  for (const time of ['first', 'second', 'third'])
    t.match((await ask(token)).json(), { tokenId: 'one' }, `the ${time} time`)
  await app.latchkey.revoke({ jti: 'one' })
  t.equal((await ask(token)).statusCode, 401, 'a verified one')
  t.equal((await ask(await issuer.mint({ uti: 'one', jti: 'x' }))).statusCode, 401, 'a new one')
  t.equal((await ask(await issuer.mint({ uti: 'two', jti: 'x' }))).statusCode, 200, 'another')
  await app.latchkey.revoke({ jti: 'x' })
  t.equal((await ask(await issuer.mint({ uti: 'two', jti: 'x' }))).statusCode, 401, 'by its jti')
})

void t.test('ID tokens end with those of their client, in whatever form aud is', async (t) => {
  const { app, ask } = await startRevocable(t, { tokens: ['id'], idTokens: { clientId: 'app' } })
  const mint = (aud: unknown) =>
    issuer.mint({ aud, client_id: undefined, scope: undefined }, { header: { typ: 'JWT' } })
  const tokens = [await mint('app'), await mint(['app'])]
  for (const token of tokens) t.match((await ask(token)).json(), { clientId: 'app' })
  await app.latchkey.revoke({ client: 'app', issuer: issuer.issuer })
  for (const token of tokens) t.equal((await ask(token)).statusCode, 401)
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

void t.test(
  'a mark on all tokens never makes one good again that was revoked by its id',
  async (t) => {
    const storage = await openDatabase('memory://')
    const app = Fastify()
    t.teardown(() => app.close().then(() => storage.close()))
    const revocationStore = createRevocationStore(storage)
    await app.register(latchkey, { ...issuer.options, revocationStore })
    app.get('/', async () => 'in')
    await until(() => app.latchkey.isReady())
    // the clock of the issuer is ahead, within the tolerance
    const token = await issuer.mint({ jti: 'ahead', iat: Math.floor(Date.now() / 1000) + 4 })
    const headers = { authorization: `Bearer ${token}` }
    await app.latchkey.revoke({ jti: 'ahead' })
    t.equal((await app.inject({ url: '/', headers })).statusCode, 401)
    await app.latchkey.revoke({ issuedBefore: new Date() })
    t.equal((await app.inject({ url: '/', headers })).statusCode, 401)
  }
)

void t.test(
  'tokens of an issuer that is resolved at run time can be revoked by any instance',
  async (t) => {
    const storage = await openDatabase('memory://')
    const app = Fastify()
    t.teardown(() => app.close().then(() => storage.close()))
    const revocationStore = createRevocationStore(storage)
    const resolveIssuer = () => issuer.options
    await app.register(latchkey, { issuers: [], resolveIssuer, revocationStore })
    app.get('/', async () => 'in')
    await app.latchkey.revoke({ subject: 'ada', issuer: issuer.issuer })
    const statusOf = async (sub: string) => {
      const headers = { authorization: `Bearer ${await issuer.mint({ sub })}` }
      return (await app.inject({ url: '/', headers })).statusCode
    }
    t.equal(await statusOf('ada'), 401)
    t.equal(await statusOf('bob'), 200)
    await t.rejects(app.latchkey.revoke({ subject: 'ada', issuer: 'x' }), { name: 'ProblemError' })
  }
)

import { generateKeyPairSync } from 'node:crypto'
import t, { type Test } from 'tap'
import { startTestIssuer } from '../../src/testing.ts'
import type { TestKey } from '../../src/testing/keys.ts'
import { encode, hmacSigner, rawToken, signer, unsigned } from '../support/raw-token.ts'
import { type Claims, mintLogoutToken, startRevocableApi } from '../support/revocable-api.ts'
import { until } from '../support/until.ts'

const issuer = await startTestIssuer({ algorithms: ['RS256'] })
const other = await startTestIssuer({ algorithms: ['RS256'] })
t.teardown(() => Promise.all([issuer.close(), other.close()]))

const now = Math.floor(Date.now() / 1000)
/** Whose sessions may end without an effect on other tests. */
const zed = { sub: 'zed' }
const event = 'http://schemas.openid.net/event/backchannel-logout'
const { ask, app, push, logout, logged } = await startRevocableApi(t, {
  issuers: [{ ...issuer.options, backchannelLogout: { clientId: ['app', 'spa'] } }, other.options]
})
await until(() => app.latchkey.isReady())

/** An access token that was issued so many seconds ago. */
const issued = (ago: number, claims: Claims = {}) =>
  issuer.mint({ sub: 'nobody', ...claims, iat: now - ago })

const assertRefused = async (t: Test, token: string, text = 'revoked') => {
  const { status, challenges } = await ask(token)
  t.strictSame([status, challenges[0]?.params['error']], [401, 'invalid_token'], text)
  t.equal(challenges[0]?.params['error_description'], 'The access token was revoked', text)
}
const assertGood = async (t: Test, token: string, text = 'good') =>
  t.equal((await ask(token)).status, 200, text)

void t.test(
  'BCL-1, BCL-9: a form with a logout token, whatever else is in it, is a 200',
  async (t) => {
    const { status, headers, text } = await logout(await mintLogoutToken(issuer, zed), {
      extra: 'x'
    })
    t.strictSame([status, text], [200, ''])
    t.equal(headers.get('cache-control'), 'no-store')
  }
)

void t.test(
  'BCL-1, BCL-9: a form without a logout token, or with two, is a 400 in JSON',
  async (t) => {
    const form = 'application/x-www-form-urlencoded'
    const token = await mintLogoutToken(issuer, zed)
    for (const body of ['', 'a=b', `logout_token=${token}&logout_token=${token}`]) {
      const { status, headers, text } = await push('/backchannel-logout', form, body)
      t.equal(status, 400)
      t.equal(headers.get('cache-control'), 'no-store')
      t.match(headers.get('content-type'), /^application\/json/)
      t.match(JSON.parse(text), { error: 'invalid_request', error_description: String })
    }
    t.equal((await push('/backchannel-logout', 'application/json', '{}')).status, 415)
  }
)

const header = { alg: 'RS256', kid: issuer.keys[0]?.kid ?? '', typ: 'logout+jwt' }
const payload = { iss: issuer.issuer, aud: 'app', sub: 'ada', iat: now, exp: now + 60, jti: 'j' }
const logoutPayload = { ...payload, events: { [event]: {} } }
const [{ privateKey }] = issuer.keys as [TestKey]
const foreign = generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey

const refused: Readonly<Record<string, () => string | Promise<string>>> = {
  'BCL-2: a token signed with another key': () => mintLogoutToken(issuer, {}, { key: foreign }),
  'BCL-2: a token with alg none': () =>
    rawToken({ ...header, alg: 'none' }, logoutPayload, unsigned),
  'BCL-2: a token with a symmetric signature': () =>
    rawToken({ ...header, alg: 'HS256' }, logoutPayload, hmacSigner('secret')),
  'BCL-2: a token with an unknown key id': () =>
    mintLogoutToken(issuer, {}, { header: { kid: 'unknown' } }),
  'BCL-2: a token with a critical extension': () =>
    rawToken({ ...header, crit: ['x'], x: 1 }, logoutPayload, signer('RS256', privateKey)),
  'BCL-3: a token of an issuer that ends no sessions here': () => mintLogoutToken(other),
  'BCL-3: a token of an unknown issuer': () => mintLogoutToken(issuer, { iss: 'https://x' }),
  'BCL-3: a token without iss': () => mintLogoutToken(issuer, { iss: undefined }),
  'BCL-3: a token for another client': () => mintLogoutToken(issuer, { aud: 'other' }),
  'BCL-3: a token without aud': () => mintLogoutToken(issuer, { aud: undefined }),
  'BCL-3: a token from the future': () => mintLogoutToken(issuer, { iat: now + 600 }),
  'BCL-3: a token without iat': () => mintLogoutToken(issuer, { iat: undefined }),
  'BCL-3: an expired token': () => mintLogoutToken(issuer, { exp: now - 60 }),
  'BCL-3: a token without exp': () => mintLogoutToken(issuer, { exp: undefined }),
  'BCL-3: a token without jti': () => mintLogoutToken(issuer, { jti: undefined }),
  'BCL-4: a token with neither sub nor sid': () => mintLogoutToken(issuer, { sub: undefined }),
  'BCL-4: a token whose sub is no text': () => mintLogoutToken(issuer, { sub: 7 }),
  'BCL-4: a token whose sid is empty': () => mintLogoutToken(issuer, { sid: '' }),
  'BCL-5: a token without events': () => mintLogoutToken(issuer, { events: undefined }),
  'BCL-5: a token with a list of events': () => mintLogoutToken(issuer, { events: [event] }),
  'BCL-5: a token with another event': () => mintLogoutToken(issuer, { events: { x: {} } }),
  'BCL-5: a token whose event is a text': () =>
    mintLogoutToken(issuer, { events: { [event]: 'now' } }),
  'BCL-6: a token with a nonce': () => mintLogoutToken(issuer, { nonce: 'n' }),
  'BCL-8: an access token': () => mintLogoutToken(issuer, {}, { header: { typ: 'at+jwt' } }),
  'BCL-8: a token whose type is no text': () => mintLogoutToken(issuer, {}, { header: { typ: 1 } }),
  'something that is no token': () => 'garbage',
  'something with a header that is no JSON': () => `${encode('x')}.${encode('{}')}.AAAA`
}

for (const [name, make] of Object.entries(refused))
  void t.test(`${name} is refused, and ends nothing`, async (t) => {
    const subject = await issued(60, { sub: 'ada' })
    await assertGood(t, subject)
    const { status, text } = await logout(await make())
    t.equal(status, 400)
    t.match(JSON.parse(text), { error: 'invalid_request', error_description: /^The logout token/ })
    t.notMatch(text, /eyJ/)
    await assertGood(t, subject)
  })

const accepted: Readonly<Record<string, () => Promise<string>>> = {
  'BCL-3: a token for another of the clients': () =>
    mintLogoutToken(issuer, { ...zed, aud: ['x', 'spa'] }),
  'BCL-8: a token without a type': () =>
    mintLogoutToken(issuer, zed, { header: { typ: undefined } }),
  'BCL-8: a token of the type that says nothing': () =>
    mintLogoutToken(issuer, zed, { header: { typ: 'JWT' } }),
  'BCL-10: a token of an unknown session': () =>
    mintLogoutToken(issuer, { sid: 'unknown', sub: undefined })
}
for (const [name, make] of Object.entries(accepted))
  void t.test(`${name} is accepted`, async (t) => {
    t.equal((await logout(await make())).status, 200)
  })

void t.test('BCL-10: a logout without sid ends the tokens of the subject up to then', async (t) => {
  const known = await issued(20, { sub: 'bob' })
  for (let times = 0; times < 3; times++) await assertGood(t, known)
  const sameSecond = await issued(10, { sub: 'bob' })
  await assertGood(t, sameSecond)

  t.equal((await logout(await mintLogoutToken(issuer, { sub: 'bob', iat: now - 10 }))).status, 200)

  await assertRefused(t, known, 'one that was remembered')
  await assertRefused(t, await issued(11, { sub: 'bob', sid: 's' }), 'one that comes later')
  await assertRefused(t, sameSecond, 'one of the same second')
  await assertRefused(t, await issuer.mint({ sub: 'bob', iat: undefined }), 'one without iat')
  await assertGood(t, await issued(9, { sub: 'bob' }), 'one that was issued after')
  await assertGood(t, await issued(20, { sub: 'eve' }), 'one of another subject')
  const elsewhere = await other.mint({ sub: 'bob', iat: now - 20 })
  await assertGood(t, elsewhere, 'one of the same subject at another issuer')
  const refusals = logged('access token refused').map(({ reason }) => reason)
  t.ok(refusals.includes('revoked'), 'the log says why')
})

void t.test('BCL-10: a logout with sid ends the tokens of that session', async (t) => {
  const first = await issued(20, { sub: 'cyd', sid: 'one' })
  const second = await issued(20, { sub: 'cyd', sid: 'two' })
  const unnamed = await issued(20, { sub: 'cyd' })
  const logoutToken = await mintLogoutToken(issuer, { sub: 'cyd', sid: 'one', iat: now - 10 })
  t.equal((await logout(logoutToken)).status, 200)
  await assertRefused(t, first)
  await assertGood(t, second, 'not those of another session')
  await assertRefused(t, unnamed, 'those that may be of this session')
  await assertGood(t, await issued(9, { sub: 'cyd', sid: 'one' }), 'not those issued after')
})

void t.test('BCL-7: a second delivery is a success without effect', async (t) => {
  const logoutToken = await mintLogoutToken(issuer, { sub: 'dan', iat: now - 10 })
  t.equal((await logout(logoutToken)).status, 200)
  const fresh = await issued(5, { sub: 'dan' })
  t.equal((await logout(logoutToken)).status, 200)
  await assertGood(t, fresh)
})

void t.test('an issuer that can not be asked for its keys is a 503', async (t) => {
  const gone = await startTestIssuer({ algorithms: ['RS256'] })
  const token = await mintLogoutToken(gone)
  await gone.close()
  const options = { ...gone.options, backchannelLogout: { clientId: 'app' } }
  const api = await startRevocableApi(t, options)
  const { status, headers } = await api.logout(token)
  t.equal(status, 503)
  t.match(headers.get('retry-after'), /^\d+$/)
})

void t.test('without the option there is no route', async (t) => {
  const api = await startRevocableApi(t, issuer.options)
  t.equal((await api.logout(await mintLogoutToken(issuer))).status, 404)
})

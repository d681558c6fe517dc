import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import type { AddressInfo } from 'node:net'
import { once } from 'node:events'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import type { Test } from 'tap'
import { startTestIssuer, type TestIssuer } from '../../src/testing.ts'
import { appUnderTest } from '../support/app.ts'
import { startFleet } from '../support/fleet.ts'
import { assertCleanLog, startGuardedApp } from '../support/guarded-app.ts'
import { assertInvalidToken } from '../support/outcomes.ts'
import { mintLogoutToken, startRevocableApi } from '../support/revocable-api.ts'

const [sound, other] = [
  await startTestIssuer({ algorithms: ['ES256'] }),
  await startTestIssuer({ algorithms: ['ES256'] })
]
for (const issuer of [sound, other]) t.teardown(() => issuer.close())

/** An issuer that never answers, and counts who comes by. */
async function startSilentIssuer(t: Test) {
  let connections = 0
  const server = createServer((socket) => {
    connections++
    socket.destroy()
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => server.close())
  const issuer = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const { audience } = sound
  const mint = (signer: TestIssuer, claims: object = {}, header: object = {}) =>
    signer.mint({ iss: issuer, ...claims }, { header: { ...header } })
  return { entry: { issuer, audience }, mint, connections: () => connections }
}

function writeKeys(t: Test) {
  const folder = mkdtempSync(join(tmpdir(), 'latchkey-'))
  t.teardown(() => rmSync(folder, { recursive: true }))
  const jwksFile = join(folder, 'jwks.json')
  const write = (content: unknown) => writeFileSync(jwksFile, JSON.stringify(content))
  write(sound.jwks)
  return { jwksFile, write }
}

t.test('tokens of an issuer with static keys are accepted, and nobody is asked', async (t) => {
  for (const [name, given] of Object.entries({
    inline: { jwks: sound.jwks },
    'in a file': { jwksFile: writeKeys(t).jwksFile },
    'inline, not required': { jwks: sound.jwks, required: false }
  })) {
    const { entry, mint, connections } = await startSilentIssuer(t)
    const stored: string[] = []
    const keySetStore = {
      load: async (issuer: string) => void stored.push(issuer),
      save: async (issuer: string) => void stored.push(issuer)
    }
    const guarded = await startGuardedApp(t, { ...entry, ...given, keySetStore })
    t.ok(guarded.app.latchkey.isReady(), `${name}: ready at once`)
    const token = await mint(sound)
    for (let round = 0; round < 3; round++)
      t.equal((await guarded.call({ token })).status, 200, name)
    assertInvalidToken(t, await guarded.call({ token: await mint(other) }), 'an unknown kid')
    const disguised = await mint(other, {}, { kid: sound.keys[0]?.kid })
    assertInvalidToken(t, await guarded.call({ token: disguised }), 'a forged signature')
    assertInvalidToken(
      t,
      await guarded.call({ token: await mint(sound, { aud: 'other' }) }),
      'another audience'
    )
    t.equal(connections(), 0, `${name}: no connection`)
    t.strictSame(stored, [], `${name}: nothing is kept`)
    t.notMatch(guarded.log.join('\n'), 'trouble')
    assertCleanLog(t, guarded)
  }
})

t.test('META-6: unknown key ids are 401, however many, and never 503', async (t) => {
  const { entry, mint, connections } = await startSilentIssuer(t)
  const { call } = await startGuardedApp(t, { ...entry, jwks: sound.jwks })
  for (let index = 0; index < 20; index++) {
    const token = await mint(sound, {}, { kid: `stranger-${index}` })
    assertInvalidToken(t, await call({ token }), `stranger ${index}`)
  }
  t.equal(connections(), 0)
})

t.test('BCP-3: static keys verify for their own issuer alone', async (t) => {
  const { entry, mint } = await startSilentIssuer(t)
  const { call } = await startGuardedApp(t, {
    issuers: [{ ...entry, jwks: sound.jwks }, other.options]
  })
  t.equal((await call({ token: await mint(sound) })).status, 200)
  t.equal((await call({ token: await other.mint() })).status, 200)
  assertInvalidToken(t, await call({ token: await mint(other) }), 'the key of the other')
  const forged = await sound.mint({ iss: other.issuer })
  assertInvalidToken(t, await call({ token: forged }), 'a static key for the other')
})

t.test('JWK-1, JWK-2: entries that are no signature keys are skipped, and reported', async (t) => {
  const { entry, mint } = await startSilentIssuer(t)
  const [key] = sound.jwks.keys
  const keys = [{ kty: 'EC' }, { ...key, kid: 'enc', use: 'enc' }, { ...key }]
  const { call, log } = await startGuardedApp(t, { ...entry, jwks: { keys } })
  t.equal((await call({ token: await mint(sound) })).status, 200)
  assertInvalidToken(t, await call({ token: await mint(sound, {}, { kid: 'enc' }) }), 'enc')
  t.match(log.join('\n'), 'its use is not sig')
})

t.test('META-7: other keys in a new list end the old ones, verified tokens too', async (t) => {
  const { entry, mint } = await startSilentIssuer(t)
  const { jwksFile, write } = writeKeys(t)
  const { app, call } = await startGuardedApp(t, { ...entry, jwksFile })
  const [before, after] = [await mint(sound), await mint(other)]
  for (let round = 0; round < 3; round++) t.equal((await call({ token: before })).status, 200)
  const list = [{ ...entry, jwksFile }]
  t.strictSame(app.latchkey.replaceIssuers(list).changed, [], 'the same file')
  write(other.jwks)
  t.equal((await call({ token: before })).status, 200, 'nobody said so yet')
  t.strictSame(app.latchkey.replaceIssuers(list).changed, [entry.issuer])
  assertInvalidToken(t, await call({ token: before }), 'of the old key')
  t.equal((await call({ token: after })).status, 200)
  write({ keys: [] })
  t.throws(() => app.latchkey.replaceIssuers(list), { message: /^jwksFile of .*found 0 keys/ })
  t.equal((await call({ token: after })).status, 200, 'a fault changes nothing')
})

t.test('a key set that was changed in place is another one for a new list', async (t) => {
  const { entry, mint } = await startSilentIssuer(t)
  const jwks = { keys: [...sound.jwks.keys] }
  const { app, call } = await startGuardedApp(t, { ...entry, jwks })
  const token = await mint(sound)
  t.equal((await call({ token })).status, 200)
  jwks.keys.splice(0, 1, ...other.jwks.keys)
  t.equal((await call({ token })).status, 200)
  t.strictSame(app.latchkey.replaceIssuers([{ ...entry, jwks }]).changed, [entry.issuer])
  assertInvalidToken(t, await call({ token }), 'of the key that was taken out')
  t.equal((await call({ token: await mint(other) })).status, 200)
})

t.test(
  'published keys end when static ones take their place, and the other way round',
  async (t) => {
    const fleet = await startFleet(t)
    const published = fleet.optionsOf('a')
    const pinned = { ...published, jwks: other.jwks }
    const { app, call } = await startGuardedApp(t, published)
    const ofPublished = await fleet.mint('a')
    const ofPinned = await other.mint({ iss: published.issuer })
    for (let round = 0; round < 3; round++)
      t.equal((await call({ token: ofPublished })).status, 200)
    app.latchkey.replaceIssuers([pinned])
    assertInvalidToken(t, await call({ token: ofPublished }), 'of a published key')
    for (let round = 0; round < 3; round++) t.equal((await call({ token: ofPinned })).status, 200)
    t.strictSame(fleet.downloads, ['a'])
    app.latchkey.replaceIssuers([published])
    assertInvalidToken(t, await call({ token: ofPinned }), 'of a static key')
    t.equal((await call({ token: ofPublished })).status, 200)
  }
)

t.test('an issuer that is resolved at run time may have static keys', async (t) => {
  const { entry, mint, connections } = await startSilentIssuer(t)
  const resolveIssuer = (iss: string) =>
    iss === entry.issuer ? { ...entry, jwks: sound.jwks } : undefined
  const { call } = await startGuardedApp(t, { issuers: [], resolveIssuer })
  t.equal((await call({ token: await mint(sound) })).status, 200)
  assertInvalidToken(t, await call({ token: await mint(other) }), 'an unknown kid')
  t.equal(connections(), 0)
})

t.test('BCL-1: logout tokens are judged by static keys', async (t) => {
  const { entry, mint, connections } = await startSilentIssuer(t)
  const { ask, logout } = await startRevocableApi(t, {
    issuers: [{ ...entry, jwks: sound.jwks, backchannelLogout: { clientId: 'app' } }]
  })
  const iat = Math.floor(Date.now() / 1000) - 10
  const token = await mint(sound, { iat })
  t.equal((await ask(token)).status, 200)
  t.equal((await logout(await mintLogoutToken(other, { iss: entry.issuer }))).status, 400)
  t.equal((await ask(token)).status, 200)
  t.equal((await logout(await mintLogoutToken(sound, { iss: entry.issuer }))).status, 200)
  t.equal((await ask(token)).status, 401)
  t.equal(connections(), 0)
})

t.test('the service is ready, and /me answers from the token', async (t) => {
  const { entry, mint, connections } = await startSilentIssuer(t)
  const { app } = await appUnderTest(t, { issuers: [{ ...entry, jwks: sound.jwks }] })
  t.equal((await app.inject('/readyz')).statusCode, 200)
  const token = await mint(sound, { name: 'Ada Lovelace' })
  const answer = await app.inject({ url: '/me', headers: { authorization: `Bearer ${token}` } })
  t.equal(answer.statusCode, 200)
  t.match(answer.json(), { sub: 'ada', name: 'Ada Lovelace' })
  t.equal(connections(), 0)
})

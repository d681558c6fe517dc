import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import Fastify from 'fastify'
import latchkey from '../../src/index.ts'
import type { IssuerOptions } from '../../src/issuer/issuer-options.ts'
import { startTestIssuer } from '../../src/testing.ts'
import { startGuardedApp } from '../support/guarded-app.ts'
import { startFleet } from '../support/fleet.ts'
import { assertInvalidToken } from '../support/outcomes.ts'
import * as hostile from '../support/hostile-issuer.ts'
import { client, opaqueToken, startScene } from '../support/introspection-scene.ts'
import { withResolver } from '../support/promise.ts'
import { until } from '../support/until.ts'

t.test('META-11: issuers come, change and go, and the others notice nothing', async (t) => {
  const fleet = await startFleet(t)
  const [a, b, c] = [fleet.optionsOf('a'), fleet.optionsOf('b'), fleet.optionsOf('c')]
  const { app, call } = await startGuardedApp(t, { issuers: [a, b] })
  const [ofA, ofB, ofC] = [await fleet.mint('a'), await fleet.mint('b'), await fleet.mint('c')]
  // three times: verified by then, and known by heart
  for (const token of [ofA, ofB, ofA, ofB, ofA, ofB]) t.equal((await call({ token })).status, 200)
  assertInvalidToken(t, await call({ token: ofC }), 'one that is not trusted yet')

  const changes = app.latchkey.replaceIssuers([{ ...a }, c])
  t.strictSame(changes, { added: [c.issuer], removed: [b.issuer], changed: [] })
  assertInvalidToken(t, await call({ token: ofB }), 'a verified token of an issuer that is gone')
  t.equal((await call({ token: ofC })).status, 200)
  t.equal((await call({ token: ofA })).status, 200)
  t.strictSame(fleet.downloads, ['a', 'b', 'c'], 'and nothing is read twice')
  t.strictSame(app.latchkey.issuers, [a.issuer, c.issuer])
})

t.test('changed options count at once, for verified tokens too', async (t) => {
  const fleet = await startFleet(t)
  const a = fleet.optionsOf('a')
  const { app, call } = await startGuardedApp(t, { issuers: [a] })
  const [token, second] = [await fleet.mint('a'), await fleet.mint('a', { aud: 'new' })]
  for (let round = 0; round < 3; round++) t.equal((await call({ token })).status, 200)
  assertInvalidToken(t, await call({ token: second }), 'for an audience to come')
  // the issuer is down: what was read of its keys still counts
  fleet.answers = () => false
  const changes = app.latchkey.replaceIssuers([{ ...a, audience: 'new' }])
  t.strictSame(changes, { added: [], removed: [], changed: [a.issuer] })
  assertInvalidToken(t, await call({ token }), 'for the old audience')
  t.equal((await call({ token: second })).status, 200)
})

t.test(
  'META-13: keys of a required issuer that comes later are read before any token',
  async (t) => {
    const fleet = await startFleet(t)
    const [a, b, c] = [fleet.optionsOf('a'), fleet.optionsOf('b'), fleet.optionsOf('c')]
    const { app } = await startGuardedApp(t, { issuers: [a] })
    await until(() => app.latchkey.isReady())
    app.latchkey.replaceIssuers([a, b, { ...c, required: false }])
    t.notOk(app.latchkey.isReady())
    await until(() => app.latchkey.isReady())
    t.strictSame(fleet.asked, ['a', 'b'])
  }
)

t.test('META-8: an issuer that changed while in use is read anew, required or not', async (t) => {
  const fleet = await startFleet(t)
  const a = { ...fleet.optionsOf('a'), required: false }
  const { app, call } = await startGuardedApp(t, { issuers: [a] })
  t.equal((await call({ token: await fleet.mint('a') })).status, 200)
  app.latchkey.replaceIssuers([{ ...a, clockTolerance: 1 }])
  await until(() => fleet.downloads.length === 2)
})

t.test('a list with a fault changes nothing', async (t) => {
  const fleet = await startFleet(t)
  const [a, b] = [fleet.optionsOf('a'), fleet.optionsOf('b')]
  const { app, call } = await startGuardedApp(t, { issuers: [a] })
  const token = await fleet.mint('a')
  t.equal((await call({ token })).status, 200)
  for (const list of [[], [b, { issuer: 'https://c.example' }], [b, b], 'x']) {
    t.throws(() => app.latchkey.replaceIssuers(list as IssuerOptions[]), { name: 'TypeError' })
    t.equal((await call({ token })).status, 200)
  }
  t.strictSame(fleet.downloads, ['a'])
})

t.test('issuers of a list that was replaced at once are not asked any more', async (t) => {
  const fleet = await startFleet(t)
  const { app, call } = await startGuardedApp(t, { issuers: [fleet.optionsOf('a')] })
  const names = Array.from({ length: 60 }, (_, index) => `gone-${index}`)
  app.latchkey.replaceIssuers(names.map((name) => fleet.optionsOf(name)))
  app.latchkey.replaceIssuers([fleet.optionsOf('b')])
  t.equal((await call({ token: await fleet.mint('b') })).status, 200)
  await sleep(300)
  t.strictSame(
    fleet.asked.filter((name) => name.startsWith('gone')),
    []
  )
})

t.test('no request is lost while issuers change', async (t) => {
  const fleet = await startFleet(t)
  const a = fleet.optionsOf('a')
  const { app, call } = await startGuardedApp(t, { issuers: [a] })
  const statuses: number[] = []
  for (let round = 0; round < 20; round++) {
    const tokens = await Promise.all([1, 2, 3, 4, 5].map(() => fleet.mint('a')))
    const calls = tokens.map(async (token) => statuses.push((await call({ token })).status))
    app.latchkey.replaceIssuers([{ ...a, clockTolerance: round }])
    await Promise.all(calls)
  }
  t.strictSame(new Set(statuses), new Set([200]))
})

t.test('the metadata names the issuers that are trusted now (RFC 9728)', async (t) => {
  const [a, b] = [await startTestIssuer(), await startTestIssuer()]
  for (const issuer of [a, b]) t.teardown(() => issuer.close())
  const app = Fastify()
  t.teardown(() => app.close())
  await app.register(latchkey, { issuers: [a.options], publicUrl: 'https://api.example.com' })
  const named = async () =>
    (await app.inject('/.well-known/oauth-protected-resource')).json().authorization_servers
  t.strictSame(await named(), [a.issuer])
  app.latchkey.replaceIssuers([b.options])
  t.strictSame(await named(), [b.issuer])
})

t.test('a secret that was changed in its file is used from the next list on', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'latchkey-'))
  t.teardown(() => rmSync(folder, { recursive: true }))
  const clientSecretFile = join(folder, 'secret')
  writeFileSync(clientSecretFile, 'first')
  const introspection = { clientId: client.clientId, clientSecretFile, cacheSeconds: 0 }
  const { api, issuer, sound, calls } = await startScene(t, {
    introspection: { ...introspection, authMethod: 'client_secret_post' }
  })
  const entry: IssuerOptions = {
    issuer: issuer.issuer,
    audience: sound.audience,
    tokens: ['jwt', 'opaque'],
    introspection: { ...introspection, authMethod: 'client_secret_post' }
  }
  t.equal((await api.ask(opaqueToken)).status, 200)
  t.strictSame(api.app.latchkey.replaceIssuers([entry]).changed, [], 'all is the same')
  writeFileSync(clientSecretFile, 'second')
  t.strictSame(api.app.latchkey.replaceIssuers([entry]).changed, [entry.issuer])
  t.equal((await api.ask(opaqueToken)).status, 200)
  t.strictSame(
    calls.map(({ form }) => form.get('client_secret')),
    ['first', 'second']
  )
})

t.test('opaque tokens of an issuer that is gone are refused at once', async (t) => {
  const { api, sound } = await startScene(t)
  for (let round = 0; round < 2; round++) t.equal((await api.ask(opaqueToken)).status, 200)
  api.app.latchkey.replaceIssuers([sound.options])
  t.equal((await api.ask(opaqueToken)).status, 401)
})

for (const [name, audience, status] of [
  ['is gone', undefined, 401],
  ['has another audience', ['new'], 401],
  ['has one audience more', ['new', 'https://api.example.com'], 200]
] as const)
  t.test(
    `an answer about an opaque token does not count if its issuer ${name} by then`,
    async (t) => {
      const { api, issuer, sound, answerWith, active } = await startScene(t)
      const { promise: asked, resolve: ask } = withResolver()
      const { promise: released, resolve: release } = withResolver()
      answerWith((request, response) => {
        ask()
        void released.then(() => hostile.json(active)(request, response))
      })
      const answer = api.ask(opaqueToken)
      await asked
      const changed = { issuer: issuer.issuer, tokens: ['opaque'], introspection: client } as const
      api.app.latchkey.replaceIssuers([
        audience === undefined ? sound.options : { ...changed, audience }
      ])
      release()
      const { status: early, headers } = await answer
      t.strictSame([early, headers.get('retry-after')], [503, '1'])
      t.equal((await api.ask(opaqueToken)).status, status, 'judged anew')
    }
  )

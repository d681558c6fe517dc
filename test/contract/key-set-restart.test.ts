import t from 'tap'
import type { Test } from 'tap'
import type { KeySetSnapshot, KeySetStore } from '../../src/issuer/key-set.ts'
import { startTestIssuer } from '../../src/testing.ts'
import { startApi } from '../support/api.ts'
import * as hostile from '../support/hostile-issuer.ts'
import { until } from '../support/until.ts'

/** An issuer whose key set an API has read, kept and served before it was stopped. */
async function startAndStop(t: Test) {
  const sound = await startTestIssuer({ algorithms: ['ES256'] })
  t.teardown(() => sound.close())
  const issuer = await hostile.startHostileIssuer()
  t.teardown(() => issuer.close())
  issuer.impersonate(sound)
  const mint = (kid?: string) =>
    sound.mint({ iss: issuer.issuer }, kid === undefined ? {} : { header: { kid } })

  const kept = new Map<string, string>()
  const keySetStore: KeySetStore = {
    load: async (name) => {
      const text = kept.get(name)
      return text === undefined ? undefined : (JSON.parse(text) as KeySetSnapshot)
    },
    save: async (name, snapshot) => void kept.set(name, JSON.stringify(snapshot))
  }
  const start = () => startApi(t, { issuer: issuer.issuer, audience: sound.audience, keySetStore })
  const { ask, app } = await start()
  t.equal((await ask(await mint())).status, 200)
  await until(() => kept.size === 1)
  await app.close()
  return { issuer, sound, mint, start, kept }
}

void t.test('META-9: a restart during an outage works with the kept key set', async (t) => {
  const { issuer, mint, start } = await startAndStop(t)
  for (const path of ['/.well-known/openid-configuration', '/jwks']) issuer.on(path, hostile.reset)
  const { ask, app } = await start()
  t.ok(app.latchkey.isReady())
  t.equal((await ask(await mint())).status, 200)
  const stranger = await ask(await mint('new'))
  t.equal(stranger.status, 503)
  t.match(stranger.headers.get('retry-after'), /^[1-9]\d?$/)
  t.equal((await ask(await mint())).status, 200)
})

void t.test(
  'META-7: what was withdrawn while the API was down is refused with the first set',
  async (t) => {
    const { sound, mint, start } = await startAndStop(t)
    const token = await mint()
    await sound.rotate()
    sound.withdraw(sound.keys[1]?.kid ?? '')
    const { ask } = await start()
    await until(async () => (await ask(token)).status === 401)
    t.equal((await ask(await mint())).status, 200)
  }
)

for (const [name, spoil] of Object.entries<(good: KeySetSnapshot) => unknown>({
  'is no snapshot': () => 'x',
  'is of another issuer': (good) => ({ ...good, metadata: { issuer: 'https://id.example.com' } }),
  'has no keys': (good) => ({ ...good, jwks: [] }),
  'is older than a day': (good) => ({ ...good, fetchedAt: good.fetchedAt - 86_400_000 })
})) {
  void t.test(`META-9: a kept key set that ${name} opens nothing: 503, then heal`, async (t) => {
    const { issuer, sound, mint, start, kept } = await startAndStop(t)
    const [good = ''] = kept.values()
    kept.set(issuer.issuer, JSON.stringify(spoil(JSON.parse(good) as KeySetSnapshot)))
    issuer.on('/.well-known/openid-configuration', hostile.reset)
    const { ask, app } = await start()
    t.notOk(app.latchkey.isReady())
    t.equal((await ask(await mint())).status, 503)
    issuer.impersonate(sound)
    await until(async () => (await ask(await mint())).status === 200)
  })
}

void t.test('a kept key set that is not even JSON stops nothing', async (t) => {
  const { issuer, mint, start, kept } = await startAndStop(t)
  kept.set(issuer.issuer, '{"jwks": [')
  const { ask, logged } = await start()
  await until(async () => (await ask(await mint())).status === 200)
  t.match(logged('trouble with the issuer'), [{ doing: 'restoring the kept key set' }])
})

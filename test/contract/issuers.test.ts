import t from 'tap'
import { startTestIssuer } from '../../src/testing.ts'
import { assertCleanLog, startGuardedApp } from '../support/guarded-app.ts'
import { json, startHostileIssuer } from '../support/hostile-issuer.ts'
import { assertInvalidToken } from '../support/outcomes.ts'

const [a, b, stranger] = [
  await startTestIssuer({ algorithms: ['RS256'] }),
  await startTestIssuer({ algorithms: ['RS256'], audience: 'https://b.example.com' }),
  await startTestIssuer({ algorithms: ['RS256'] })
]
for (const issuer of [a, b, stranger]) t.teardown(() => issuer.close())
const guarded = await startGuardedApp(t, { issuers: [a.options, b.options] })
const { call } = guarded

void t.test('the tokens of every configured issuer are accepted', async (t) => {
  for (const issuer of [a, b]) {
    const { status, text } = await call({ token: await issuer.mint() })
    t.equal(status, 200)
    t.match(JSON.parse(text), { iss: issuer.issuer, sub: 'ada' })
  }
})

void t.test('BCP-3: the key of one issuer does not verify for another', async (t) => {
  const forged = await b.mint({ iss: a.issuer, aud: a.audience })
  assertInvalidToken(t, await call({ token: forged }), 'with its own kid')
  const [key] = a.keys
  const disguised = await b.mint(
    { iss: a.issuer, aud: a.audience },
    { header: { kid: key?.kid ?? '' } }
  )
  assertInvalidToken(t, await call({ token: disguised }), 'with the kid of the other')
})

void t.test('BCP-3: two issuers that share a kid are told apart', async (t) => {
  const twins = await Promise.all(
    [a, b].map(async (sound) => ({ sound, ...(await twinOf(sound)) }))
  )
  const both = await startGuardedApp(t, { issuers: twins.map(({ options }) => options) })
  for (const { sound, options } of twins) {
    const other = twins.find((twin) => twin.sound !== sound)?.sound ?? sound
    const claims = { iss: options.issuer, aud: options.audience }
    const header = { kid: 'same' }
    const token = await sound.mint(claims, { header })
    t.equal((await both.call({ token })).status, 200)
    const forged = await other.mint(claims, { header })
    assertInvalidToken(t, await both.call({ token: forged }), 'signed by the other')
    t.equal((await both.call({ token })).status, 200, 'the good one still is')
  }

  async function twinOf(sound: typeof a) {
    const server = await startHostileIssuer()
    t.teardown(() => server.close())
    server.impersonate(sound)
    server.on('/jwks', json({ keys: sound.jwks.keys.map((jwk) => ({ ...jwk, kid: 'same' })) }))
    return { options: { issuer: server.issuer, audience: sound.audience } }
  }
})

void t.test('JWT-5: each issuer has audiences of its own', async (t) => {
  assertInvalidToken(t, await call({ token: await a.mint({ aud: b.audience }) }), 'of the other')
})

void t.test(
  'GJ-10, FW-4: an issuer that is not configured is refused, and never asked',
  async (t) => {
    assertInvalidToken(t, await call({ token: await stranger.mint() }), 'stranger')
    t.equal(stranger.requests(), 0)
  }
)

void t.test('no line of the log holds a token that was sent', async (t) =>
  assertCleanLog(t, guarded)
)

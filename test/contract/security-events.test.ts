import { generateKeyPairSync } from 'node:crypto'
import t, { type Test } from 'tap'
import { startTestIssuer, type TestIssuer } from '../../src/testing.ts'
import { type Claims, startRevocableApi } from '../support/revocable-api.ts'
import { until } from '../support/until.ts'

const issuer = await startTestIssuer({ algorithms: ['RS256'] })
const transmitter = await startTestIssuer({ algorithms: ['RS256'] })
const served = await startTestIssuer({ algorithms: ['RS256'] })
t.teardown(() => Promise.all([issuer, transmitter, served].map((each) => each.close())))

const now = Math.floor(Date.now() / 1000)
const revoked = 'https://schemas.openid.net/secevent/caep/event-type/session-revoked'
const audience = 'https://api.example.com/security-events'
const { ask, app, push, logged } = await startRevocableApi(t, {
  issuers: [
    {
      ...issuer.options,
      securityEvents: { audience, criticalSubjectMembers: ['user', 'tenant'] }
    },
    {
      ...served.options,
      securityEvents: {
        audience,
        issuer: transmitter.issuer,
        jwksUri: `${transmitter.issuer}/jwks`
      }
    }
  ]
})
await until(() => app.latchkey.isReady())

const user = (sub: string, iss = issuer.issuer) => ({ format: 'iss_sub', iss, sub })
const session = (id: string) => ({ format: 'opaque', id })

/** A security event token (RFC 8417 section 2): a session of `ada` was revoked. */
const mintEvent = (
  claims: Claims = {},
  options: Parameters<TestIssuer['mint']>[1] = {},
  from = issuer
) =>
  from.mint(
    {
      aud: audience,
      sub: undefined,
      exp: undefined,
      client_id: undefined,
      scope: undefined,
      sub_id: user('ada'),
      events: { [revoked]: { event_timestamp: now - 10 } },
      ...claims
    },
    { ...options, header: { typ: 'secevent+jwt', ...options.header } }
  )

const send = (token: string) => push('/security-events', 'application/secevent+jwt', token)
const issued = (ago: number, claims: Claims = {}) =>
  issuer.mint({ sub: 'nobody', ...claims, iat: now - ago })
const statusOf = async (token: string) => (await ask(token)).status

const assertAcknowledged = async (t: Test, token: string) => {
  const { status, text, headers } = await send(token)
  t.strictSame([status, text], [202, ''])
  t.equal(headers.get('cache-control'), 'no-store')
}

void t.test('SSF-1: another media type is a 415', async (t) => {
  const body = await mintEvent({ sub_id: user('zed') })
  for (const type of ['application/jwt', 'application/json', 'text/plain'])
    t.equal((await push('/security-events', type, body)).status, 415, type)
})

const foreign = generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey

const refused: Readonly<Record<string, readonly [string, () => string | Promise<string>]>> = {
  'SSF-2: a token of another type': [
    'invalid_request',
    () => mintEvent({}, { header: { typ: 'JWT' } })
  ],
  'SSF-2: a token without a type': [
    'invalid_request',
    () => mintEvent({}, { header: { typ: undefined } })
  ],
  'SSF-2: a token with sub': ['invalid_request', () => mintEvent({ sub: 'ada' })],
  'SSF-2: a token with exp': ['invalid_request', () => mintEvent({ exp: now + 60 })],
  'SSF-3: a token signed with another key': ['invalid_key', () => mintEvent({}, { key: foreign })],
  'SSF-3: a token of an unknown issuer': ['invalid_issuer', () => mintEvent({ iss: 'https://x' })],
  'SSF-3: a token of an issuer that has another transmitter': [
    'invalid_issuer',
    () => mintEvent({}, {}, served)
  ],
  'SSF-3: a token for another audience': ['invalid_audience', () => mintEvent({ aud: 'x' })],
  'SSF-3: a token without audience': ['invalid_audience', () => mintEvent({ aud: undefined })],
  'a token without jti': ['invalid_request', () => mintEvent({ jti: undefined })],
  'a token without iat': ['invalid_request', () => mintEvent({ iat: undefined })],
  'a token from the future': ['invalid_request', () => mintEvent({ iat: now + 600 })],
  'a token without events': ['invalid_request', () => mintEvent({ events: {} })],
  'an event that is to happen': [
    'invalid_request',
    () => mintEvent({ events: { [revoked]: { event_timestamp: now * 1000 } } })
  ],
  'an event whose time is no number': [
    'invalid_request',
    () => mintEvent({ events: { [revoked]: { event_timestamp: 'now' } } })
  ],
  'something that is no token': ['invalid_request', () => 'garbage']
}

for (const [name, [err, make]] of Object.entries(refused))
  void t.test(`SSF-5: ${name} is refused in the form of RFC 8935`, async (t) => {
    const { status, headers, text } = await send(await make())
    t.equal(status, 400)
    t.match(headers.get('content-type'), /^application\/json/)
    t.equal(headers.get('content-language'), 'en')
    t.equal(headers.get('cache-control'), 'no-store')
    t.match(JSON.parse(text), { err, description: /^The security event is refused: [A-Z].*\.$/ })
    t.equal(await statusOf(await issued(60, { sub: 'ada' })), 200, 'nothing is revoked')
  })

void t.test('SSF-4, SSF-7: session-revoked ends the tokens of a user up to its time', async (t) => {
  const before = await issued(10, { sub: 'bob' })
  for (let times = 0; times < 3; times++) t.equal(await statusOf(before), 200)
  await assertAcknowledged(t, await mintEvent({ sub_id: user('bob') }))
  const answer = await ask(before)
  t.equal(answer.status, 401)
  t.equal(answer.challenges[0]?.params['error'], 'invalid_token')
  t.equal(await statusOf(await issued(9, { sub: 'bob' })), 200, 'not those issued after')
})

const subjects: Readonly<Record<string, readonly [object, number, number]>> = {
  'a user': [user('cyd'), 401, 401],
  'a session': [session('one'), 401, 200],
  'a complex subject with a user': [{ format: 'complex', user: user('cyd') }, 401, 401],
  'a complex subject with a session': [{ format: 'complex', session: session('one') }, 401, 200],
  'a user and a session': [
    { format: 'complex', user: user('cyd'), session: session('one') },
    401,
    200
  ],
  'a user on a device': [{ format: 'complex', user: user('cyd'), device: session('d') }, 401, 401],
  'a user of another issuer': [user('cyd', 'https://x'), 200, 200],
  'a user of another issuer in a session': [
    { format: 'complex', user: user('cyd', 'https://x'), session: session('one') },
    200,
    200
  ],
  'an e-mail address': [{ format: 'email', email: 'cyd@example.com' }, 200, 200],
  'a critical member': [{ format: 'complex', user: user('cyd'), tenant: session('t') }, 200, 200]
}

let round = 0
for (const [name, [subject, first, second]] of Object.entries(subjects))
  void t.test(`SSF-7, SSF-8: session-revoked for ${name}`, async (t) => {
    const mark = `-${++round}`
    const own = JSON.parse(
      JSON.stringify(subject).replace('"cyd"', `"cyd${mark}"`).replace('"one"', `"one${mark}"`)
    )
    const lines = logged('security event without effect').length
    await assertAcknowledged(t, await mintEvent({ sub_id: own }))
    const sub = `cyd${mark}`
    t.equal(await statusOf(await issued(20, { sub, sid: `one${mark}` })), first, 'that session')
    t.equal(await statusOf(await issued(20, { sub, sid: 'two' })), second, 'another session')
    const told = logged('security event without effect').length - lines
    t.equal(told, first === 200 ? 1 : 0, 'an event without effect is told in the log')
  })

void t.test('SSF-6: a repeated event is acknowledged, and has one effect', async (t) => {
  const token = await mintEvent({ sub_id: user('dan') })
  await assertAcknowledged(t, token)
  const fresh = await issued(5, { sub: 'dan' })
  await assertAcknowledged(t, token)
  t.equal(await statusOf(fresh), 200)
})

void t.test('SSF-6: verification and unknown events are acknowledged', async (t) => {
  for (const type of [
    'https://schemas.openid.net/secevent/ssf/event-type/verification',
    'https://schemas.openid.net/secevent/risc/event-type/verification',
    'urn:example:unknown'
  ])
    await assertAcknowledged(t, await mintEvent({ events: { [type]: { state: 'x' } } }))
  t.equal(await statusOf(await issued(60, { sub: 'ada' })), 200)
})

void t.test('an event without a time counts from when it was made', async (t) => {
  await assertAcknowledged(
    t,
    await mintEvent({ sub_id: user('fay'), iat: now - 10, events: { [revoked]: {} } })
  )
  t.equal(await statusOf(await issued(10, { sub: 'fay' })), 401)
  t.equal(await statusOf(await issued(9, { sub: 'fay' })), 200)
})

void t.test('SSF-3: another transmitter signs with its own keys', async (t) => {
  const about = { sub_id: user('gus', served.issuer) }
  const token = await served.mint({ sub: 'gus', iat: now - 20 })
  t.equal(await statusOf(token), 200)
  const forged = await mintEvent({ ...about, iss: transmitter.issuer }, {}, served)
  t.match(JSON.parse((await send(forged)).text), { err: 'invalid_key' })
  t.equal(await statusOf(token), 200)
  await assertAcknowledged(t, await mintEvent(about, {}, transmitter))
  t.equal(await statusOf(token), 401)
})

import t from 'tap'
import type { Test } from 'tap'
import { type BoundedFetch, createBoundedFetch } from '../../../src/issuer/bounded-fetch.ts'
import type { KeySet } from '../../../src/issuer/key-set.ts'
import {
  createUserInfoReader,
  ScopeRefusedError,
  TokenRefusedError,
  type UserInfoOptions
} from '../../../src/issuer/userinfo.ts'
import { ProblemError } from '../../../src/http/problem.ts'
import type { TokenPolicy } from '../../../src/token/policy.ts'
import { createPrincipal } from '../../../src/token/principal.ts'
import { fakeFetch } from '../../support/fake-fetch.ts'
import * as hostile from '../../support/hostile-issuer.ts'
import type { Behaviour } from '../../support/hostile-issuer.ts'

const issuer = 'https://id.example.com'
const endpoint = `${issuer}/userinfo`
const start = 1_800_000_000_000
const json = { headers: { 'content-type': 'application/json' } }

function principal(sub = 'ada', exp = start / 1000 + 3600) {
  return createPrincipal({ iss: issuer, aud: 'api', sub, exp })
}

function keySetWith(userinfo_endpoint: string | undefined): KeySet {
  const metadata = { issuer, jwks_uri: `${issuer}/keys`, userinfo_endpoint }
  return { metadata, retryAfterSeconds: 7 } as unknown as KeySet
}

/** Options of a reader of plain answers. */
function optionsOf(keySet: KeySet, fetch: BoundedFetch): UserInfoOptions {
  const rest = { ownClients: [], decrypt: undefined, clock: Date.now }
  return { keySet, fetch, policy: { issuer } as TokenPolicy, ...rest }
}

/** A reader in a time that tests set, and what it asked. */
function startReader() {
  const fake = fakeFetch()
  const time = { now: start }
  const options = optionsOf(keySetWith(endpoint), fake.fetch)
  const read = createUserInfoReader({ ...options, clock: () => time.now })
  fake.answer(endpoint, { sub: 'ada', name: 'Ada' }, json)
  return { ...fake, time, read }
}

void t.test('UI-10: an answer is used for ten seconds, for the same token only', async (t) => {
  const { read, asked, time, answer } = startReader()
  t.strictSame(await read('token', principal()), { sub: 'ada', name: 'Ada' })
  answer(endpoint, { sub: 'ada', name: 'Countess' }, json)
  time.now = start + 9_999
  t.match(await read('token', principal()), { name: 'Ada' })
  t.match(await read('another token of hers', principal()), { name: 'Countess' })
  t.equal(asked.length, 2)
  time.now = start + 10_000
  t.match(await read('token', principal()), { name: 'Countess' })
  t.equal(asked.length, 3)
})

void t.test('UI-10: an answer is never used past the expiry of its token', async (t) => {
  const { read, asked, time } = startReader()
  const short = principal('ada', start / 1000 + 3)
  await read('token', short)
  time.now = start + 2_999
  await read('token', short)
  t.equal(asked.length, 1)
  time.now = start + 3_000
  await read('token', short)
  t.equal(asked.length, 2)
})

void t.test('one call at a time for a token, whoever asks; a failure is not kept', async (t) => {
  const { read, asked, answer } = startReader()
  answer(endpoint, 'down', { status: 500 })
  const all = await Promise.allSettled(Array.from({ length: 50 }, () => read('token', principal())))
  t.ok(all.every(({ status }) => status === 'rejected'))
  t.equal(asked.length, 1)
  answer(endpoint, { sub: 'ada' }, json)
  const answers = await Promise.all(Array.from({ length: 50 }, () => read('token', principal())))
  t.ok(answers.every(({ sub }) => sub === 'ada'))
  t.equal(asked.length, 2)
})

void t.test('the cache holds 500 answers and no more', async (t) => {
  const { read, asked } = startReader()
  for (let index = 0; index < 501; index++) await read(`token ${index}`, principal())
  await read('token 500', principal())
  t.equal(asked.length, 501)
  await read('token 0', principal())
  t.equal(asked.length, 502)
})

void t.test('those who share an answer can not change it for one another', async (t) => {
  const { read, answer } = startReader()
  answer(endpoint, { sub: 'ada', roles: ['reader'] }, json)
  const claims = await read('token', principal())
  t.throws(() => Object.assign(claims, { admin: true }), TypeError)
  t.throws(() => (claims['roles'] as string[]).push('admin'), TypeError)
})

void t.test('an issuer without the endpoint is 501, one that was never read 503', async (t) => {
  const { fetch, asked } = fakeFetch()
  const without = createUserInfoReader(optionsOf(keySetWith(undefined), fetch))
  t.match(await problemOf(without('token', principal())), { statusCode: 501 })
  const keySet = { metadata: undefined, retryAfterSeconds: 7 } as unknown as KeySet
  const unread = createUserInfoReader(optionsOf(keySet, fetch))
  t.match(await problemOf(unread('token', principal())), {
    statusCode: 503,
    headers: { 'retry-after': '7' }
  })
  t.equal(asked.length, 0)
})

for (const [field, expected] of [
  ['application/json', 200],
  ['application/json;charset=utf-8', 200],
  ['application/json ; charset=utf-8', 200],
  ['APPLICATION/JSON', 200],
  ['application/jsonp', 502],
  ['application/jwt', 502],
  ['application/problem+json', 502],
  ['text/html', 502],
  ['text/plain; application/json', 502],
  [undefined, 502]
] as const) {
  void t.test(`UI-4: an answer of type ${field} is ${expected}`, async (t) => {
    const { read, answer } = startReader()
    answer(endpoint, { sub: 'ada' }, { headers: { 'content-type': field } })
    if (expected === 200) t.match(await read('token', principal()), { sub: 'ada' })
    else t.match(await problemOf(read('token', principal())), { statusCode: 502 })
  })
}

for (const [field, seconds] of [
  ['30', '30'],
  ['3600', '3600'],
  ['3601', '5'],
  ['0', '5'],
  ['-1', '5'],
  ['1.5', '5'],
  ['Wed, 21 Oct 2026 07:28:00 GMT', '5'],
  [undefined, '5']
] as const) {
  void t.test(`UI-8: 503 with Retry-After ${field} is passed on as ${seconds} s`, async (t) => {
    const { read, answer } = startReader()
    answer(endpoint, '', { status: 503, headers: { 'retry-after': field } })
    const headers = { 'retry-after': seconds }
    t.match(await problemOf(read('token', principal())), { statusCode: 503, headers })
  })
}

void t.test('UI-7: 401 and 403 of the issuer are told apart from its faults', async (t) => {
  const { read, answer } = startReader()
  answer(endpoint, '', { status: 401 })
  await t.rejects(read('token', principal()), TokenRefusedError)
  answer(endpoint, '', { status: 403 })
  await t.rejects(read('token', principal()), ScopeRefusedError)
})

for (const [name, behaviour, statusCode] of [
  ['GJ-1: hangs', hostile.hang, 504],
  ['GJ-2: drips', hostile.drip, 504],
  ['sends 60 MB', hostile.huge(), 502],
  ['cuts the connection', hostile.reset, 503]
] as const) {
  void t.test(`UI-8, UI-11: an endpoint that ${name} is ${statusCode}`, async (t) => {
    const failure = await problemOf(readOverNetwork(t, behaviour))
    t.match(failure, { statusCode })
    if (statusCode === 503) t.match(failure, { headers: { 'retry-after': '5' } })
  })
}

void t.test('UI-11: 256 KiB are read, one byte more is not', async (t) => {
  const limit = 256 * 1024
  const frame = JSON.stringify({ sub: 'ada', note: '' }).length
  const sized = (size: number) => hostile.json({ sub: 'ada', note: 'x'.repeat(size - frame) })
  t.match(await readOverNetwork(t, sized(limit)), { sub: 'ada' })
  t.match(await problemOf(readOverNetwork(t, sized(limit + 1))), { statusCode: 502 })
})

async function readOverNetwork(t: Test, behaviour: Behaviour) {
  const server = await hostile.startHostileIssuer()
  t.teardown(() => server.close())
  server.on('/userinfo', behaviour)
  const fetch = createBoundedFetch(server.issuer, { timeout: 300 })
  t.teardown(() => fetch.close())
  return createUserInfoReader(optionsOf(keySetWith(`${server.issuer}/userinfo`), fetch))(
    'token',
    principal()
  )
}

async function problemOf(reading: Promise<unknown>): Promise<unknown> {
  const error = await reading.catch((error: unknown) => error)
  return error instanceof ProblemError
    ? error
    : new Error('no problem was thrown', { cause: error })
}

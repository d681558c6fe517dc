import t from 'tap'
import type { Test } from 'tap'
import type { IssuerOptions } from '../../../src/issuer/issuer-options.ts'
import { startTestIssuer } from '../../../src/testing.ts'
import { startJudge } from '../../support/judge.ts'

const issuer = await startTestIssuer({ algorithms: ['RS256', 'ES256'] })
t.teardown(() => issuer.close())

/** Seconds since the epoch at which the clock of these tests starts. */
const start = 1_800_000_000

/** A verifier whose clock stands until it is set, in seconds after the start. */
async function judgeAt(t: Test, seconds = 0, options: Partial<IssuerOptions> = {}) {
  let now = (start + seconds) * 1000
  const judge = await startJudge(t, { ...issuer.options, ...options }, () => now)
  const set = (later: number) => {
    now = (start + later) * 1000
  }
  return { ...judge, set }
}

const mint = (claims: object) => issuer.mint({ ...claims }, { now: start })

const bounds: [name: string, claims: object, at: number, expected: string][] = [
  ['JWT-2: exp 3 s ago', { exp: start }, 3, 'accepted'],
  ['JWT-2, FJ-11: exp just within the tolerance', { exp: start }, 4.999, 'accepted'],
  ['JWT-2: exp as long ago as the tolerance', { exp: start }, 5, 'expired'],
  ['JWT-2: exp 6 s ago', { exp: start }, 6, 'expired'],
  ['JWT-2: exp with a fraction', { exp: start + 0.5 }, 5.4, 'accepted'],
  ['JWT-2: exp with a fraction, past', { exp: start + 0.5 }, 5.5, 'expired'],
  ['JWT-3: nbf ahead by the tolerance', { nbf: start + 5 }, 0, 'accepted'],
  ['JWT-3: nbf 6 s ahead', { nbf: start + 6 }, 0, 'not_yet_valid'],
  ['JWT-3: the same token 6 s later', { nbf: start + 6 }, 6, 'accepted'],
  ['JWT-4: iat ahead by the tolerance', { iat: start + 5 }, 0, 'accepted'],
  ['JWT-4: iat 6 s ahead', { iat: start + 6 }, 0, 'not_yet_valid'],
  ['JWT-9: the last second there is', { exp: 8.64e12 }, 0, 'accepted'],
  ['JWT-9: a second later', { exp: 8.64e12 + 1 }, 0, 'invalid_claims']
]
for (const [name, claims, at, expected] of bounds)
  void t.test(`${name}: ${expected}`, async (t) => {
    const { outcome } = await judgeAt(t, at)
    t.equal(await outcome(await mint(claims)), expected)
  })

void t.test('JWT-2: without tolerance a token ends on its second', async (t) => {
  const { outcome, set } = await judgeAt(t, 0, { clockTolerance: 0 })
  const token = await mint({ exp: start + 1 })
  t.equal(await outcome(token), 'accepted')
  set(0.999)
  t.equal(await outcome(token), 'accepted')
  set(1)
  t.equal(await outcome(token), 'expired')
})

void t.test('a token that is older than its issuer may send ends before its exp', async (t) => {
  const { outcome, set } = await judgeAt(t, 0, { clockTolerance: 0, maxTokenAge: 60 })
  const token = await mint({ iat: start, exp: start + 3600 })
  // verified by then, and known by heart
  for (let sight = 0; sight < 3; sight++) t.equal(await outcome(token), 'accepted')
  set(59.999)
  t.equal(await outcome(token), 'accepted')
  set(60)
  t.equal(await outcome(token), 'expired')
  t.equal(await outcome(await mint({ iat: start, exp: start + 3600, jti: 'new' })), 'expired')
  t.equal(await outcome(await mint({ iat: undefined, exp: start + 3600 })), 'invalid_claims')
  for (const maxTokenAge of [0, 1.5, Number.POSITIVE_INFINITY, '60' as unknown as number])
    await t.rejects(judgeAt(t, 0, { maxTokenAge }), { name: 'TypeError', message: /^maxTokenAge/ })
})

void t.test('FJ-8: a token that was too early is accepted on its second', async (t) => {
  const { outcome, set } = await judgeAt(t)
  const token = await mint({ nbf: start + 7 })
  t.equal(await outcome(token), 'not_yet_valid')
  t.equal(await outcome(token), 'not_yet_valid')
  set(2)
  t.equal(await outcome(token), 'accepted')
})

void t.test('a token that is refused again and again is judged anew each time', async (t) => {
  const { outcome, set } = await judgeAt(t)
  const [early, late, alien] = [
    await mint({ nbf: start + 60, jti: 'early' }),
    await mint({ exp: start - 60, jti: 'late' }),
    await mint({ aud: 'https://other.example.com' })
  ]
  for (const sight of ['first', 'second', 'third', 'fourth']) {
    t.equal(await outcome(early), 'not_yet_valid', sight)
    t.equal(await outcome(late), 'expired', sight)
    t.equal(await outcome(alien), 'wrong_audience', sight)
    t.equal(await outcome(`${alien.slice(0, -4)}AAAA`), 'wrong_audience', 'another of that kind')
    t.equal(await outcome(`${early.slice(0, 5)}A${early.slice(6)}`), 'malformed', 'the same end')
  }
  set(60)
  t.equal(await outcome(early), 'accepted')
  t.equal(await outcome(late), 'expired')
})

void t.test('FJ-9: a token that is remembered ends when it expires', async (t) => {
  const { verify, outcome, set } = await judgeAt(t)
  const token = await mint({ exp: start + 10 })
  for (let round = 0; round < 3; round++) t.equal(await outcome(token), 'accepted')
  t.equal(verify(token), verify(token), 'it is remembered: the same principal')
  set(14.999)
  t.equal(await outcome(token), 'accepted')
  set(15)
  t.equal(await outcome(token), 'expired')
})

void t.test('FJ-9: a token that is remembered ends when its key goes', async (t) => {
  const rotating = await startTestIssuer({ algorithms: ['RS256'] })
  t.teardown(() => rotating.close())
  const { outcome, trusted } = await startJudge(t, rotating.options)
  const token = await rotating.mint()
  const [old] = rotating.keys
  for (let round = 0; round < 3; round++) t.equal(await outcome(token), 'accepted')
  await rotating.rotate()
  rotating.withdraw(old?.kid ?? '')
  t.equal(await outcome(await rotating.mint()), 'accepted', 'the new key is fetched')
  t.equal(await outcome(token), 'unknown_key')
  t.equal(trusted.keySet.isFailing, false)
})

void t.test('FJ-9: bad tokens do not push a good one out', async (t) => {
  const { verify, outcome } = await judgeAt(t)
  const token = await mint({})
  await outcome(token)
  await outcome(token)
  const remembered = verify(token)
  const unsigned = token.slice(0, token.lastIndexOf('.'))
  for (let round = 10_000; round < 31_000; round++) await verify(`${unsigned}.A${round}`)
  t.equal(verify(token), remembered)
})

void t.test('FJ-10: other spellings of a remembered signature are judged anew', async (t) => {
  const { verify, outcome } = await judgeAt(t)
  const token = await mint({})
  await outcome(token)
  await outcome(token)
  const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'
  for (const character of alphabet) {
    const other = token.slice(0, -1) + character
    if (other !== token) t.not(await verify(other), verify(token))
  }
})

void t.test(
  'FJ-10: claims under the signature of a remembered token are judged anew',
  async (t) => {
    const { outcome } = await judgeAt(t)
    const token = await mint({})
    for (let round = 0; round < 3; round++) await outcome(token)
    const [header, , signature] = token.split('.')
    const [, claims] = (await mint({ sub: 'mallory' })).split('.')
    t.equal(await outcome(`${header}.${claims}.${signature}`), 'bad_signature')
  }
)

void t.test('FJ-13: a claim named __proto__ is a claim, and changes nothing else', async (t) => {
  const { verify } = await judgeAt(t)
  const claims = JSON.parse('{"__proto__": {"scope": "admin"}, "scope": "a"}') as object
  const principal = await verify(await mint(claims))
  t.match(principal, { subject: 'ada', scopes: ['a'] })
  t.equal(({} as { scope?: unknown }).scope, undefined)
})

void t.test('the same header costs one look-up, and is not mixed up between issuers', async (t) => {
  const { outcome } = await judgeAt(t)
  t.equal(await outcome(await mint({})), 'accepted')
  t.equal(await outcome(await mint({ iss: 'https://id.example.com' })), 'untrusted_issuer')
  t.equal(await outcome(await mint({ iss: undefined })), 'untrusted_issuer')
  t.equal(await outcome(await mint({ sub: 'grace' })), 'accepted')
})

void t.test(
  'JWS-13: a token without a key id ends when a second fitting key is published',
  async (t) => {
    const single = await startTestIssuer({ algorithms: ['RS256'] })
    t.teardown(() => single.close())
    let now = start * 1000
    const { outcome, trusted } = await startJudge(t, single.options, () => now)
    const mintWithoutKid = () => single.mint({}, { now: start, header: { kid: undefined } })
    t.equal(await outcome(await mintWithoutKid()), 'accepted')

    const [old] = single.keys
    await single.rotate()
    now += 31_000
    await trusted.keySet.refreshForUnknownKey()
    const token = await single.mint(
      {},
      { now: start, header: { kid: undefined }, ...(old && { key: old.privateKey }) }
    )
    t.equal(await outcome(token), 'unknown_key')
  }
)

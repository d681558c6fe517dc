import t from 'tap'
import { createTokenExchange } from '../../../src/issuer/token-exchange.ts'
import type { IssuerOptions } from '../../../src/issuer/issuer-options.ts'
import { createTrustedIssuers } from '../../../src/issuer/trusted-issuers.ts'
import { TokenRefusedError } from '../../../src/issuer/userinfo.ts'
import { createModalReader } from '../../../src/issuer/userinfo-modes.ts'
import { createPrincipal } from '../../../src/token/principal.ts'
import { silentObserver } from '../../../src/observe/observer.ts'
import { fakeFetch } from '../../support/fake-fetch.ts'
import { goodAnswer } from '../../support/token-exchange-scene.ts'

const issuer = 'https://id.example.com'
const endpoint = `${issuer}/token`
/** Seconds since the epoch. */
const start = 1_800_000_000
const json = { headers: { 'content-type': 'application/json' } }
const metadata = {
  issuer,
  jwks_uri: `${issuer}/keys`,
  userinfo_endpoint: undefined,
  introspection_endpoint: undefined,
  token_endpoint: endpoint as string | undefined
}

/** An exchange in a time that tests set, and the calls it made. */
function startExchange(keySet: object = { metadata, retryAfterSeconds: 7 }) {
  const { fetch, asked, answer } = fakeFetch()
  const time = { now: start }
  const exchange = createTokenExchange({
    issuer,
    keySet: keySet as { metadata: typeof metadata; retryAfterSeconds: number },
    fetch,
    authenticate: async () => ({ headers: {}, form: {} }),
    observer: silentObserver,
    clock: () => time.now * 1000
  })
  const answerWith = (members: object) => answer(endpoint, { ...goodAnswer, ...members }, json)
  answerWith({})
  return { exchange, asked, time, answerWith }
}

const target = { audience: 'billing', scopes: ['a', 'b'] }
const subject = { expiresAt: start + 3600 }

t.test('TX-6: a token is used again until shortly before it expires', async (t) => {
  const { exchange, asked, time, answerWith } = startExchange()
  const first = await exchange('token', subject, target)
  t.strictSame(first, { token: goodAnswer.access_token, expiresAt: start + 60, scopes: ['a', 'b'] })
  answerWith({ access_token: 'second' })
  time.now = start + 49
  t.equal(await exchange('token', subject, { ...target, scopes: ['b', 'a'] }), first)
  time.now = start + 50
  t.match(await exchange('token', subject, target), { token: 'second', expiresAt: start + 110 })
  t.equal(asked.length, 2)
})

t.test('TX-6: it is not used past the expiry of the token it was exchanged for', async (t) => {
  const { exchange, asked, time } = startExchange()
  const short = { expiresAt: start + 3 }
  for (const now of [start, start + 2.9]) {
    time.now = now
    await exchange('token', short, target)
  }
  t.equal(asked.length, 1)
  time.now = start + 3
  await exchange('token', short, target)
  t.equal(asked.length, 2)
})

t.test('TX-6: another token, target or scope is another exchange', async (t) => {
  const { exchange, asked } = startExchange()
  for (const [token, other] of [
    ['token', target],
    ['another token', target],
    ['token', { ...target, audience: 'shipping' }],
    ['token', { resource: 'billing', scopes: target.scopes }],
    ['token', { scopes: target.scopes }],
    ['token', { ...target, scopes: ['a'] }],
    ['token', { ...target, scopes: ['a b'] }]
  ] as const) {
    await exchange(token, subject, other)
  }
  t.equal(asked.length, 7)
  await exchange('token', subject, target)
  t.equal(asked.length, 7)
})

t.test('a token that UserInfo refuses is exchanged anew for the next request', async (t) => {
  const { exchange, asked, time, answerWith } = startExchange()
  const accepted = new Set(['first'])
  const createReader = () => async (token: string) => {
    if (!accepted.has(token)) throw new TokenRefusedError()
    return { sub: 'ada' }
  }
  const parts = { createReader, exchange, target: {}, introspect: undefined }
  const read = createModalReader('exchange', parts)
  const claims = { iss: issuer, aud: 'api', sub: 'ada', exp: start + 3600, scope: 'openid' }
  const ask = async () => read?.('token', createPrincipal(claims))

  answerWith({ access_token: 'first', expires_in: 3000 })
  t.strictSame(await ask(), { sub: 'ada' })
  accepted.clear()
  answerWith({ access_token: 'second', expires_in: 3000 })
  time.now += 60
  const refused = await Promise.allSettled([ask(), ask(), ask()])
  for (const one of refused) t.match(one, { reason: TokenRefusedError })
  t.equal(asked.length, 1, 'the request that was refused asks for nothing')
  accepted.add('second')
  t.strictSame(await Promise.all([ask(), ask()]), [{ sub: 'ada' }, { sub: 'ada' }])
  t.equal(asked.length, 2)

  accepted.clear()
  for (let second = 0; second < 30; second++) {
    time.now++
    await t.rejects(ask(), TokenRefusedError)
  }
  t.equal(asked.length, 4, 'at most once in ten seconds, where none is accepted')
})

t.test('TX-5: what was granted is told', async (t) => {
  const { exchange, answerWith } = startExchange()
  answerWith({ scope: 'a' })
  t.strictSame((await exchange('token', subject, target)).scopes, ['a'])
  answerWith({ scope: '' })
  t.strictSame((await exchange('another', subject, target)).scopes, [])
})

t.test('TX-6: without a sane expires_in a token counts for a minute', async (t) => {
  for (const expires_in of [undefined, null, '3600', -1, Number.MAX_VALUE]) {
    const { exchange, answerWith } = startExchange()
    answerWith({ expires_in })
    t.equal((await exchange('token', subject, target)).expiresAt, start + 60)
  }
  const { exchange, answerWith, asked } = startExchange()
  answerWith({ expires_in: 5 })
  for (let round = 0; round < 2; round++) await exchange('token', subject, target)
  t.equal(asked.length, 2, 'what expires so soon is not kept')
})

t.test('an issuer that has no token endpoint, or was not reached yet', async (t) => {
  const none = startExchange({ metadata: { ...metadata, token_endpoint: undefined } })
  await t.rejects(none.exchange('token', subject, target), {
    message: 'The issuer has no token endpoint.'
  })
  const unread = startExchange({ metadata: undefined, retryAfterSeconds: 7 })
  await t.rejects(unread.exchange('token', subject, target), {
    message: 'The issuer can not be reached; try again later.'
  })
})

const clientSecret = 'nobody-may-see-this'
const good = { clientId: 'api', clientSecret }
const bad: [string, unknown, RegExp][] = [
  [
    'no object',
    clientSecret,
    /^tokenExchange of .*: found a value, allowed: an object with clientId/
  ],
  ['TX-2: no client', { clientSecret }, /^tokenExchange.clientId of .*found nothing/],
  ['TX-2: no credentials', { clientId: 'api' }, /^tokenExchange.authMethod .* no credentials/],
  ['two targets', { ...good, audience: 'x', resource: 'urn:x' }, /resource of .*beside audience/],
  ['an empty audience', { ...good, audience: '' }, /^tokenExchange.audience of .*found ""/],
  [
    'a relative resource',
    { ...good, resource: '/me' },
    /^tokenExchange.resource of .*found "\/me"/
  ],
  ['a resource with fragment', { ...good, resource: 'https://a.example/#b' }, /without fragment/]
]

for (const [name, tokenExchange, message] of bad) {
  t.test(`${name} stops the start, and no secret is shown`, async (t) => {
    const options = { issuer, audience: 'api', tokenExchange } as IssuerOptions
    const create = () => createTrustedIssuers([options], { prepare: () => () => true })
    t.throws(create, { name: 'TypeError', message })
    t.throws(create, { message: /^((?!nobody-may).)*$/ })
  })
}

for (const [userinfo, message] of [
  ['exchange', /^userinfo of .*found "exchange" without tokenExchange/],
  ['introspection', /^userinfo of .*found "introspection" without introspection/],
  ['on', /^userinfo of .*found "on", allowed: forward, exchange, introspection, claims, off/]
] as const) {
  t.test(`userinfo "${userinfo}" alone stops the start`, async (t) => {
    const options = { issuer, audience: 'api', userinfo } as IssuerOptions
    t.throws(() => createTrustedIssuers([options], { prepare: () => () => true }), { message })
  })
}

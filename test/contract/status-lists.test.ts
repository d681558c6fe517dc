import { generateKeyPairSync } from 'node:crypto'
import { deflateSync } from 'node:zlib'
import { StatusList } from '@sd-jwt/jwt-status-list'
import * as fc from 'fast-check'
import { CompactEncrypt } from 'jose'
import t from 'tap'
import { assertCleanLog, startGuardedApp } from '../support/guarded-app.ts'
import {
  type Behaviour,
  hang,
  json,
  redirect,
  startHostileIssuer,
  status
} from '../support/hostile-issuer.ts'
import { assertInvalidToken, assertUnavailable } from '../support/outcomes.ts'
import { startRevocableApi } from '../support/revocable-api.ts'
import { withResolver } from '../support/promise.ts'
import { listOf, startStatusListScene } from '../support/status-lists.ts'
import { until } from '../support/until.ts'

const scene = await startStatusListScene(t)
const { sound, mint, serve, serveText, downloads, server } = scene
const { issuer } = scene.options
/** A token that says another thing, or nothing, of its status. */
const mintAny = (claims: object) => mint('', 0, { status: undefined, ...claims })
const optional = { ...scene.options, statusList: 'optional' as const }
const guarded = await startGuardedApp(t, optional)
const { call } = guarded
const now = Math.floor(Date.now() / 1000)

void t.test('a token opens the API if its status is valid, and else not', async (t) => {
  serve('/list', listOf([0, 1, 2, 3]))
  t.equal((await call({ token: await mint('/list', 0) })).status, 200)
  for (const [index, name] of ['invalid', 'suspended', 'application specific'].entries()) {
    const answer = await call({ token: await mint('/list', index + 1) })
    assertInvalidToken(t, answer, name)
    t.match(answer.challenges[0]?.params['error_description'], /status list/, name)
  }
  t.equal(downloads('/list'), 1)
  const headers = { accept: 'application/statuslist+jwt', 'accept-encoding': 'identity' }
  t.match(server.requests('/list')[0]?.headers, headers)
  t.match(guarded.log.join(''), '"reason":"invalid_status"')
})

void t.test('lists of the specification (section 4.1)', async (t) => {
  const lists = [
    { path: '/one', bits: 1, lst: 'eNrbuRgAAhcBXQ', statuses: '1001110111000101' },
    { path: '/two', bits: 2, lst: 'eNo76fITAAPfAgc', statuses: '120301011233' }
  ]
  for (const { path, statuses, ...list } of lists) {
    serve(path, list)
    for (const [index, expected] of statuses.split('').entries())
      t.equal((await call({ token: await mint(path, index) })).status === 200, expected === '0')
    assertInvalidToken(t, await call({ token: await mint(path, statuses.length) }), 'past the end')
  }
})

void t.test('lists of an independent library, of all widths', async () => {
  let path = 0
  const anyList = fc
    .constantFrom(1 as const, 2 as const, 4 as const, 8 as const)
    .chain((bits) =>
      fc.tuple(
        fc.constant(bits),
        fc.array(fc.integer({ min: 0, max: 2 ** bits - 1 }), { minLength: 1, maxLength: 200 })
      )
    )
  await fc.assert(
    fc.asyncProperty(anyList, fc.nat(), async ([bits, statuses], at) => {
      const index = at % statuses.length
      const name = `/list/${path++}`
      serve(name, listOf(statuses, bits))
      const { status } = await call({ token: await mint(name, index) })
      return (status === 200) === (new StatusList(statuses, bits).getStatus(index) === 0)
    }),
    { numRuns: 100 }
  )
})

void t.test('a list of a million tokens', async (t) => {
  const statuses = Array.from({ length: 1_048_576 }, (_, index) => (index % 50 === 7 ? 1 : 0))
  serve('/million', listOf(statuses, 1))
  t.equal((await call({ token: await mint('/million', 1_048_575) })).status, 200)
  assertInvalidToken(t, await call({ token: await mint('/million', 1_000_007) }), 'one of them')
})

void t.test('one download for all tokens that name the list, also at once', async (t) => {
  serve('/shared', listOf(Array.from({ length: 50 }, () => 0)))
  const tokens = await Promise.all(Array.from({ length: 50 }, (_, index) => mint('/shared', index)))
  const answers = await Promise.all(tokens.map((token) => call({ token })))
  t.ok(answers.every((answer) => answer.status === 200))
  for (let round = 0; round < 3; round++) await call({ token: tokens[0] ?? '' })
  t.equal(downloads('/shared'), 1)
})

void t.test('a token that names no list', async (t) => {
  const required = await startGuardedApp(t, { ...scene.options, statusList: 'required' })
  for (const claims of [{}, { status: {} }, { status: { other: { uri: 'x' } } }]) {
    t.equal((await call({ token: await mintAny(claims) })).status, 200)
    assertInvalidToken(t, await required.call({ token: await mintAny(claims) }), 'required')
  }
  serve('/required', listOf([0]))
  t.equal((await required.call({ token: await mint('/required', 0) })).status, 200)
})

void t.test('a reference that is malformed is refused, and nothing is fetched', async (t) => {
  const before = server.requests().length
  const bad = [undefined, null, -1, 0.5, '0', [0], 2 ** 53].map((idx) => ({ idx, uri: issuer }))
  const uris = [undefined, null, 5, '', '/list', 'ftp://x', 'http://id.example.com/list', [issuer]]
  const lists = [...bad, ...uris.map((uri) => ({ idx: 0, uri })), null, [], 'x']
  for (const value of ['x', [], null, ...lists.map((list) => ({ status_list: list }))])
    assertInvalidToken(t, await call({ token: await mintAny({ status: value }) }), 'malformed')
  t.equal(server.requests().length, before)
})

void t.test('a list is not fetched for a token that is no good anyway', async (t) => {
  serve('/unasked', listOf([0]))
  for (const claims of [{ exp: now - 60 }, { aud: 'https://other.example.com' }])
    assertInvalidToken(t, await call({ token: await mint('/unasked', 0, claims) }), 'bad')
  const [head = '', body = ''] = (await mint('/unasked', 0)).split('.')
  const forged = `${head}.${body}.${'A'.repeat(342)}`
  assertInvalidToken(t, await call({ token: forged }), 'forged')
  t.equal(downloads('/unasked'), 0)
})

const stranger = generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey
const list = listOf([0, 0])
const zip = (octets: Buffer) => deflateSync(octets).toString('base64url')
const otherKey = { key: stranger, header: { kid: 'x' } }
const unusable: Record<string, (path: string) => unknown> = {
  'is signed by a stranger': (path) => serve(path, list, { sign: { key: stranger } }),
  'is signed with a key that nobody publishes': (path) => serve(path, list, { sign: otherKey }),
  'has another type': (path) => serve(path, list, { sign: { header: { typ: 'JWT' } } }),
  'has no type': (path) => serve(path, list, { sign: { header: { typ: undefined } } }),
  'is about another URI': (path) => serve(path, list, { claims: { sub: `${issuer}/x` } }),
  'is about nothing': (path) => serve(path, list, { claims: { sub: undefined } }),
  'is of another issuer': (path) =>
    serve(path, list, { claims: { iss: 'https://id.example.com' } }),
  'is for others': (path) => serve(path, list, { claims: { aud: 'https://other.example.com' } }),
  'does not say when it was made': (path) => serve(path, list, { claims: { iat: undefined } }),
  'was made tomorrow': (path) => serve(path, list, { claims: { iat: now + 86_400 } }),
  'has expired': (path) => serve(path, list, { claims: { exp: now - 60 } }),
  'is not valid yet': (path) => serve(path, list, { claims: { nbf: now + 3600 } }),
  'has a ttl of nothing': (path) => serve(path, list, { claims: { ttl: 0 } }),
  'has a ttl that is no number': (path) => serve(path, list, { claims: { ttl: '60' } }),
  'has statuses of 3 bits': (path) => serve(path, { ...list, bits: 3 }),
  'does not say how wide a status is': (path) => serve(path, { ...list, bits: undefined }),
  'has no statuses': (path) => serve(path, { bits: 1 }),
  'has statuses that can not be unpacked': (path) => serve(path, { bits: 1, lst: 'AAAA' }),
  'has statuses that break off': (path) =>
    serve(path, { bits: 1, lst: zip(Buffer.alloc(9999, 'x')).slice(0, -8) }),
  'is larger than it looks': (path) =>
    serve(path, { bits: 1, lst: zip(Buffer.alloc(64 * 1024 * 1024)) }),
  'is larger than anybody needs': (path) =>
    serve(path, list, { claims: { padding: 'x'.repeat(2 * 1024 * 1024) } }),
  'is no JWT': (path) => serveText(path, 'x'),
  'is said to be something else': (path) => serve(path, list, { mediaType: 'application/jwt' }),
  'is elsewhere': (path) => {
    serve(`${path}/new`, list, { claims: { sub: issuer + path } })
    server.on(path, redirect(`${path}/new`))
  },
  'is gone, as its server says': (path) => serve(path, list, { status: 410 }),
  'never comes': (path) => server.on(path, hang)
}
for (const [index, [name, break_]] of Object.entries(unusable).entries())
  void t.test(`a list that ${name} is an outage`, async (t) => {
    const path = `/unusable/${index}`
    break_(path)
    for (const at of [0, 1]) assertUnavailable(t, await call({ token: await mint(path, at) }), name)
    t.equal(downloads(path), 1, 'one download per cool-down')
    t.match(guarded.log.join(''), `reading the status list ${issuer}${path}`)
  })

void t.test('what a bad list says, and the query of its URI, is not logged', async (t) => {
  const claims = { exp: now - 60, email: 'ada@example.com' }
  serve('/secret', list, { claims: { ...claims, sub: `${issuer}/secret?signature=of-the-cdn` } })
  assertUnavailable(t, await call({ token: await mint('/secret?signature=of-the-cdn', 0) }), 'bad')
  const log = guarded.log.join('')
  t.match(log, `the status list ${issuer}/secret"`)
  for (const secret of ['ada@example.com', list.lst, 'of-the-cdn']) t.notMatch(log, secret)
})

void t.test('more lists than the issuer could have kept are judged, or an outage', async (t) => {
  const paths = Array.from({ length: 60 }, (_, index) => `/many/${index}`)
  const judge = async () => {
    const tokens = await Promise.all(paths.map((path) => mint(path, 0)))
    const answers = await Promise.all(tokens.map((token) => call({ token })))
    return [...new Set(answers.map(({ status }) => status))]
  }
  for (const path of paths) serve(path, list, { sign: otherKey })
  t.strictSame(await judge(), [503])
  const { call: fresh } = await startGuardedApp(t, optional)
  for (const path of paths) serve(path, list)
  for (let round = 0; round < 2; round++)
    for (const path of paths) t.equal((await fresh({ token: await mint(path, 0) })).status, 200)
  t.equal(Math.max(...paths.map(downloads)), 2, 'each is kept: one download for either app')
})

void t.test(
  'a request does not wait as long as metadata, keys and list may each take',
  async (t) => {
    const own = await startStatusListScene(t)
    const options = { ...own.options, statusList: 'optional', required: false } as const
    const { call } = await startGuardedApp(t, options)
    const later = (answer: Behaviour): Behaviour => {
      return (request, response) => void setTimeout(() => answer(request, response), 4000)
    }
    const metadata = { issuer: own.options.issuer, jwks_uri: `${own.options.issuer}/jwks` }
    own.server.on('/.well-known/openid-configuration', later(json(metadata)))
    own.server.on('/jwks', later(json(own.sound.jwks)))
    own.server.on('/slow', later(status(404)))
    const begin = performance.now()
    assertUnavailable(t, await call({ token: await own.mint('/slow', 0) }), 'slow')
    t.ok(performance.now() - begin < 10_500, 'and not twelve seconds')
  }
)

void t.test('other options of the issuer that come while its list is read', async (t) => {
  for (const [name, next, expected] of [
    ['still trusted', [{ ...optional, clockTolerance: 6 }], 200],
    ['no longer trusted', [sound.options], 401]
  ] as const) {
    const { app, call, log } = await startGuardedApp(t, optional)
    const { promise, resolve } = withResolver()
    const path = `/replaced/${expected}`
    serve(path, list, { wait: promise })
    const answer = call({ token: await mint(path, 0) })
    await until(() => downloads(path) === 1)
    app.latchkey.replaceIssuers(next)
    resolve()
    t.equal((await answer).status, expected, name)
    t.notMatch(log.join(''), 'trouble', name)
  }
})

void t.test('a token is revoked while its list is read', async (t) => {
  const api = await startRevocableApi(t, optional)
  const { promise, resolve } = withResolver()
  serve('/revoked', list, { wait: promise })
  const answer = api.ask(await mint('/revoked', 0, { jti: 'one' }))
  await until(() => downloads('/revoked') === 1)
  await api.app.latchkey.revoke({ jti: 'one', issuer })
  resolve()
  t.equal((await answer).status, 401)
})

void t.test('a tenant has lists of its own, signed by its own key', async (t) => {
  const [ours, theirs] = [
    '3f2504e0-4f89-41d3-9a0c-0305e82c3301',
    '9188040d-6c67-4c5b-b112-36a304b66dad'
  ]
  const provider = await startHostileIssuer()
  t.teardown(() => provider.close())
  const issOf = (tenant: string) => `${provider.issuer}/${tenant}`
  const [rsa, ec] = sound.keys
  const keys = [
    { ...rsa?.publicJwk, issuer: issOf(ours) },
    { ...ec?.publicJwk, issuer: issOf(theirs) }
  ]
  const template = `${provider.issuer}/{tenantid}`
  const metadata = { issuer: template, jwks_uri: `${provider.issuer}/keys` }
  provider.on('/common/.well-known/openid-configuration', json(metadata))
  provider.on('/keys', json({ keys }))
  const options = { ...optional, issuer: template, tenants: [ours, theirs] }
  const { call } = await startGuardedApp(t, options)
  const token = (tenant: string, path: string, alg: 'RS256' | 'ES256') =>
    mint(path, 0, { iss: issOf(tenant) }, { alg })
  // signed by the key of the first, and claimed by nobody
  serve('/tenant', list, { claims: { iss: undefined }, sign: { alg: 'RS256' } })
  assertUnavailable(t, await call({ token: await token(theirs, '/tenant', 'ES256') }), 'theirs')
  t.equal((await call({ token: await token(ours, '/tenant', 'RS256') })).status, 200)
})

void t.test('a list is signed by an algorithm that is accepted of the issuer', async (t) => {
  const { call } = await startGuardedApp(t, { ...optional, algorithms: ['ES256'] })
  const es256 = { alg: 'ES256' } as const
  serve('/es256', list, { sign: es256 })
  t.equal((await call({ token: await mint('/es256', 0, {}, es256) })).status, 200)
  serve('/rs256', list)
  assertUnavailable(t, await call({ token: await mint('/rs256', 0, {}, es256) }), 'RS256')
})

void t.test('an encrypted token has a status as any other', async (t) => {
  const { publicKey, privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
  const { call } = await startGuardedApp(t, { ...optional, decryption: { privateKey } })
  serve('/encrypted', listOf([0, 1]))
  const encrypt = async (inner: string) =>
    new CompactEncrypt(Buffer.from(inner))
      .setProtectedHeader({ alg: 'RSA-OAEP-256', enc: 'A256GCM', cty: 'JWT' })
      .encrypt(publicKey)
  const token = await encrypt(await mint('/encrypted', 0))
  for (let round = 0; round < 3; round++) t.equal((await call({ token })).status, 200)
  const revoked = await encrypt(await mint('/encrypted', 1))
  assertInvalidToken(t, await call({ token: revoked }), 'encrypted')
})

void t.test('an ID token has a status as any other', async (t) => {
  const kinds = { tokens: ['id'] as const, idTokens: { clientId: 'app' } }
  const { call } = await startGuardedApp(t, { ...optional, ...kinds })
  serve('/id', listOf([0, 1]))
  const claims = { aud: 'app', scope: undefined, client_id: undefined, nonce: 'n' }
  const idToken = (at: number) => mint('/id', at, claims, { header: { typ: 'JWT' } })
  t.equal((await call({ token: await idToken(0) })).status, 200)
  assertInvalidToken(t, await call({ token: await idToken(1) }), 'an ID token')
})

void t.test('without the setting a status says nothing', async (t) => {
  for (const options of [scene.options, { ...scene.options, statusList: 'off' as const }]) {
    const { call } = await startGuardedApp(t, options)
    t.equal((await call({ token: await mint('/nowhere', 0) })).status, 200)
  }
  t.equal(downloads('/nowhere'), 0)
})

void t.test('settings that make no sense stop the start', async (t) => {
  const introspection = { clientId: 'api', clientSecret: 'x'.repeat(32) }
  for (const [options, message] of [
    [{ statusList: 'on' as 'off' }, `statusList of ${issuer}: found "on", allowed: off, optional`],
    [
      { statusList: 'optional' as const, tokens: ['opaque'] as const, introspection },
      `statusList of ${issuer}: found "optional", allowed: off, as tokens are introspected`
    ]
  ] as const)
    await t.rejects(startGuardedApp(t, { ...scene.options, ...options }), {
      message
    })
})

void t.test('nothing of a token is logged', async (t) => assertCleanLog(t, guarded))

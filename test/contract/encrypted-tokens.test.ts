import { generateKeyPairSync, type KeyObject } from 'node:crypto'
import { join } from 'node:path'
import { deflateRawSync } from 'node:zlib'
import { CompactEncrypt, type CompactJWEHeaderParameters } from 'jose'
import t from 'tap'
import type { IssuerOptions } from '../../src/issuer/issuer-options.ts'
import { startTestIssuer } from '../../src/testing.ts'
import { assertCleanLog, createApp, startGuardedApp } from '../support/guarded-app.ts'
import { startHostileIssuer } from '../support/hostile-issuer.ts'
import { startJudge } from '../support/issuer-judge.ts'
import { keyFor } from '../support/malformed-tokens.ts'
import { assertInvalidToken } from '../support/outcomes.ts'
import { encode, rawToken, signer } from '../support/raw-token.ts'

const [a, b] = [
  await startTestIssuer({ algorithms: ['RS256'] }),
  await startTestIssuer({ algorithms: ['RS256'] })
]
for (const issuer of [a, b]) t.teardown(() => issuer.close())
const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 })
const ec = generateKeyPairSync('ec', { namedCurve: 'P-256' })
const stranger = generateKeyPairSync('rsa', { modulusLength: 2048 })
const options = { ...a.options, decryption: { privateKey: rsa.privateKey } }
const guarded = await startGuardedApp(t, options)
const { call } = guarded

const usual = { alg: 'RSA-OAEP-256', enc: 'A256GCM', cty: 'JWT' }

function encrypt(
  inner: string,
  header: CompactJWEHeaderParameters = usual,
  key: KeyObject = rsa.publicKey
): Promise<string> {
  return new CompactEncrypt(Buffer.from(inner)).setProtectedHeader(header).encrypt(key)
}

for (const [name, { publicKey, privateKey }, algs] of [
  ['RSA', rsa, ['RSA-OAEP-256', 'RSA-OAEP']],
  ['EC', ec, ['ECDH-ES', 'ECDH-ES+A128KW', 'ECDH-ES+A256KW']]
] as const)
  for (const alg of algs)
    void t.test(`JWS-16: a nested JWT is read with an ${name} key (${alg})`, async (t) => {
      const { call } = await startGuardedApp(t, { ...a.options, decryption: { privateKey } })
      for (const enc of ['A128GCM', 'A256GCM', 'A128CBC-HS256', 'A256CBC-HS512']) {
        const token = await encrypt(await a.mint(), { ...usual, alg, enc }, publicKey)
        for (const time of ['first', 'second', 'third']) {
          const { status, text } = await call({ token })
          t.equal(status, 200, `${enc}, the ${time} time`)
          t.match(JSON.parse(text), { iss: a.issuer, sub: 'ada', scopes: ['openid'] })
        }
      }
    })

void t.test('what is inside is judged as any other token', async (t) => {
  const soon = Math.floor(Date.now() / 1000) - 60
  const { privateKey: key } = generateKeyPairSync('rsa', { modulusLength: 2048 })
  const bad: Record<string, string> = {
    'BCP-2: a bad signature': await a.mint({}, { key }),
    'JWT-2: an expired one': await a.mint({ exp: soon }),
    'JWT-5: another audience': await a.mint({ aud: 'https://other.example.com' }),
    'AT-1: another type': await a.mint({}, { header: { typ: 'logout+jwt' } }),
    'BCP-6: an ID token': await a.mint({ nonce: 'n' }, { header: { typ: 'JWT' } }),
    'JWS-6: no signature': `${encode({ alg: 'none', typ: 'at+jwt' })}.${encode({ iss: a.issuer })}.`,
    'JWS-16: yet another token inside': await a.mint({}, { header: { cty: 'JWT' } }),
    'JWS-16: an encrypted one': await encrypt(await a.mint()),
    'SEC-1: a bound one': await a.mint({ cnf: { jkt: 'x' } })
  }
  for (const [name, inner] of Object.entries(bad))
    assertInvalidToken(t, await call({ token: await encrypt(inner) }), name)
  const scope = await encrypt(await a.mint({ scope: 'openid' }))
  t.equal((await call({ token: scope, path: '/documents' })).status, 403, 'the guard too')
})

void t.test('BCP-8: what is encrypted and not signed is refused', async (t) => {
  const claims = { iss: a.issuer, aud: a.audience, sub: 'ada', exp: Date.now() }
  for (const [name, content] of Object.entries({
    'claims alone': JSON.stringify(claims),
    'a header and claims': `${encode({ alg: 'RS256' })}.${encode(claims)}`,
    nothing: '',
    'an array': '[]',
    'dots alone': '..'
  }))
    for (const header of [usual, { ...usual, cty: undefined }, { ...usual, typ: 'at+jwt' }]) {
      const { cty, ...rest } = header
      const token = await encrypt(content, cty === undefined ? rest : { ...rest, cty })
      assertInvalidToken(t, await call({ token }), name)
    }
  const { cty, ...unnested } = usual
  t.equal(cty, 'JWT')
  const token = await encrypt(await a.mint(), unnested)
  assertInvalidToken(t, await call({ token }), 'a signed token that its header does not tell of')
})

void t.test(
  'BCP-2, BCP-7, BCP-10: what can not be decrypted is refused, and quickly',
  async (t) => {
    const inner = await a.mint()
    const good = await encrypt(inner)
    const [header = '', key = '', iv = '', text = '', tag = ''] = good.split('.')
    const withHeader = (members: object): string =>
      [encode({ ...usual, ...members }), key, iv, text, tag].join('.')
    const bad: Record<string, string> = {
      'for another key': await encrypt(inner, usual, stranger.publicKey),
      'another ciphertext': [header, key, iv, `AAAA${text.slice(4)}`, tag].join('.'),
      'another tag': [header, key, iv, text, `AAAA${tag.slice(4)}`].join('.'),
      'a short tag': [header, key, iv, text, tag.slice(0, 8)].join('.'),
      'another initialization vector': [header, key, 'AAAA', text, tag].join('.'),
      'another encrypted key': [header, 'AAAA', iv, text, tag].join('.'),
      'no encrypted key': [header, '', iv, text, tag].join('.'),
      'another header': withHeader({ kid: 'x' }),
      'zip: DEF': withHeader({ zip: 'DEF' }),
      'a critical extension': withHeader({ crit: ['x'], x: 1 }),
      'an alg of other keys': withHeader({ alg: 'ECDH-ES', epk: { kty: 'EC', crv: 'P-256' } }),
      RSA1_5: withHeader({ alg: 'RSA1_5' }),
      dir: withHeader({ alg: 'dir' }),
      'an unknown enc': withHeader({ enc: 'XYZ' }),
      'a password, hashed ten million times': withHeader({
        alg: 'PBES2-HS256+A128KW',
        p2c: 10_000_000,
        p2s: 'AAAAAAAAAAAAAAAA'
      }),
      'a header that is no JSON': ['AAAA', key, iv, text, tag].join('.'),
      'six parts': `${good}.AAAA`,
      'four parts': [header, key, iv, text].join('.'),
      'dots alone': '....',
      'a bomb': [
        encode({ ...usual, zip: 'DEF' }),
        key,
        iv,
        deflateRawSync(Buffer.alloc(5_000_000)).toString('base64url'),
        tag
      ].join('.')
    }
    t.equal((await call({ token: good })).status, 200)
    for (const [name, token] of Object.entries(bad)) {
      const start = performance.now()
      assertInvalidToken(t, await call({ token }), name)
      t.ok(performance.now() - start < 1000, `${name}: quickly`)
    }
  }
)

void t.test('BCP-2: points and keys of strangers do no harm', async (t) => {
  const { call } = await startGuardedApp(t, {
    ...a.options,
    decryption: { privateKey: ec.privateKey }
  })
  const good = await encrypt(await a.mint(), { ...usual, alg: 'ECDH-ES' }, ec.publicKey)
  t.equal((await call({ token: good })).status, 200)
  const [, ...parts] = good.split('.')
  const epks: unknown[] = [
    undefined,
    null,
    'x',
    {},
    { kty: 'EC', crv: 'P-256' },
    { kty: 'EC', crv: 'P-256', x: 'AAAA', y: 'AAAA' },
    { kty: 'EC', crv: 'P-256', x: 'A'.repeat(43), y: 'A'.repeat(43) },
    { kty: 'EC', crv: 'P-521', x: 'A'.repeat(88), y: 'A'.repeat(88) },
    { kty: 'OKP', crv: 'X25519', x: 'A'.repeat(43) },
    { kty: 'oct', k: 'AAAA' },
    { ...stranger.publicKey.export({ format: 'jwk' }) }
  ]
  for (const epk of epks)
    for (const alg of ['ECDH-ES', 'ECDH-ES+A128KW']) {
      const token = [encode({ ...usual, alg, epk }), ...parts].join('.')
      assertInvalidToken(t, await call({ token }), `${alg} ${JSON.stringify(epk)}`)
    }
})

void t.test('AT-3: where encryption was agreed, plain tokens are refused', async (t) => {
  const strict = await startGuardedApp(t, { ...options, encryptedTokens: 'required' })
  const inner = await a.mint()
  const token = await encrypt(inner)
  for (const time of ['first', 'second', 'third']) {
    t.equal((await strict.call({ token })).status, 200, `encrypted, the ${time} time`)
    assertInvalidToken(t, await strict.call({ token: inner }), `in the clear, the ${time} time`)
  }
  t.ok(
    strict.log.some((line) => line.includes('not_encrypted')),
    'the log says why'
  )
  t.equal((await call({ token: inner })).status, 200, 'and accepted where it was not')

  const off = await startGuardedApp(t, { ...options, encryptedTokens: 'off' })
  assertInvalidToken(t, await off.call({ token }), 'off: encrypted')
  t.equal((await off.call({ token: inner })).status, 200, 'off: in the clear')
  assertCleanLog(t, strict)
})

void t.test('an encrypted token ends with its time and with its key', async (t) => {
  const issuer = await startTestIssuer({ algorithms: ['RS256'] })
  t.teardown(() => issuer.close())
  const own = { ...issuer.options, decryption: options.decryption }
  const judge = await startJudge(t, own)
  const token = await encrypt(await issuer.mint())
  for (const time of ['first', 'second', 'third'])
    t.equal(await judge.judge(token), 'ada', `the ${time} time`)
  judge.ahead = 3606_000
  t.equal(await judge.judge(token), 'expired')
  judge.ahead = 0
  t.equal(await judge.judge(token), 'ada')

  const [key] = issuer.keys
  await issuer.rotate()
  issuer.withdraw(key?.kid ?? '')
  const fresh = await encrypt(await issuer.mint())
  t.equal(await judge.judge(fresh), 'ada', 'signed by a new key, which is fetched')
  t.equal(await judge.judge(token), 'unknown_key', 'signed by a withdrawn key')
})

void t.test('BCP-3: the key that opens a token belongs to its issuer', async (t) => {
  const keys = { [a.issuer]: rsa, [b.issuer]: ec }
  const issuers: IssuerOptions[] = [
    { ...a.options, decryption: { privateKey: rsa.privateKey } },
    { ...b.options, decryption: { privateKey: ec.privateKey } }
  ]
  const both = await startGuardedApp(t, { issuers })
  for (const issuer of [a, b])
    for (const [owner, { publicKey }] of Object.entries(keys)) {
      const alg = publicKey === rsa.publicKey ? 'RSA-OAEP-256' : 'ECDH-ES'
      const token = await encrypt(await issuer.mint(), { ...usual, alg }, publicKey)
      const answer = await both.call({ token })
      if (owner === issuer.issuer) t.equal(answer.status, 200)
      else assertInvalidToken(t, answer, 'opened by the key of the other')
    }

  const decryption = { privateKey: rsa.privateKey }
  const same = await startGuardedApp(t, {
    issuers: [a, b].map((issuer) => ({ ...issuer.options, decryption }))
  })
  for (const issuer of [a, b]) {
    const token = await encrypt(await issuer.mint())
    t.equal((await same.call({ token })).status, 200, 'one key for both')
  }
})

void t.test('JWS-11: nothing in the outer header leads anywhere', async (t) => {
  const elsewhere = await startHostileIssuer()
  t.teardown(() => elsewhere.close())
  const jku = `${elsewhere.issuer}/jwks`
  const token = await encrypt(await a.mint(), { ...usual, jku, x5u: jku })
  t.equal((await call({ token })).status, 200)
  t.strictSame(elsewhere.requests(), [])
})

void t.test('a token in five parts whose last is a signature is none', async (t) => {
  const { kid, privateKey } = keyFor(a, 'RS256')
  const token = rawToken({ alg: 'RS256', kid, typ: 'at+jwt' }, {}, signer('RS256', privateKey))
  assertInvalidToken(t, await call({ token: `a.b.${token}` }), 'five parts')
})

const pem = String(rsa.privateKey.export({ format: 'pem', type: 'pkcs8' }))

void t.test('wrong settings stop the start in one line that shows no key', async (t) => {
  const file = join(t.testdir({ key: pem }), 'key')
  const good = await createApp({ ...a.options, decryption: { privateKeyFile: file } })
  t.teardown(() => good.close())
  const wrong: [object, RegExp][] = [
    [
      { encryptedTokens: 'required' },
      /^encryptedTokens of .*: found "required" without decryption/
    ],
    [
      { ...options, encryptedTokens: true },
      /^encryptedTokens of .*: found true, allowed: off, opt/
    ],
    [{ decryption: {} }, /^decryption of .*: found no key, allowed: one of/],
    [
      { decryption: { privateKey: pem.slice(0, 200) } },
      /^decryption.privateKey of .*: found a key/
    ],
    [
      {
        decryption: options.decryption,
        encryptedTokens: 'optional',
        tokens: ['opaque'],
        introspection: { clientId: 'api', clientSecret: 'secret' }
      },
      /^encryptedTokens of .*: found "optional" with opaque tokens alone/
    ]
  ]
  for (const [more, message] of wrong)
    await t.rejects(createApp({ ...a.options, ...more }), { message })
  const issuers = Array.from({ length: 9 }, (_, index) => ({
    ...a.options,
    issuer: `https://issuer-${index}.example.com`,
    decryption: { privateKey: generateKeyPairSync('x25519').privateKey }
  }))
  await t.rejects(createApp({ issuers }), { message: /found a ninth key, allowed: 8 keys in all$/ })
})

void t.test('no line of the log holds a token that was sent', async (t) =>
  assertCleanLog(t, guarded)
)

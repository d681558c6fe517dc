import { generateKeyPairSync } from 'node:crypto'
import t from 'tap'
import { loadConfig } from '../../../src/config/load.ts'
import type { IssuerOptions } from '../../../src/issuer/issuer-options.ts'
import { createTrustedIssuers } from '../../../src/issuer/trusted-issuers.ts'
import { startTestIssuer } from '../../../src/testing.ts'

const issuer = 'https://id.example.com'
const audience = 'https://api.example.com'
const pair = generateKeyPairSync('ec', { namedCurve: 'P-256' })
const publicJwk = { ...pair.publicKey.export({ format: 'jwk' }), kid: 'a' }
const privateJwk = { ...pair.privateKey.export({ format: 'jwk' }), kid: 'a' }
const secret = 'bm9ib2R5LW1heS1zZWUtdGhpcw'
const jwks = { keys: [publicJwk] }
const client = { clientId: 'api', clientSecret: secret }

const files: Readonly<Record<string, string>> = {
  '/jwks': JSON.stringify(jwks),
  '/pem': `-----BEGIN PRIVATE KEY-----\n${secret}\n`,
  '/private': JSON.stringify({ keys: [privateJwk] }),
  '/one': JSON.stringify(privateJwk)
}

function readFile(path: string): string {
  const text = files[path]
  if (text === undefined) throw Object.assign(new Error(path), { code: 'ENOENT' })
  return text
}

function create(options: object) {
  const list = [{ issuer, audience, ...options }] as IssuerOptions[]
  return createTrustedIssuers(list, { prepare: () => () => true, readFile })
}

const bad: [string, object, RegExp][] = [
  ['both', { jwks, jwksFile: '/jwks' }, /^jwksFile of .*found a value beside jwks, .*one of the/],
  ['no object', { jwks: [publicJwk] }, /^jwks of .*found no list of keys, allowed: an object/],
  ['null', { jwks: null }, /^jwks of .*found no list of keys/],
  ['JWK-1: keys that are no list', { jwks: { keys: 'x' } }, /found no list of keys/],
  ['no key', { jwks: { keys: [] } }, /^jwks of .*found 0 keys, allowed: .*1 to 100/],
  [
    'too many keys',
    { jwks: { keys: Array.from({ length: 101 }, () => publicJwk) } },
    /found 101 keys/
  ],
  [
    'JWK-2: no signature key',
    { jwks: { keys: [{ ...publicJwk, use: 'enc' }, 5] } },
    /^jwks of .*found no usable key \(the first: its use is not sig\), allowed: a public signature/
  ],
  [
    'JWK-4: a point that is not on the curve',
    { jwks: { keys: [{ ...publicJwk, x: publicJwk.y }] } },
    /found no usable key \(the first: it can not be imported\)/
  ],
  [
    'a key for other algorithms',
    { jwks, algorithms: ['RS256'] },
    /^jwks of .*found no key for the accepted algorithms, but for ES256, allowed/
  ],
  [
    'JWK-3: a private key beside good ones',
    { jwks: { keys: [publicJwk, privateJwk] } },
    /^jwks of .*found a private or secret key \(keys\[1\], kid "a"\), allowed: public keys alone/
  ],
  [
    'JWK-3: a symmetric key',
    { jwks: { keys: [publicJwk, { kty: 'oct', k: secret }] } },
    /found a private or secret key \(keys\[1\], no kid\)/
  ],
  ['JWK-3: a private key in a file', { jwksFile: '/private' }, /^jwksFile of .*keys\[0\], kid "a"/],
  ['a single key in a file', { jwksFile: '/one' }, /^jwksFile of .*found no list of keys/],
  ['a file that is no JSON', { jwksFile: '/pem' }, /^jwksFile of .*found a file that is not JSON/],
  ['no such file', { jwksFile: '/none' }, /^jwksFile of .*found "\/none" \(ENOENT\)/],
  ['no path', { jwksFile: 5 }, /^jwksFile of .*found 5, allowed: the path of a file/],
  ['userinfo forward', { jwks, userinfo: 'forward' }, /^userinfo of .*"forward", .*claims, intro/],
  [
    'userinfo exchange',
    { jwks, userinfo: 'exchange', tokenExchange: client },
    /^userinfo of .*found "exchange", .*as jwks leaves no metadata/
  ],
  [
    'token exchange',
    { jwksFile: '/jwks', tokenExchange: client },
    /^tokenExchange of .*found a value, allowed: nothing, as jwksFile leaves no metadata/
  ],
  [
    'introspection at an unknown place',
    { jwks, tokens: ['jwt', 'opaque'], introspection: client },
    /^introspection.endpoint of .*found nothing, allowed: the URL to ask, as jwks leaves no/
  ]
]

for (const [name, options, message] of bad) {
  void t.test(`stops the start with one line: ${name}`, async (t) => {
    t.throws(() => create(options), { name: 'TypeError', message })
    try {
      create(options)
    } catch (error) {
      const { message, cause } = error as Error
      t.match(message, issuer, 'says which issuer')
      t.notMatch(`${message} ${String(cause)}`, secret)
      t.notMatch(`${message} ${String(cause)}`, privateJwk.d ?? '')
      t.notMatch(message, '\n')
    }
  })
}

void t.test('takes keys for opaque tokens, events and claims that need no metadata', async (t) => {
  const endpoint = `${issuer}/introspect`
  for (const options of [
    { jwks },
    { jwksFile: '/jwks' },
    { jwks, userinfo: 'off' },
    { jwks, preset: 'logto', issuer: 'https://tenant.logto.app/oidc' },
    { jwks, tokens: ['jwt', 'opaque'], introspection: { ...client, endpoint } },
    { jwks, userinfo: 'introspection', introspection: { ...client, endpoint } }
  ])
    t.equal(create(options).values().length, 1)
})

void t.test('META-7: published keys do not count for a moment beside static ones', async (t) => {
  const sound = await startTestIssuer({ algorithms: ['ES256'] })
  t.teardown(() => sound.close())
  const kid = sound.keys[0]?.kid
  const trusted = createTrustedIssuers([sound.options], { prepare: () => () => true })
  t.teardown(() => trusted.close())
  const find = () => trusted.get(sound.issuer)?.keySet.find('ES256', kid)
  await trusted.get(sound.issuer)?.keySet.refresh()
  t.ok(find())
  trusted.replace([{ ...sound.options, clockTolerance: 1 }])
  t.ok(find(), 'as among published ones')
  trusted.replace([{ ...sound.options, jwks }])
  t.notOk(find())
})

void t.test('the file of settings takes both, and no message shows what jwks holds', async (t) => {
  const entry = { issuer, audience }
  const load = (issuers: unknown) =>
    loadConfig({ LATCHKEY_CONFIG: '/x' }, () => JSON.stringify({ issuers }))
  const good = [{ ...entry, jwks }]
  t.same(load(good).issuers, good)
  t.same(load([{ ...entry, jwksFile: '/jwks' }]).issuers, [{ ...entry, jwksFile: '/jwks' }])
  for (const [issuers, message] of [
    [[{ ...entry, jwks: [privateJwk] }], /jwks: found a value that is not shown, .*with keys$/],
    [[{ ...entry, jwksFile: '' }], /jwksFile: found "", allowed: the path of a file/],
    [{ jwks: { keys: [privateJwk] } }, /issuers: found \{"jwks":"\*\*\*"\}/]
  ] as const)
    t.throws(() => load(issuers), { name: 'ConfigError', message })
})

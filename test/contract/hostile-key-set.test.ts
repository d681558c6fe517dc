import { generateKeyPairSync, type KeyObject } from 'node:crypto'
import t from 'tap'
import type { Test } from 'tap'
import { startTestIssuer } from '../../src/testing.ts'
import { type Api, startApi } from '../support/api.ts'
import * as hostile from '../support/hostile-issuer.ts'
import { hmacSigner, makeWeakKeys, rawToken, type Signer, signer } from '../support/raw-token.ts'

const audience = 'https://api.example.com'
const weak = makeWeakKeys()
const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 })
const ec = generateKeyPairSync('ec', { namedCurve: 'P-256' })
const p384 = generateKeyPairSync('ec', { namedCurve: 'P-384' })
const ed25519 = generateKeyPairSync('ed25519')

/** An API whose issuer serves these entries, and what mints tokens that any key may have signed. */
async function serve(t: Test, keys: unknown) {
  const issuer = await hostile.startHostileIssuer()
  t.teardown(() => issuer.close())
  const jwksUri = `${issuer.issuer}/jwks`
  issuer.on(
    '/.well-known/openid-configuration',
    hostile.json({ issuer: issuer.issuer, jwks_uri: jwksUri })
  )
  issuer.on('/jwks', hostile.json({ keys, 'an unknown member': 1 }))
  const mint = (kid: string | undefined, alg: string, sign: Signer): string => {
    const now = Math.floor(Date.now() / 1000)
    const claims = { iss: issuer.issuer, aud: audience, sub: 'ada', iat: now, exp: now + 600 }
    return rawToken({ alg, typ: 'at+jwt', kid }, claims, sign)
  }
  return { mint, api: await startApi(t, { issuer: issuer.issuer, audience }) }
}

function jwk({ publicKey }: { publicKey: KeyObject }, members: object = {}) {
  return { ...publicKey.export({ format: 'jwk' }), ...members }
}

async function isRefused(t: Test, { ask }: Api, token: string): Promise<void> {
  const { status, challenges } = await ask(token)
  t.equal(status, 401)
  t.match(challenges, [{ scheme: 'Bearer', params: { error: 'invalid_token' } }])
}

const byRsa = signer('RS256', rsa.privateKey)
const byEc = signer('ES256', ec.privateKey)
const secret = 'c2VjcmV0LXNlY3JldC1zZWNyZXQtc2VjcmV0'
const good = jwk(ed25519, { kid: 'good' })

const useless = {
  'JWK-1, GJ-13: null': { entry: null },
  'JWK-1: a number': { entry: 5 },
  'JWK-1: a list': { entry: [] },
  'JWK-1: an unknown type': { entry: { kty: 'AKP', kid: 'bad', alg: 'ML-DSA-44', pub: 'AAAA' } },
  'JWK-1: a type that is no text': { entry: { kty: { toString: 1 }, kid: 'bad' } },
  'JWK-1: an RSA key without n': {
    entry: jwk(rsa, { kid: 'bad', n: undefined }),
    token: ['RS256', byRsa]
  },
  'JWK-2, GJ-13: a key to encrypt': {
    entry: jwk(rsa, { kid: 'bad', use: 'enc' }),
    token: ['RS256', byRsa]
  },
  'JWK-2, GJ-13: a key whose key_ops lack verify': {
    entry: jwk(rsa, { kid: 'bad', key_ops: ['encrypt'] }),
    token: ['RS256', byRsa]
  },
  'JWK-3, JWS-8, JP-1: a symmetric key': {
    entry: { kty: 'oct', kid: 'bad', k: secret },
    token: ['HS256', hmacSigner(Buffer.from(secret, 'base64url'))]
  },
  'JWK-3: a private RSA key': {
    entry: { ...rsa.privateKey.export({ format: 'jwk' }), kid: 'bad' },
    token: ['RS256', byRsa]
  },
  'JWK-3: a private EC key': {
    entry: { ...ec.privateKey.export({ format: 'jwk' }), kid: 'bad' },
    token: ['ES256', byEc]
  },
  'JWK-4: a point off the curve': {
    entry: jwk(ec, { kid: 'bad', y: jwk(ec).x }),
    token: ['ES256', byEc]
  },
  'JWK-4: a coordinate cut short': {
    entry: jwk(ec, { kid: 'bad', x: jwk(ec).x?.slice(0, -2) }),
    token: ['ES256', byEc]
  },
  'JWA-1, JP-3, GJ-13: RSA of 1024 bits': {
    entry: { ...weak.rsa1024.publicJwk, kid: 'bad' },
    token: ['RS256', weak.rsa1024.signer]
  },
  'JWA-1: RSA of 1024 bits, for PS256': {
    entry: { ...weak.rsa1024.publicJwk, alg: 'PS256', kid: 'bad' },
    token: ['PS256', signer('PS256', weak.rsa1024.privateKey)]
  },
  'JWA-3, JP-1, JP-3: secp256k1': {
    entry: { ...weak.secp256k1.publicJwk, kid: 'bad' },
    token: ['ES256', weak.secp256k1.signer]
  },
  'JWA-3: P-384 for ES256': {
    entry: jwk(p384, { kid: 'bad', alg: 'ES256' }),
    token: ['ES256', signer('ES256', p384.privateKey)]
  },
  'JP-1: Ed448': {
    entry: { ...weak.ed448.publicJwk, kid: 'bad' },
    token: ['EdDSA', weak.ed448.signer]
  },
  'JP-3: X25519': {
    entry: { ...weak.x25519.publicJwk, kid: 'bad' },
    token: ['EdDSA', weak.x25519.signer]
  },
  'JWS-9: an RSA key that names an EC algorithm': {
    entry: jwk(rsa, { kid: 'bad', alg: 'ES256' }),
    token: ['RS256', byRsa]
  }
} as const satisfies Record<string, { entry: unknown; token?: readonly [string, Signer] }>

for (const [name, { entry, ...rest }] of Object.entries(useless)) {
  void t.test(`a set with ${name}: that one never verifies, the good one does`, async (t) => {
    const { mint, api } = await serve(t, [entry, good])
    const token = mint('good', 'EdDSA', signer('EdDSA', ed25519.privateKey))
    t.equal((await api.ask(token)).status, 200)
    const [alg, sign] = 'token' in rest ? rest.token : (['RS256', byRsa] as const)
    for (const kid of ['bad', undefined]) await isRefused(t, api, mint(kid, alg, sign))
    t.equal((await api.ask(token)).status, 200)
    const skipped = api.logged('entry of the key set is not used')
    t.ok(skipped.length > 0, 'and the log says that an entry is not used')
    t.notOk(
      api.log.some((line) => line.includes(secret)),
      'without its value'
    )
  })
}

void t.test('GJ-13: all of these in one set, and the good one last', async (t) => {
  const { mint, api } = await serve(t, [...Object.values(useless).map(({ entry }) => entry), good])
  t.equal((await api.ask(mint('good', 'EdDSA', signer('EdDSA', ed25519.privateKey)))).status, 200)
})

void t.test('JP-1: an Ed25519 key verifies by both names of its algorithm', async (t) => {
  const { mint, api } = await serve(t, [good])
  for (const alg of ['EdDSA', 'Ed25519']) {
    t.equal(
      (await api.ask(mint('good', alg, signer('EdDSA', ed25519.privateKey)))).status,
      200,
      alg
    )
  }
})

void t.test('JWS-14, GJ-14: an EC and an RSA key of one kid are told apart', async (t) => {
  const { mint, api } = await serve(t, [jwk(ec, { kid: 'k' }), jwk(rsa, { kid: 'k' })])
  t.equal((await api.ask(mint('k', 'RS256', byRsa))).status, 200)
  t.equal((await api.ask(mint('k', 'ES256', byEc))).status, 200)
  t.equal((await api.ask(mint(undefined, 'RS256', byRsa))).status, 200)
})

void t.test('JWS-13: of two keys that fit, a token without a kid has none', async (t) => {
  const other = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const { mint, api } = await serve(t, [jwk(ec, { kid: 'a' }), jwk(other, { kid: 'b' })])
  await isRefused(t, api, mint(undefined, 'ES256', byEc))
  t.equal((await api.ask(mint('a', 'ES256', byEc))).status, 200)
})

void t.test('JWS-9: the alg of a JWK binds it, PS256 or RS256', async (t) => {
  const { mint, api } = await serve(t, [jwk(rsa, { kid: 'k', alg: 'PS256' })])
  t.equal((await api.ask(mint('k', 'PS256', signer('PS256', rsa.privateKey)))).status, 200)
  await isRefused(t, api, mint('k', 'RS256', byRsa))
})

for (const [name, keys] of Object.entries<unknown>({
  'JWK-1, GJ-13: keys a text': 'x',
  'JWK-1: keys an object': { 0: good },
  'JWK-1: no keys': undefined,
  'an empty set': [],
  'nothing but useless entries': Object.values(useless).map(({ entry }) => entry),
  'META-10, GJ-12: a good key in more than a MiB': [{ ...good, pad: 'x'.repeat(1_100_000) }],
  'META-10: more than 100 keys': Array.from({ length: 101 }, (_, index) => ({
    ...good,
    kid: `k${index}`
  }))
})) {
  void t.test(`${name} is an outage: 503, not 401`, async (t) => {
    const { mint, api } = await serve(t, keys)
    const { status, headers } = await api.ask(
      mint('good', 'EdDSA', signer('EdDSA', ed25519.privateKey))
    )
    t.equal(status, 503)
    t.match(headers.get('retry-after'), /^[1-9]\d?$/)
    t.notOk(api.app.latchkey.isReady())
  })
}

void t.test('META-10: a hundred RSA keys are fine, and each verifies', async (t) => {
  const fillers = Array.from({ length: 99 }, (_, index) => jwk(rsa, { kid: `k${index}` }))
  const { mint, api } = await serve(t, [...fillers, good])
  for (const kid of ['k0', 'k50', 'k98']) {
    t.equal((await api.ask(mint(kid, 'RS256', byRsa))).status, 200, kid)
  }
  t.equal((await api.ask(mint('good', 'EdDSA', signer('EdDSA', ed25519.privateKey)))).status, 200)
})

void t.test('JWK-1: an entry nested 100,000 deep is skipped', async (t) => {
  const issuer = await hostile.startHostileIssuer()
  t.teardown(() => issuer.close())
  const sound = await startTestIssuer({ algorithms: ['ES256'] })
  t.teardown(() => sound.close())
  issuer.impersonate(sound)
  issuer.on('/jwks', (_request, response) => {
    const deep = '['.repeat(100_000) + ']'.repeat(100_000)
    response.end(`{"keys":[${deep},${JSON.stringify(sound.jwks.keys[0])}]}`)
  })
  const { ask } = await startApi(t, { issuer: issuer.issuer, audience })
  t.equal((await ask(await sound.mint({ iss: issuer.issuer }))).status, 200)
})

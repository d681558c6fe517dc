import { generateKeyPairSync } from 'node:crypto'
import type { Test } from 'tap'
import t from 'tap'
import { exportJWK, type JWK } from 'jose'
import { startTestIssuer } from '../../src/testing.ts'
import { assertCleanLog } from '../support/guarded-app.ts'
import { keyFor } from '../support/malformed-tokens.ts'
import { assertInvalidToken, assertUnavailable } from '../support/outcomes.ts'
import { hmacSigner, makeWeakKeys, rawToken, signer } from '../support/raw-token.ts'
import { serveKeySet, type ServedKeys } from '../support/served-keys.ts'

const sound = await startTestIssuer()
t.teardown(() => sound.close())
const rsa = keyFor(sound, 'RS256').publicJwk
const ec = keyFor(sound, 'ES256').publicJwk
const okp = keyFor(sound, 'EdDSA').publicJwk
const weak = makeWeakKeys()
const octet = { kty: 'oct', kid: 'octet', k: Buffer.from('secret'.repeat(8)).toString('base64url') }

const everyApp: ServedKeys[] = []

async function serveSet(t: Test, keySet: unknown): Promise<ServedKeys> {
  const served = await serveKeySet(t, sound, keySet)
  everyApp.push(served)
  return served
}

function serveKeys(t: Test, keys: readonly unknown[]): Promise<ServedKeys> {
  return serveSet(t, { keys })
}

/** A token of the served issuer, signed with the sound issuer's key for the algorithm. */
function mint({ issuer }: ServedKeys, alg: Parameters<typeof keyFor>[1], header: object = {}) {
  return sound.mint({ iss: issuer }, { alg, header: { ...header } })
}

async function statusOf(served: ServedKeys, ...minted: [Parameters<typeof keyFor>[1], object?]) {
  return (await served.call({ token: await mint(served, ...minted) })).status
}

for (const [kid, key] of Object.entries(weak))
  void t.test(
    `JWA-1, JWA-3, ED-2, ED-4, FJ-6: a published ${kid} key verifies nothing`,
    async (t) => {
      const served = await serveKeys(t, [key.publicJwk, rsa])
      const claims = { iss: served.issuer, aud: sound.audience, sub: 'ada', exp: Date.now() }
      const header = { alg: key.alg, kid, typ: 'at+jwt' }
      const token = rawToken(header, claims, key.signer)
      assertInvalidToken(t, await served.call({ token }), kid)
      t.equal(await statusOf(served, 'RS256'), 200, 'the good key beside it works')
      assertSkipped(t, served, kid)
    }
  )

const severalBad: Record<string, unknown> = {
  'an entry that is null': null,
  'an entry that is text': 'x',
  'an octet key': octet,
  'an X25519 key': weak.x25519.publicJwk,
  'an RSA key of 1024 bits': weak.rsa1024.publicJwk,
  'a key of an unknown type': { kty: 'XYZ', kid: 'x' },
  'a key without a type': { kid: 'x', n: rsa['n'], e: rsa['e'] },
  'an RSA key without a modulus': { kty: 'RSA', kid: 'x', e: 'AQAB' },
  'an EC key without y': { ...ec, y: undefined },
  'a kid that is a number': { ...ec, kid: 5 },
  'a type named constructor': { kty: 'constructor', crv: 'prototype', kid: 'x' }
}
void t.test('JWK-1: unusable entries and unknown members are skipped', async (t) => {
  const keys = [...Object.values(severalBad), { ...rsa, colour: 'red' }]
  const served = await serveSet(t, { colour: 'red', keys })
  t.equal(await statusOf(served, 'RS256'), 200)
})

const unusableSets: Record<string, unknown> = {
  'keys is text': { keys: 'x' },
  'keys is an object': { keys: { 0: rsa } },
  'there is no keys': { jwks: [rsa] },
  'the set is an array': [rsa],
  'the set is null': null,
  'the set is empty': { keys: [] },
  'no entry is usable': { keys: Object.values(severalBad) }
}
for (const [name, keySet] of Object.entries(unusableSets))
  void t.test(`JWK-1: if ${name}, no token can be judged`, async (t) => {
    const served = await serveSet(t, keySet)
    assertUnavailable(t, await served.call({ token: await mint(served, 'RS256') }), name)
  })

const notForSignatures: Record<string, object> = {
  'use enc': { use: 'enc' },
  'use in capitals': { use: 'SIG' },
  'key_ops without verify': { key_ops: ['encrypt'] },
  'empty key_ops': { key_ops: [] },
  'key_ops that is text': { key_ops: 'verify' },
  'key_ops without verify beside use sig': { use: 'sig', key_ops: ['sign'] }
}
for (const [name, members] of Object.entries(notForSignatures))
  void t.test(`JWK-2: a key with ${name} verifies nothing`, async (t) => {
    const served = await serveKeys(t, [{ ...rsa, ...members }, ec])
    assertInvalidToken(t, await served.call({ token: await mint(served, 'RS256') }), name)
    t.equal(await statusOf(served, 'ES256'), 200)
  })

void t.test('JWK-2: a key without use, or with key_ops verify, is for signatures', async (t) => {
  const served = await serveKeys(t, [
    { ...rsa, use: undefined },
    { ...ec, key_ops: ['verify'] }
  ])
  t.equal(await statusOf(served, 'RS256'), 200)
  t.equal(await statusOf(served, 'ES256'), 200)
})

void t.test('JWK-3, JWS-8: an octet key is no secret, and its value is not logged', async (t) => {
  const served = await serveKeys(t, [octet, rsa])
  const { issuer: iss } = served
  const claims = { iss, aud: sound.audience, sub: 'ada', exp: Math.ceil(Date.now() / 1000) + 60 }
  const secret = Buffer.from(octet.k, 'base64url')
  const token = rawToken({ alg: 'HS256', kid: 'octet', typ: 'at+jwt' }, claims, hmacSigner(secret))
  assertInvalidToken(t, await served.call({ token }), 'HS256')
  t.equal(await statusOf(served, 'RS256'), 200)
  assertSkipped(t, served, 'octet')
  t.notOk(served.log.some((line) => line.includes(octet.k)))
})

void t.test('JWK-3, ED-1: a private key in a set is not used, and not logged', async (t) => {
  const privateJwk = async (alg: 'EdDSA' | 'RS256') => {
    const { privateKey, kid } = keyFor(sound, alg)
    return { ...(await exportJWK(privateKey)), kid }
  }
  const [edKey, rsaKey] = [await privateJwk('EdDSA'), await privateJwk('RS256')]
  const served = await serveKeys(t, [edKey, rsaKey, ec])
  t.equal(await statusOf(served, 'ES256'), 200)
  for (const alg of ['EdDSA', 'RS256'] as const)
    assertInvalidToken(t, await served.call({ token: await mint(served, alg) }), alg)
  t.notOk(served.log.some((line) => line.includes(String(edKey.d))))
})

const badCoordinates: Record<string, Partial<JWK>> = {
  'a point off the curve': { x: Buffer.alloc(32, 1).toString('base64url') },
  'a short coordinate': { x: Buffer.alloc(31, 1).toString('base64url') },
  'a long coordinate': {
    y: Buffer.concat([Buffer.alloc(1), Buffer.from(ec['y'] ?? '', 'base64url')]).toString(
      'base64url'
    )
  },
  'the curve of another key': { crv: 'P-384' },
  'no point at all': { x: '', y: '' }
}
for (const [name, members] of Object.entries(badCoordinates))
  void t.test(`JWK-4: an EC key with ${name} is skipped`, async (t) => {
    const served = await serveKeys(t, [{ ...ec, ...members }, rsa])
    assertInvalidToken(t, await served.call({ token: await mint(served, 'ES256') }), name)
    t.equal(await statusOf(served, 'RS256'), 200)
    assertSkipped(t, served, String(ec.kid))
  })

void t.test('JWS-9, BCP-1: a key with an alg verifies nothing else', async (t) => {
  const served = await serveKeys(t, [{ ...rsa, alg: 'PS256' }])
  t.equal(await statusOf(served, 'PS256'), 200)
  for (const alg of ['RS256', 'PS384', 'RS512'] as const)
    assertInvalidToken(t, await served.call({ token: await mint(served, alg) }), alg)
})

void t.test('JWS-9, FJ-5: a header with the kid of a key of another type is refused', async (t) => {
  const served = await serveKeys(t, [rsa, ec, okp])
  for (const [alg, kid] of [
    ['RS256', ec.kid],
    ['ES256', rsa.kid],
    ['EdDSA', ec.kid],
    ['ES256', okp.kid]
  ] as const)
    assertInvalidToken(t, await served.call({ token: await mint(served, alg, { kid }) }), alg)
})

for (const alg of ['EdDSA', 'Ed25519', undefined])
  void t.test(`ED-1, ED-3: a key with alg ${alg} fits both names of the algorithm`, async (t) => {
    const served = await serveKeys(t, [{ ...okp, alg }])
    t.equal(await statusOf(served, 'EdDSA'), 200)
    t.equal(await statusOf(served, 'Ed25519'), 200)
  })

void t.test('JWS-13: without kid a token is good if exactly one key fits', async (t) => {
  const { publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
  const second = { ...(await exportJWK(publicKey)), kid: 'second' }
  const kid = undefined
  const one = await serveKeys(t, [rsa, ec])
  t.equal(await statusOf(one, 'RS256', { kid }), 200)
  t.equal(await statusOf(one, 'ES256', { kid }), 200)
  const two = await serveKeys(t, [rsa, second, ec])
  assertInvalidToken(t, await two.call({ token: await mint(two, 'RS256', { kid }) }), 'two fit')
  t.equal(await statusOf(two, 'ES256', { kid }), 200)
  t.equal(await statusOf(two, 'RS256'), 200)
  const told = await serveKeys(t, [rsa, { ...second, alg: 'PS256' }])
  t.equal(await statusOf(told, 'RS256', { kid }), 200, 'told apart by alg')
})

void t.test('JWS-13: a key without kid serves tokens without kid only', async (t) => {
  const served = await serveKeys(t, [{ ...rsa, kid: undefined }])
  t.equal(await statusOf(served, 'RS256', { kid: undefined }), 200)
  assertInvalidToken(t, await served.call({ token: await mint(served, 'RS256') }), 'with kid')
})

void t.test('JWS-14: keys that share a kid are told apart by type and alg', async (t) => {
  const kid = 'shared'
  const keys = [rsa, ec, okp].map((jwk) => ({ ...jwk, kid }))
  const served = await serveKeys(t, [{ ...rsa, kid, use: 'enc' }, ...keys])
  for (const alg of ['RS256', 'PS512', 'ES256', 'EdDSA', 'Ed25519'] as const)
    t.equal(await statusOf(served, alg, { kid }), 200, alg)
})

void t.test('JWS-14: two keys that fit a kid alike are not guessed between', async (t) => {
  const { publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
  const twin = { ...(await exportJWK(publicKey)), kid: rsa.kid }
  const served = await serveKeys(t, [twin, rsa])
  assertInvalidToken(t, await served.call({ token: await mint(served, 'RS256') }), 'twins')
})

void t.test('JWK-1: a good signature of a key that is not in the set is refused', async (t) => {
  const served = await serveKeys(t, [ec])
  const header = { alg: 'RS256', kid: 'gone', typ: 'at+jwt' }
  const sign = signer('RS256', keyFor(sound, 'RS256').privateKey)
  const claims = { iss: served.issuer, aud: sound.audience, sub: 'ada', exp: 4e9 }
  assertInvalidToken(t, await served.call({ token: rawToken(header, claims, sign) }), 'gone')
  t.ok(served.downloads() <= 2)
})

void t.test('no line of the log holds a token that was sent', async (t) => {
  for (const app of everyApp) assertCleanLog(t, app)
})

function assertSkipped(t: Test, { log }: ServedKeys, kid: string): void {
  const warnings = log.filter((line) => line.includes('is not used') && line.includes(`"${kid}"`))
  t.ok(warnings.length > 0, `${kid}: a warning`)
}

import { generateKeyPairSync } from 'node:crypto'
import t from 'tap'
import { importJwk, UnusableKeyError } from '../../../src/issuer/signing-key.ts'
import { makeWeakKeys } from '../../support/raw-token.ts'

const rsa = publicJwk(generateKeyPairSync('rsa', { modulusLength: 2048 }))
const ec = publicJwk(generateKeyPairSync('ec', { namedCurve: 'P-256' }))
const p384 = publicJwk(generateKeyPairSync('ec', { namedCurve: 'P-384' }))
const p521 = publicJwk(generateKeyPairSync('ec', { namedCurve: 'P-521' }))
const ed25519 = publicJwk(generateKeyPairSync('ed25519'))
const weak = makeWeakKeys()

const rsaAlgorithms = ['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512']
const edAlgorithms = ['EdDSA', 'Ed25519']

for (const [name, jwk, algorithms] of [
  ['an RSA key', rsa, rsaAlgorithms],
  ['JWS-9: an RSA key that names its alg', { ...rsa, alg: 'PS256' }, ['PS256']],
  ['an RSA key with a needless crv', { ...rsa, crv: 'P-256' }, rsaAlgorithms],
  ['JWA-3: P-256', ec, ['ES256']],
  ['JWA-3: P-384', p384, ['ES384']],
  ['JWA-3: P-521', p521, ['ES512']],
  ['JP-1: Ed25519', ed25519, edAlgorithms],
  ['Ed25519 by its old name', { ...ed25519, alg: 'EdDSA' }, edAlgorithms],
  ['JWK-2: use sig', { ...ec, use: 'sig' }, ['ES256']],
  ['JWK-2: key_ops with verify', { ...ec, key_ops: ['verify'] }, ['ES256']],
  ['JWK-1: unknown members', { ...ec, x5t: 'x', 'https://example.com': {} }, ['ES256']]
] as const) {
  void t.test(`takes ${name}`, async (t) => {
    t.match(importJwk({ ...jwk, kid: 'k' }), { keyId: 'k', algorithms })
    t.equal(importJwk(jwk).keyId, undefined)
  })
}

for (const [name, jwk] of Object.entries<unknown>({
  'JWK-1: null': null,
  'JWK-1: text': 'RSA',
  'JWK-1: a list': [rsa],
  'JWK-1: no kty': { ...rsa, kty: undefined },
  'JWK-1: an unknown kty': { ...rsa, kty: 'AKP' },
  'JWK-1: a kty that is no text': { ...rsa, kty: { toString: 1, valueOf: 1 } },
  'JWK-1: a kty in a list': { ...ec, kty: ['EC'] },
  'JWK-1: a crv that is no text': { ...ec, crv: { toString: 1 } },
  'JWK-1: a kty of Object.prototype': { ...rsa, kty: 'constructor' },
  'JWK-1: an RSA key without n': { ...rsa, n: undefined },
  'JWK-1: an RSA key without e': { ...rsa, e: undefined },
  'JWK-1: an RSA key whose n is a number': { ...rsa, n: 5 },
  'JWK-1: an EC key without y': { ...ec, y: undefined },
  'JWK-1: an Ed25519 key cut short': { ...ed25519, x: 'AAAA' },
  'JWK-2: use enc': { ...rsa, use: 'enc' },
  'JWK-2: key_ops without verify': { ...rsa, key_ops: ['encrypt'] },
  'JWK-2: key_ops a text': { ...rsa, key_ops: 'verify' },
  'JWK-3: oct': { kty: 'oct', k: 'c2VjcmV0' },
  'JWK-3: oct named as HS256': { kty: 'oct', k: 'c2VjcmV0', alg: 'HS256' },
  'JWK-3: a private RSA key': { ...rsa, d: 'AQAB' },
  'JWK-3: a private EC key': { ...ec, d: ec.x },
  'JWK-3: prime factors': { ...rsa, p: 'AQAB', q: 'AQAB' },
  'JWK-4: a point off the curve': { ...ec, y: ec.x },
  'JWK-4: a short coordinate': { ...ec, x: String(ec.x).slice(0, 40) },
  'JWK-4: a coordinate with a leading zero octet': { ...ec, x: leadingZero(String(ec.x)) },
  'JWK-4: coordinates of another curve': { ...ec, crv: 'P-384' },
  'JWA-1, JP-3: RSA of 1024 bits': weak.rsa1024.publicJwk,
  'RSA of 16384 bits': { kty: 'RSA', e: 'AQAB', n: Buffer.alloc(2048, 255).toString('base64url') },
  'JWA-3, JP-1, JP-3: secp256k1': weak.secp256k1.publicJwk,
  'JWA-3: ES256 on P-384': { ...p384, alg: 'ES256' },
  'JWS-9: alg of another type': { ...rsa, alg: 'ES256' },
  'JWS-8: alg HS256': { ...rsa, alg: 'HS256' },
  'JWS-9: an encryption alg': { ...rsa, alg: 'RSA-OAEP' },
  'ED-2, JP-3: X25519': weak.x25519.publicJwk,
  'ED-4, JP-1: Ed448': weak.ed448.publicJwk,
  'JWS-12: kid a number': { ...rsa, kid: 5 },
  'JWS-12: kid empty': { ...rsa, kid: '' },
  'JWS-12: kid of 257 characters': { ...rsa, kid: 'k'.repeat(257) },
  'GJ-14: kid a lone surrogate': { ...rsa, kid: '\uD800' }
})) {
  void t.test(`leaves out ${name}`, async (t) => {
    // as it comes from the wire
    t.throws(() => importJwk(JSON.parse(JSON.stringify(jwk))), UnusableKeyError)
  })
}

function publicJwk({ publicKey }: ReturnType<typeof generateKeyPairSync>) {
  return publicKey.export({ format: 'jwk' })
}

function leadingZero(coordinate: string): string {
  const octets = [Buffer.alloc(1), Buffer.from(coordinate, 'base64url')]
  return Buffer.concat(octets).toString('base64url')
}

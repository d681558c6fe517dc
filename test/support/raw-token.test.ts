import t from 'tap'
import type { Test } from 'tap'
import { createLocalJWKSet, decodeJwt, decodeProtectedHeader, jwtVerify } from 'jose'
import { createPublicKey, verify } from 'node:crypto'
import { startTestIssuer } from '../../src/testing.ts'
import type { TestAlgorithm, TestIssuer } from '../../src/testing.ts'
import { testAlgorithms } from '../../src/testing/keys.ts'
import { malformedTokens, repeatedMembers } from './malformed-tokens.ts'
import { makeWeakKeys, rawToken, signer } from './raw-token.ts'

async function start(t: Test): Promise<TestIssuer> {
  const issuer = await startTestIssuer()
  t.teardown(() => issuer.close())
  return issuer
}

function sign(issuer: TestIssuer, alg: TestAlgorithm): string {
  const key = issuer.keys.find(({ algorithms }) => algorithms.includes(alg))
  if (!key) throw new TypeError(`No key for ${alg}`)
  return rawToken({ alg, kid: key.kid }, { sub: 'ada' }, signer(alg, key.privateKey))
}

void t.test(
  'a well-formed token made by hand is good for jose, with every algorithm',
  async (t) => {
    const issuer = await start(t)
    for (const alg of testAlgorithms) {
      const { payload } = await jwtVerify(sign(issuer, alg), createLocalJWKSet(issuer.jwks))
      t.equal(payload.sub, 'ada', alg)
    }
  }
)

void t.test(
  'malformed tokens are all different, and an independent verifier refuses them',
  async (t) => {
    const issuer = await start(t)
    const tokens = await malformedTokens(issuer)
    const different = new Set(Object.values(tokens))
    t.equal(different.size, Object.keys(tokens).length)
    t.strictSame(await acceptedByJose(issuer, tokens), [
      'JWS-2: padding after the signature',
      'B64-2: b64 false without crit',
      'B64-2: b64 true',
      'B64-2: b64 true without crit'
    ])
  }
)

void t.test('repeated members: the last one counts for JSON.parse', async (t) => {
  const issuer = await start(t)
  const tokens = await repeatedMembers(issuer)
  const accepted = ['alg: sound one last', 'sub: sound one last', 'sub: sound one first']
  t.strictSame(await acceptedByJose(issuer, tokens), accepted)
  t.equal(decodeJwt(tokens['sub: sound one last'] ?? '').sub, 'ada')
  t.equal(decodeJwt(tokens['sub: sound one first'] ?? '').sub, 'mallory')
})

void t.test('weak keys do sign: only the kind of key is wrong', async (t) => {
  const { x25519, ...others } = makeWeakKeys()
  for (const [kid, key] of Object.entries(others)) {
    const token = rawToken({ alg: key.alg, kid }, { sub: 'ada' }, key.signer)
    t.strictSame(decodeProtectedHeader(token), { alg: key.alg, kid })
    const dot = token.lastIndexOf('.')
    const hash = kid === 'ed448' ? null : 'sha256'
    const publicKey = createPublicKey(key.privateKey)
    const signature = Buffer.from(token.slice(dot + 1), 'base64url')
    const options = { key: publicKey, dsaEncoding: 'ieee-p1363' } as const
    t.ok(verify(hash, Buffer.from(token.slice(0, dot)), options, signature), kid)
    t.equal(key.publicJwk.kid, kid)
  }
  t.match(x25519.publicJwk, { kty: 'OKP', crv: 'X25519' })
  t.equal(x25519.signer(Buffer.from('x')).length, 64)
})

async function acceptedByJose(issuer: TestIssuer, tokens: Record<string, string>) {
  const keySet = createLocalJWKSet(issuer.jwks)
  const accepted: string[] = []
  for (const [name, token] of Object.entries(tokens))
    await jwtVerify(token, keySet, { ...issuer.options, typ: 'at+jwt' }).then(
      () => accepted.push(name),
      () => undefined
    )
  return accepted
}

import { createPublicKey } from 'node:crypto'
import { mock } from 'node:test'
import t from 'tap'
import { createSignatureCheck } from '../../plugins/signature-check.ts'
import { startTestIssuer } from '../../src/testing.ts'
import { assertCleanLog, startGuardedApp } from '../support/guarded-app.ts'
import { keyFor } from '../support/malformed-tokens.ts'
import { assertInvalidRequest, assertInvalidToken } from '../support/outcomes.ts'
import { derSigner, rawToken, type Signer, unsigned } from '../support/raw-token.ts'

// Traps of fast-jwt, @fastify/jwt and Fastify that are not also a rule: those stand with their rule.

const issuer = await startTestIssuer()
t.teardown(() => issuer.close())
const guarded = await startGuardedApp(t, issuer.options)
const { call } = guarded
const claims = {
  iss: issuer.issuer,
  aud: issuer.audience,
  sub: 'ada',
  exp: Math.floor(Date.now() / 1000) + 600
}

void t.test('FJ-5: an EC key does not verify under the name of an RSA algorithm', async (t) => {
  const { kid, privateKey } = keyFor(issuer, 'ES256')
  for (const alg of ['RS256', 'ES384', 'PS256'] as const) {
    const token = rawToken({ alg, kid, typ: 'at+jwt' }, claims, derSigner('ES256', privateKey))
    assertInvalidToken(t, await call({ token }), alg)
  }
})

void t.test('FJ-12, FW-3: a key is written as PEM once, and not for each token', async (t) => {
  const { privateKey, kid: keyId } = keyFor(issuer, 'RS256')
  const keyObject = createPublicKey(privateKey)
  const { mock: exports } = mock.method(keyObject, 'export')
  const check = createSignatureCheck({
    keyId,
    issuer: undefined,
    algorithms: ['RS256', 'PS256'],
    keyObject
  })
  for (const alg of ['RS256', 'PS256', 'RS256'] as const)
    t.ok(check(await issuer.mint({}, { alg }), alg))
  t.equal(exports.callCount(), 1)
})

void t.test('FW-5: the header is seen where the key is chosen', async (t) => {
  for (const alg of ['RS256', 'ES256', 'EdDSA'] as const) {
    const { kid } = keyFor(issuer, alg)
    t.equal((await call({ token: await issuer.mint({}, { alg }) })).status, 200)
    const unknown = await issuer.mint({}, { alg, header: { kid: `${kid}x` } })
    assertInvalidToken(t, await call({ token: unknown }), alg)
  }
})

const badLength: Signer = () => new Uint8Array(5)
const withoutSignature: Record<string, [header: object, payload: object | number | null, Signer]> =
  {
    'payload []': [{ alg: 'RS256' }, [], badLength],
    'payload null': [{ alg: 'RS256' }, null, badLength],
    'no alg': [{}, claims, badLength],
    'an unknown alg': [{ alg: 'XX256' }, claims, badLength],
    'alg a number': [{ alg: 5 }, claims, badLength],
    HS256: [{ alg: 'HS256' }, claims, badLength],
    'an unknown kid': [{ alg: 'RS256', kid: 'unknown' }, claims, badLength],
    'no kid': [{ alg: 'RS256', kid: undefined }, claims, badLength],
    'a lone surrogate': [{ alg: 'RS256', kid: '\uDC00' }, claims, badLength],
    'ES256 with a signature of bad length': [
      { alg: 'ES256', kid: keyFor(issuer, 'ES256').kid },
      claims,
      badLength
    ],
    'EdDSA with a signature of bad length': [
      { alg: 'EdDSA', kid: keyFor(issuer, 'EdDSA').kid },
      claims,
      badLength
    ],
    'Ed25519 with a signature of bad length': [
      { alg: 'Ed25519', kid: keyFor(issuer, 'EdDSA').kid },
      claims,
      badLength
    ],
    'no signature at all': [{ alg: 'RS256' }, claims, unsigned]
  }
for (const [name, [header, payload, sign]] of Object.entries(withoutSignature))
  void t.test(`FW-1: ${name} is a bad token, not our failure`, async (t) => {
    const members = { kid: keyFor(issuer, 'RS256').kid, typ: 'at+jwt', ...header }
    assertInvalidToken(t, await call({ token: rawToken(members, payload, sign) }), name)
  })

void t.test('FW-1: claims of wrong types, signed, are a bad token, not our failure', async (t) => {
  for (const members of [{ exp: '5' }, { nbf: {} }, { aud: 5 }, { iss: [] }, { sub: [] }]) {
    const token = await issuer.mint({ ...members })
    assertInvalidToken(t, await call({ token }), JSON.stringify(members))
  }
})

void t.test('FW-3: the rules of a route do not touch those of the token', async (t) => {
  for (const path of ['/whoami', '/documents', '/either', '/both']) {
    const token = await issuer.mint({ aud: 'x', scope: 'documents:read a b c d' })
    assertInvalidToken(t, await call({ path, token }), path)
  }
})

void t.test('FY-1: a second Authorization line does not vanish', async (t) => {
  const [good, bad] = [await issuer.mint(), await issuer.mint({ exp: 1 })]
  for (const tokens of [
    [good, bad],
    [bad, good],
    [good, good]
  ]) {
    const lines = tokens.flatMap((token) => ['Authorization', `Bearer ${token}`])
    assertInvalidRequest(t, await call({ lines }), 'two lines')
  }
})

void t.test('FY-6: neither header nor query of a request leaves a token in the log', async (t) => {
  const token = await issuer.mint()
  await call({ token })
  await call({ path: `/ping?access_token=${token}` })
  assertCleanLog(t, guarded)
})

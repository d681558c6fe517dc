import { generateKeyPairSync, type KeyObject } from 'node:crypto'
import t from 'tap'
import { CompactEncrypt, exportJWK, importJWK } from 'jose'
import { startTestIssuer } from '../../src/testing.ts'
import { testAlgorithms } from '../../src/testing/keys.ts'
import { assertCleanLog, startGuardedApp } from '../support/guarded-app.ts'
import { startHostileIssuer } from '../support/hostile-issuer.ts'
import { keyFor, malformedTokens, repeatedMembers } from '../support/malformed-tokens.ts'
import { assertInvalidToken } from '../support/outcomes.ts'
import {
  derSigner,
  encode,
  pssSigner,
  rawToken,
  type Signer,
  signer
} from '../support/raw-token.ts'

const issuer = await startTestIssuer()
t.teardown(() => issuer.close())
const guarded = await startGuardedApp(t, issuer.options)
const { call } = guarded
const header = (members: object) => issuer.mint({}, { header: { ...members } })

for (const [name, token] of Object.entries(await malformedTokens(issuer)))
  void t.test(`${name}: refused`, async (t) => {
    assertInvalidToken(t, await call({ token }), name)
  })

const otherForms: Record<string, ['ES256' | 'ES512' | 'PS256', (key: KeyObject) => Signer]> = {
  'JWA-2: ES256 as DER': ['ES256', (key) => derSigner('ES256', key)],
  'JWA-2: ES512 as DER': ['ES512', (key) => derSigner('ES512', key)],
  'JWA-4: PS256 without salt': ['PS256', (key) => pssSigner('PS256', key, 0)],
  'JWA-4: PS256 with a long salt': ['PS256', (key) => pssSigner('PS256', key, 64)]
}
for (const [name, [alg, otherSigner]] of Object.entries(otherForms))
  void t.test(`${name}: refused as well behind a header that is known by now`, async (t) => {
    const { kid, privateKey } = keyFor(issuer, alg)
    const { issuer: iss, audience: aud } = issuer
    const ask = (sub: string, sign: Signer) => {
      const claims = { iss, aud, sub, exp: Math.floor(Date.now() / 1000) + 600 }
      return call({ token: rawToken({ alg, kid, typ: 'at+jwt' }, claims, sign) })
    }
    for (const sub of ['ada', 'grace'])
      t.equal((await ask(sub, signer(alg, privateKey))).status, 200)
    assertInvalidToken(t, await ask('mallory', otherSigner(privateKey)), name)
  })

for (const alg of testAlgorithms)
  void t.test(
    `${alg.startsWith('Ed') ? 'ED-1, ED-3' : 'JWA-5, FW-6'}: ${alg} is verified`,
    async (t) => {
      t.equal((await call({ token: await issuer.mint({}, { alg }) })).status, 200)
      const { privateKey: key } = generateKeyPairSync('rsa', { modulusLength: 2048 })
      const forged = alg.startsWith('E') ? undefined : await issuer.mint({}, { alg, key })
      if (forged !== undefined) assertInvalidToken(t, await call({ token: forged }), 'forged')
    }
  )

for (const space of [' ', '\t', '\n', '\r'])
  void t.test(
    `JWT-1: white space ${JSON.stringify(space)} around the JSON: accepted`,
    async (t) => {
      const { kid, privateKey } = keyFor(issuer, 'ES256')
      const { issuer: iss, audience: aud } = issuer
      const claims = { iss, aud, sub: 'ada', exp: Math.floor(Date.now() / 1000) + 600 }
      const spaced = (part: object) => `${space}${JSON.stringify(part)}${space}`
      const header = spaced({ alg: 'ES256', kid, typ: 'at+jwt' })
      const token = rawToken(header, spaced(claims), signer('ES256', privateKey))
      t.equal((await call({ token })).status, 200)
    }
  )

const shapeless = ['.', '..', '...', 'a.b.c', '{}', '{}.{}.{}', '"a"."b"."c"', 'null', '=.=.=']
void t.test('JWS-1, BCP-7: whatever is no token is refused', async (t) => {
  const [head = '', body = '', signature = ''] = (await issuer.mint()).split('.')
  const tokens = [
    ...shapeless,
    `${head}.${body}.`,
    `.${body}.${signature}`,
    `${head}.${body}.${signature}.`,
    `.${head}.${body}.${signature}`,
    'x'.repeat(10_000),
    '.'.repeat(10_000)
  ]
  for (const token of tokens) assertInvalidToken(t, await call({ token }), token.slice(0, 20))
})

for (const alg of ['RS256', 'ES256', 'ES384', 'ES512', 'EdDSA', 'Ed25519'] as const)
  void t.test(`JWS-2: one character more in a part of an ${alg} token`, async (t) => {
    const parts = (await issuer.mint({}, { alg })).split('.')
    for (const index of parts.keys())
      for (const extra of ['A', 'AA', 'AAA', 'AAAA', '-']) {
        const token = parts.with(index, parts[index] + extra).join('.')
        assertInvalidToken(t, await call({ token }), `part ${index} with ${extra}`)
      }
  })

void t.test('JWS-2: a part of an impossible length is refused, even if it is signed', async (t) => {
  const sign = signer('RS256', keyFor(issuer, 'RS256').privateKey)
  const [header = '', claims = ''] = (await issuer.mint()).split('.')
  for (const input of [`${lengthen(header)}.${claims}`, `${header}.${lengthen(claims)}`]) {
    const token = `${input}.${encode(sign(Buffer.from(input)))}`
    assertInvalidToken(t, await call({ token }), '4n + 1 characters')
  }
})

void t.test('JWS-4: of two members with one name the last one counts, everywhere', async (t) => {
  const tokens = await repeatedMembers(issuer)
  const outcome = async (name: keyof typeof tokens) => {
    const { status, text } = await call({ token: tokens[name] ?? '' })
    return status === 200 ? (JSON.parse(text) as { sub: string }).sub : status
  }
  t.equal(await outcome('alg: sound one last'), 'ada')
  t.equal(await outcome('alg: sound one first'), 401)
  t.equal(await outcome('sub: sound one last'), 'ada')
  t.equal(await outcome('sub: sound one first'), 'mallory')
})

void t.test('JWS-7: an algorithm off the list is refused without a download', async (t) => {
  const strict = await startGuardedApp(t, { ...issuer.options, algorithms: ['ES256'] })
  t.equal((await strict.call({ token: await issuer.mint({}, { alg: 'ES256' }) })).status, 200)
  const before = issuer.requests('/jwks')
  for (const alg of ['RS256', 'PS256', 'ES384', 'EdDSA'] as const) {
    const tokens = [
      await issuer.mint({}, { alg }),
      await issuer.mint({}, { alg, header: { kid: 'x' } })
    ]
    for (const token of tokens) assertInvalidToken(t, await strict.call({ token }), alg)
  }
  t.equal(issuer.requests('/jwks'), before)
})

void t.test('JWS-11: keys in a header are no source', async (t) => {
  const elsewhere = await startHostileIssuer()
  t.teardown(() => elsewhere.close())
  const { publicKey, privateKey: key } = generateKeyPairSync('rsa', { modulusLength: 2048 })
  const jwk = { ...(await exportJWK(publicKey)), kid: 'mine', use: 'sig' }
  const url = `${elsewhere.issuer}/jwks`
  const headers = [{ jwk }, { jku: url }, { x5u: url }, { x5c: ['MIIB'] }, { jwk, kid: undefined }]
  for (const members of [...headers, { jwk, jku: url, kid: 'mine' }]) {
    const token = await issuer.mint({}, { key, header: members })
    assertInvalidToken(t, await call({ token }), Object.keys(members).join())
  }
  t.strictSame(elsewhere.requests(), [])
})

void t.test('JWS-12: a bad kid causes no download', async (t) => {
  const before = issuer.requests('/jwks')
  for (const kid of [5, {}, null, true, [], '', '\uD800', 'k'.repeat(257), 'k'.repeat(9000)]) {
    const token = await header({ kid })
    assertInvalidToken(t, await call({ token }), JSON.stringify(kid).slice(0, 20))
  }
  t.equal(issuer.requests('/jwks'), before)
})

for (const typ of ['at+jwt', 'AT+JWT', 'application/at+jwt', 'Application/AT+JWT', 'JWT', 'jwt'])
  void t.test(`JWS-15: typ ${typ} is accepted`, async (t) => {
    t.equal((await call({ token: await header({ typ }) })).status, 200)
  })

for (const typ of ['at + jwt', 'text/at+jwt', 'application/x/at+jwt', 'at+jwt;v=1', 'at+jwt '])
  void t.test(`JWS-15: typ ${typ} is another type`, async (t) => {
    assertInvalidToken(t, await call({ token: await header({ typ }) }), typ)
  })

void t.test('JWS-16, BCP-8: an encrypted token is refused', async (t) => {
  const [rsa] = issuer.jwks.keys
  const key = await importJWK({ ...rsa, use: 'enc' }, 'RSA-OAEP-256')
  const claims = Buffer.from(JSON.stringify({ iss: issuer.issuer, sub: 'ada' }))
  for (const cty of ['JWT', undefined]) {
    const members = { alg: 'RSA-OAEP-256', enc: 'A256GCM', kid: String(rsa?.kid), typ: 'at+jwt' }
    const protectedHeader = cty === undefined ? members : { ...members, cty }
    const token = await new CompactEncrypt(claims).setProtectedHeader(protectedHeader).encrypt(key)
    assertInvalidToken(t, await call({ token }), `JWE with cty ${cty}`)
  }
})

void t.test('JWS-16, BCP-2: a token within a token is refused', async (t) => {
  for (const cty of ['JWT', 'jwt', 'application/jwt'])
    assertInvalidToken(t, await call({ token: await header({ cty }) }), cty)
  const { kid, privateKey } = keyFor(issuer, 'RS256')
  const outer = { alg: 'RS256', kid, typ: 'at+jwt', cty: 'JWT' }
  const inner = (await issuer.mint()).slice(0, -8)
  const token = rawToken(outer, inner, signer('RS256', privateKey))
  assertInvalidToken(t, await call({ token }), 'good outer, bad inner signature')
})

void t.test('no line of the log holds a token that was sent', async (t) =>
  assertCleanLog(t, guarded)
)

/** One character more than whole octets need: decoders that shrug drop it, so that the content stays the same. */
function lengthen(part: string): string {
  const json = Buffer.from(part, 'base64url').toString()
  return `${encode(json.padEnd(Math.ceil(json.length / 3) * 3))}A`
}

import { generateKeyPairSync } from 'node:crypto'
import t from 'tap'
import { startTestIssuer } from '../../src/testing.ts'
import {
  callWith,
  createDpopClient,
  digestOf,
  type ProofChanges,
  publicUrl
} from '../support/dpop-client.ts'
import { assertBadToken, assertFault, assertInvalidProof } from '../support/dpop-outcomes.ts'
import { assertCleanLog, startGuardedApp } from '../support/guarded-app.ts'
import { hmacSigner, rawToken, unsigned } from '../support/raw-token.ts'

const issuer = await startTestIssuer({ algorithms: ['RS256'] })
t.teardown(() => issuer.close())
const guarded = await startGuardedApp(
  t,
  { ...issuer.options, publicUrl, dpop: 'optional', realm: 'api' },
  {
    '/a~b': {},
    '/bound': { senderConstrained: true },
    '/strong': { acr: ['phr'] }
  }
)
const { call } = guarded
const client = await createDpopClient()
const token = await issuer.mint({ cnf: client.cnf, scope: 'openid' })
const other = await createDpopClient()
const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 })
const weakRsa = generateKeyPairSync('rsa', { modulusLength: 1024 })
const now = Math.floor(Date.now() / 1000)

void t.test('DPOP-1: a bound token with a proof opens the door', async (t) => {
  const answer = await call(client.call(token))
  t.equal(answer.status, 200, answer.text)
  t.match(JSON.parse(answer.text), { sub: 'ada' })
  t.equal(answer.headers['dpop-nonce'], undefined)
  for (const scheme of ['dpop', 'DPOP', 'dPoP  ']) {
    const lines = ['Authorization', `${scheme} ${token}`, 'dpop', client.prove(token)]
    t.equal((await call({ lines })).status, 200, scheme)
  }
})

void t.test('DPOP-1: without a DPoP field it does not', async (t) => {
  assertInvalidProof(t, await call(callWith(token)), 'none')
})

const fields: Record<string, readonly string[]> = {
  'two lines': [client.prove(token), client.prove(token)],
  'the same line twice': Array<string>(2).fill(client.prove(token)),
  'a list': [`${client.prove(token)}, ${client.prove(token)}`],
  garbage: ['garbage'],
  nothing: [''],
  'four parts': [`${client.prove(token)}.x`],
  padding: [`${client.prove(token)}=`],
  'the access token': [token],
  '9 kB': [client.prove(token, { claims: { x: 'x'.repeat(6700) } })]
}
for (const [name, proofs] of Object.entries(fields))
  void t.test(`DPOP-2: ${name} in the DPoP field: refused`, async (t) => {
    assertInvalidProof(t, await call(callWith(token, ...proofs)), name)
  })

for (const name of ['jti', 'htm', 'htu', 'iat', 'ath'])
  void t.test(
    `DPOP-3: a proof without ${name}, or with one of another type, is refused`,
    async (t) => {
      for (const value of [undefined, null, true, ['x'], {}, name === 'iat' ? String(now) : 5]) {
        const answer = await call(client.call(token, { claims: { [name]: value } }))
        assertInvalidProof(t, answer, JSON.stringify(value) ?? 'absent')
      }
    }
  )

const refused: Record<string, ProofChanges | readonly ProofChanges[]> = {
  'DPOP-3: an empty jti': { claims: { jti: '' } },
  'DPOP-3: a nonce that is none': { claims: { nonce: 5 } },
  'DPOP-4: another type': [undefined, 'JWT', 'at+jwt', 'dpop', 5].map((typ) => ({
    header: { typ }
  })),
  'DPOP-5: an algorithm that is not on our list': {
    header: { alg: 'PS512', jwk: rsa.publicKey.export({ format: 'jwk' }) },
    key: rsa.privateKey
  },
  'DPOP-6: the signature of another key': { key: other.privateKey },
  'DPOP-6: no key, or none of its own': [undefined, 'x', {}, { kty: 'EC' }, null].map((jwk) => ({
    header: { jwk }
  })),
  'DPOP-6: a key by URL': { header: { jwk: undefined, jku: 'https://x.example/jwks' } },
  'DPOP-7: a key with its private part': {
    header: { jwk: client.privateKey.export({ format: 'jwk' }) }
  },
  'DPOP-7: a key with some private member': ['p', 'q', 'dp', 'dq', 'qi', 'oth', 'k', 'priv'].map(
    (name) => ({ header: { jwk: { ...publicJwk(), [name]: 'AQAB' } } })
  ),
  'DPOP-7: an RSA key of 1024 bits': {
    header: { alg: 'RS256', jwk: weakRsa.publicKey.export({ format: 'jwk' }) },
    key: weakRsa.privateKey
  },
  'DPOP-8: another method': ['POST', 'get', 'HEAD', ''].map((htm) => ({ claims: { htm } })),
  'DPOP-9: another URL': [
    `${publicUrl}/documents`,
    `${publicUrl}/whoami/`,
    `${publicUrl}/WHOAMI`,
    `${publicUrl}/whoam%49`,
    'https://evil.example/whoami',
    'http://api.example.com/whoami',
    'https://api.example.com:8443/whoami',
    'https://ada@api.example.com/whoami',
    guarded.origin.concat('/whoami'),
    '/whoami',
    'whoami',
    ''
  ].map((htu) => ({ claims: { htu } })),
  'DPOP-12: made long ago, or to come': [-600, -70, 20, 600, -1e300, 1e300].map((seconds) => ({
    claims: { iat: now + seconds }
  })),
  'DPOP-13: the digest of another token': { claims: { ath: digestOf('x') } },
  'DPOP-13: a digest with padding': { claims: { ath: `${digestOf(token)}=` } },
  'DPOP-16: a jti of 10 kB': [5000, 10_000].map((size) => ({ claims: { jti: 'x'.repeat(size) } })),
  'DPOP-16: a jti of 257 letters': { claims: { jti: 'x'.repeat(257) } },
  'JWS-10: an extension': { header: { crit: ['x'], x: 1 } },
  'a proof that has expired by itself': { claims: { exp: now - 60 } }
}
for (const [name, changes] of Object.entries(refused))
  void t.test(`${name}: refused`, async (t) => {
    for (const change of [changes].flat()) {
      const answer = await call(client.call(token, change))
      assertInvalidProof(t, answer, JSON.stringify(change))
    }
  })

void t.test('DPOP-5: no and symmetric signatures are refused', async (t) => {
  const [, payload = ''] = client.prove(token).split('.')
  const claims = Buffer.from(payload, 'base64url')
  const jwk = { kty: 'oct', k: 'c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0' }
  const secret = Buffer.from(jwk.k, 'base64url')
  for (const proof of [
    rawToken({ typ: 'dpop+jwt', alg: 'none', jwk: publicJwk() }, claims, unsigned),
    rawToken({ typ: 'dpop+jwt', alg: 'HS256', jwk }, claims, hmacSigner(secret))
  ])
    assertInvalidProof(t, await call(callWith(token, proof)), proof)
})

const accepted: Record<string, ProofChanges> = {
  'DPOP-4: the long form of the type': { header: { typ: 'application/dpop+jwt' } },
  'DPOP-12: made 20 seconds ago': { claims: { iat: now - 20 } },
  'DPOP-12: made by a clock that is 5 seconds ahead': { claims: { iat: now + 5 } },
  'DPOP-10: a target in other words': { claims: { htu: 'HTTPS://API.Example.com:443/./wh%6Fami' } },
  'DPOP-9: a target with query and fragment': { claims: { htu: `${publicUrl}/whoami?a=b#c` } },
  'DPOP-3: members that are not understood': { claims: { x: 1, nonce: 'whatever' } },
  'a jti of 256 letters': { claims: { jti: 'x'.repeat(256) } }
}
for (const [name, change] of Object.entries(accepted))
  void t.test(`${name}: accepted`, async (t) => {
    const { status, text } = await call(client.call(token, change))
    t.equal(status, 200, text)
  })

void t.test('DPOP-9: the query of the request does not matter', async (t) => {
  const path = '/whoami?limit=1&htu=x'
  t.equal((await call({ ...client.call(token), path })).status, 200)
})

void t.test('DPOP-9: nothing that a request says of its host matters', async (t) => {
  const claimed = ['X-Forwarded-Host', 'evil.example', 'Forwarded', 'host=evil.example']
  const { lines = [] } = client.call(token)
  t.equal((await call({ lines: [...lines, ...claimed] })).status, 200)
  const forged = client.call(token, { claims: { htu: 'https://evil.example/whoami' } })
  assertInvalidProof(t, await call({ lines: [...(forged.lines ?? []), ...claimed] }), 'forged')
})

void t.test('DPOP-10: the path of the request is normalized as well', async (t) => {
  const claims = { htu: `${publicUrl}/a~b` }
  const answer = await call({ ...client.call(token, { claims }), path: '/a%7Eb' })
  t.equal(answer.status, 200, answer.text)
})

void t.test('DPOP-14: the proof of another key is a defect of the token', async (t) => {
  assertBadToken(t, await call(other.call(token)), 'other key')
})

void t.test('DPOP-15: a proof is used once, and for one request', async (t) => {
  const used = client.call(token)
  t.equal((await call(used)).status, 200)
  assertInvalidProof(t, await call(used), 'again')
  const claims = { jti: 'one-for-all' }
  t.equal((await call(client.call(token, { claims }))).status, 200)
  const later = { ...claims, iat: now - 5 }
  assertInvalidProof(t, await call(client.call(token, { claims: later })), 'same jti')
  const elsewhere = { ...claims, htu: `${publicUrl}/a~b` }
  const answer = await call({ ...client.call(token, { claims: elsewhere }), path: '/a~b' })
  t.equal(answer.status, 200, 'a jti is of one target')
})

void t.test('DPOP-15: of many at once with one proof, one gets in', async (t) => {
  const used = client.call(token)
  const answers = await Promise.all(Array.from({ length: 10 }, () => call(used)))
  t.equal(answers.filter(({ status }) => status === 200).length, 1)
})

void t.test('DPOP-15: a proof that was refused for something else is not used up', async (t) => {
  const proof = client.call(token)
  assertInvalidProof(t, await call({ ...proof, path: '/bound' }), 'elsewhere')
  t.equal((await call(proof)).status, 200)
})

void t.test('DPOP-17: a bound token is no bearer token, with a proof or without', async (t) => {
  assertBadToken(t, await call({ token }), 'alone', 'Bearer')
  const lines = ['DPoP', client.prove(token)]
  assertBadToken(t, await call({ token, lines }), 'with a proof', 'Bearer')
})

void t.test(
  'DPOP-17, DPOP-3: a token bound to nothing that could be proved is refused',
  async (t) => {
    for (const cnf of [
      { jkt: 'x' },
      { jkt: 5 },
      { 'x5t#S256': 'a'.repeat(43) },
      { kid: 'x' },
      [],
      'x'
    ]) {
      const bad = await issuer.mint({ cnf })
      assertBadToken(t, await call(client.call(bad)), JSON.stringify(cnf))
      assertBadToken(t, await call({ token: bad }), JSON.stringify(cnf), 'Bearer')
    }
  }
)

void t.test('DPOP-18: a token that is not bound can not be sent with DPoP', async (t) => {
  assertBadToken(t, await call(client.call(await issuer.mint())), 'plain')
  const plain = await issuer.mint()
  t.equal((await call({ token: plain })).status, 200, 'as Bearer it can')
})

void t.test(
  'DPOP-20: without credentials both schemes are offered, without an error',
  async (t) => {
    const { status, challenges, headers } = await call({ path: '/documents' })
    t.equal(status, 401)
    const resource_metadata = `${publicUrl}/.well-known/oauth-protected-resource`
    const shared = { realm: 'api', scope: 'documents:read', resource_metadata }
    const algs = 'ES256 ES384 ES512 EdDSA Ed25519 PS256 RS256'
    t.same(challenges, [
      { scheme: 'Bearer', params: shared },
      { scheme: 'DPoP', params: { ...shared, algs } }
    ])
    t.equal(headers['dpop-nonce'], undefined)
  }
)

void t.test('DPOP-21: a bad bearer token is told of in the Bearer challenge', async (t) => {
  assertBadToken(t, await call({ token: await issuer.mint({ exp: 1 }) }), 'expired', 'Bearer')
})

void t.test('DPOP-19: a bad token is told of in the DPoP challenge if DPoP was used', async (t) => {
  const expired = await issuer.mint({ cnf: client.cnf, exp: 1 })
  assertBadToken(t, await call(client.call(expired)), 'expired')
})

void t.test('DPOP-22: both schemes at once are a malformed request', async (t) => {
  const { lines = [] } = client.call(token)
  const both = await call({ lines: ['Authorization', `Bearer ${token}`, ...lines] })
  const fault = { kind: 'invalid-request', error: 'invalid_request' } as const
  assertFault(t, both, 'two lines', { ...fault, scheme: 'Bearer' })
  const empty = await call({ lines: ['Authorization', 'DPoP'] })
  assertFault(t, empty, 'no token', { ...fault, scheme: 'DPoP' })
})

void t.test('STEP-1: what else the route demands is told of in the DPoP challenge', async (t) => {
  const scope = await call({
    ...client.call(token, { claims: { htu: `${publicUrl}/documents` } }),
    path: '/documents'
  })
  const missing = { kind: 'insufficient-scope', error: 'insufficient_scope' } as const
  assertFault(t, scope, 'scope', { ...missing, scheme: 'DPoP' })
  t.equal(scope.challenges[1]?.params['scope'], 'documents:read')
  const claims = { htu: `${publicUrl}/strong` }
  const weak = await call({ ...client.call(token, { claims }), path: '/strong' })
  const error = 'insufficient_user_authentication'
  assertFault(t, weak, 'acr', { kind: 'insufficient-user-authentication', error, scheme: 'DPoP' })
  t.equal(weak.challenges[1]?.params['acr_values'], 'phr')
})

void t.test('DPOP-26: a route for bound tokens only refuses others', async (t) => {
  const path = '/bound'
  const plain = await issuer.mint()
  assertBadToken(t, await call({ token: plain, path }), 'plain', 'Bearer')
  const claims = { htu: `${publicUrl}/bound` }
  t.equal((await call({ ...client.call(token, { claims }), path })).status, 200)
})

void t.test('SEC-3: no line of the log holds a token', async (t) => assertCleanLog(t, guarded))

function publicJwk() {
  const { kty, crv, x, y } = client.privateKey.export({ format: 'jwk' })
  return { kty, crv, x, y }
}

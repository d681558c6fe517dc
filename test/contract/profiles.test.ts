import { generateKeyPairSync } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { calculateJwkThumbprint, type JWK } from 'jose'
import t from 'tap'
import { loadConfig } from '../../src/config/load.ts'
import type { RevocationStore } from '../../src/revocation/revocation-store.ts'
import { createTrustedIssuers } from '../../src/issuer/trusted-issuers.ts'
import { startTestIssuer } from '../../src/testing.ts'
import { testAlgorithms } from '../../src/testing/keys.ts'
import type { RevokedTokens } from '../../src/token/revoked-tokens.ts'
import { createSignatureCheck } from '../../plugins/signature-check.ts'
import { createDpopClient, publicUrl } from '../support/dpop-client.ts'
import { assertCleanLog, createApp, startGuardedApp } from '../support/guarded-app.ts'
import { assertInvalidToken } from '../support/outcomes.ts'

const issuer = await startTestIssuer()
t.teardown(() => issuer.close())

const revoked: RevokedTokens = { covers: () => false, onRevoked: () => undefined }

/** Forgets what it is told with the process, which is all that these tests need. */
const revocationStore: RevocationStore = { read: async () => [], add: async () => undefined }

const contract = await startGuardedApp(t, issuer.options)
const strict = await startGuardedApp(t, { ...issuer.options, profile: 'rfc9068' })

for (const [typ, isStrictToo] of [
  ['at+jwt', true],
  ['AT+JWT', true],
  ['application/at+jwt', true],
  ['JWT', false]
] as const)
  void t.test(`AT-1: typ ${typ}`, async (t) => {
    const token = await issuer.mint({}, { header: { typ } })
    t.equal((await contract.call({ token })).status, 200, 'without a profile')
    const answer = await strict.call({ token })
    if (isStrictToo) t.equal(answer.status, 200, 'rfc9068')
    else assertInvalidToken(t, answer, 'rfc9068')
  })

for (const typ of [undefined, 'logout+jwt', 'at', 'jwt+at'])
  void t.test(`AT-1: typ ${typ} is refused by rfc9068`, async (t) => {
    const token = await issuer.mint({}, { header: { typ } })
    assertInvalidToken(t, await strict.call({ token }), String(typ))
  })

const needed = ['iss', 'exp', 'aud', 'sub', 'client_id', 'iat', 'jti']
const alwaysNeeded = new Set(['iss', 'exp', 'aud', 'sub'])
for (const name of needed)
  void t.test(`AT-4: a token without ${name} is refused by rfc9068`, async (t) => {
    // a good one first, so that its header is known
    t.equal((await strict.call({ token: await issuer.mint() })).status, 200)
    const token = await issuer.mint({ [name]: undefined })
    for (const time of ['first', 'second'])
      assertInvalidToken(t, await strict.call({ token }), `the ${time} time`)
    const { status } = await contract.call({ token })
    t.equal(status, alwaysNeeded.has(name) ? 401 : 200, 'without a profile')
    for (const value of [null, true, {}, [], name === 'iat' || name === 'exp' ? 'x' : 5, '']) {
      const wrong = await issuer.mint({ [name]: value })
      assertInvalidToken(t, await strict.call({ token: wrong }), JSON.stringify(value))
    }
  })

const fapi = {
  ...issuer.options,
  profile: 'fapi2',
  backchannelLogout: { clientId: 'app' }
} as const
const shared = { publicUrl, revocationStore }
const bound = await startGuardedApp(t, { ...fapi, ...shared })
const client = await createDpopClient()
const mintBound = (claims: object = {}, alg: (typeof testAlgorithms)[number] = 'PS256') =>
  issuer.mint({ cnf: client.cnf, ...claims }, { alg })

void t.test('FAPI-2: a bearer token is refused, a bound one with its proof accepted', async (t) => {
  const token = await mintBound()
  for (const time of ['first', 'second', 'third'])
    t.equal((await bound.call(client.call(token))).status, 200, `the ${time} time`)
  const plain = await issuer.mint({}, { alg: 'PS256' })
  for (const [name, call] of Object.entries({
    'a plain token': { token: plain },
    'a plain token with a proof': client.call(plain),
    'a bound token as bearer token': { token },
    'an empty cnf': { token: await mintBound({ cnf: {} }) }
  })) {
    const { status, challenges } = await bound.call(call)
    t.equal(status, 401, name)
    t.ok(
      challenges.some(({ params }) => params['error'] === 'invalid_token'),
      name
    )
  }
})

const fapiAlgorithms = new Set(['PS256', 'ES256', 'EdDSA', 'Ed25519'])
for (const alg of testAlgorithms)
  void t.test(
    `FAPI-3: ${alg} is ${fapiAlgorithms.has(alg) ? 'accepted' : 'refused'}`,
    async (t) => {
      const { status } = await bound.call(client.call(await mintBound({}, alg)))
      t.equal(status, fapiAlgorithms.has(alg) ? 200 : 401)
    }
  )

void t.test('FAPI-3: proofs are held to the same algorithms', async (t) => {
  const { publicKey, privateKey: key } = generateKeyPairSync('rsa', { modulusLength: 2048 })
  const jwk = publicKey.export({ format: 'jwk' }) as JWK
  const token = await mintBound({ cnf: { jkt: await calculateJwkThumbprint(jwk) } })
  const answerOf = (alg: string) => bound.call(client.call(token, { header: { alg, jwk }, key }))
  t.equal((await answerOf('PS256')).status, 200)
  const { status, challenges } = await answerOf('RS256')
  t.equal(status, 401)
  const [algs] = challenges.flatMap(({ params }) => params['algs'] ?? [])
  t.equal(algs, 'ES256 EdDSA Ed25519 PS256', 'the challenge says which')
})

void t.test('FAPI-3, AT-1, AT-4: its tokens are those of RFC 9068', async (t) => {
  const token = await issuer.mint({ cnf: client.cnf }, { alg: 'PS256', header: { typ: 'JWT' } })
  t.equal((await bound.call(client.call(token))).status, 401, 'typ JWT')
  for (const name of needed) {
    const incomplete = await mintBound({ [name]: undefined })
    t.equal((await bound.call(client.call(incomplete))).status, 401, `without ${name}`)
  }
})

void t.test('FAPI-4: a proof that is used again is refused', async (t) => {
  const call = client.call(await mintBound())
  t.equal((await bound.call(call)).status, 200)
  t.equal((await bound.call(call)).status, 401)
})

void t.test('FAPI-1: a token in the query is none, a revoked one is refused', async (t) => {
  const token = await mintBound({ jti: 'soon revoked' })
  const { status, challenges } = await bound.call({ path: `/whoami?access_token=${token}` })
  t.equal(status, 401)
  t.ok(challenges.every(({ params }) => params['error'] === undefined))
  t.equal((await bound.call(client.call(token))).status, 200)
  await bound.app.latchkey.revoke({ jti: 'soon revoked', issuer: issuer.issuer })
  t.equal((await bound.call(client.call(token))).status, 401)
})

void t.test('FAPI-2: with both kinds of binding optional, one is needed', async (t) => {
  const either = await startGuardedApp(t, {
    ...fapi,
    ...shared,
    dpop: 'optional',
    mtls: 'optional',
    clientCertFrom: ['127.0.0.1']
  })
  t.equal((await either.call(client.call(await mintBound()))).status, 200)
  for (const cnf of [undefined, {}, { other: 'x' }])
    t.equal((await either.call({ token: await mintBound({ cnf }) })).status, 401)
})

const opaque = { tokens: ['opaque'], introspection: { clientId: 'api', clientSecret: 'secret' } }
const good: Record<string, object> = {
  'rfc9068 with what it sets': { profile: 'rfc9068', typ: ['application/at+jwt'] },
  'rfc9068 beside opaque tokens': { profile: 'rfc9068', ...opaque, tokens: ['jwt', 'opaque'] },
  'fapi2 with security events': {
    profile: 'fapi2',
    securityEvents: { audience: 'https://api.example.com' }
  },
  'fapi2 with fewer algorithms': { ...fapi, algorithms: ['ES256'] },
  'fapi2 with introspected tokens': { profile: 'fapi2', ...opaque },
  'fapi2 with certificates': { ...fapi, mtls: 'required', clientCertFrom: ['127.0.0.1'] },
  'fapi2 with both': { ...fapi, mtls: 'required', dpop: 'required', clientCertFrom: ['127.0.0.1'] }
}
for (const [name, options] of Object.entries(good))
  void t.test(`starts: ${name}`, async (t) => {
    const app = await createApp({ ...issuer.options, ...shared, ...options })
    await app.close()
    t.pass()
  })

const wrong: Record<string, [object, RegExp]> = {
  'no such profile': [
    { profile: 'fapi1' },
    /^profile of .*: found "fapi1", allowed: rfc9068, fapi2$/
  ],
  'AT-1: rfc9068 with typ JWT': [
    { profile: 'rfc9068', typ: ['at+jwt', 'JWT'] },
    /^typ of .*: found \["at\+jwt","JWT"\], allowed: \["at\+jwt"\], by profile rfc9068$/
  ],
  'rfc9068 with opaque tokens alone': [
    { profile: 'rfc9068', ...opaque },
    /^tokens of .*: found \["opaque"\], allowed: "jwt", alone or with "opaque", by profile rfc9068$/
  ],
  'rfc9068 with ID tokens': [
    { profile: 'rfc9068', tokens: ['jwt', 'id'], idTokens: { clientId: 'app' } },
    /^tokens of .*: found \["jwt","id"\], allowed: .*, by profile rfc9068$/
  ],
  'rfc9068 without aud': [
    { profile: 'rfc9068', audienceClaim: 'client_id' },
    /^audienceClaim of .*: found "client_id", allowed: aud, by profile rfc9068$/
  ],
  'rfc9068 with a provider whose tokens are none': [
    { profile: 'rfc9068', preset: 'okta', issuer: 'https://a.okta.com/oauth2/default' },
    /^typ of https:\/\/a.okta.com.*: found .*, allowed: \["at\+jwt"\], by profile rfc9068$/
  ],
  'FAPI-1: nothing tells of revoked tokens': [
    { profile: 'fapi2' },
    /^profile of .*: found "fapi2" and nothing that tells of revoked JWTs, allowed: with back/
  ],
  'FAPI-1: introspection, which is not asked about JWTs': [
    { profile: 'fapi2', ...opaque, tokens: ['jwt', 'opaque'] },
    /^profile of .*: found "fapi2" and nothing that tells of revoked JWTs/
  ],
  'FAPI-2: no binding': [
    { ...fapi, dpop: 'off' },
    /^dpop of .*: found "off", with mtls "off", allowed: one of them required, or both optional/
  ],
  'FAPI-2: binding by choice': [
    { ...fapi, dpop: 'optional' },
    /^dpop of .*: found "optional", with mtls "off", allowed: one of them required/
  ],
  'FAPI-3: RS256': [
    { ...fapi, algorithms: ['PS256', 'RS256'] },
    /^algorithms of .*: found \["PS256","RS256"\], allowed: one or more of PS256, ES256, EdDSA, Ed/
  ],
  'FAPI-3: proofs by RS256': [
    { ...fapi, dpopProofs: { algorithms: ['RS256'] } },
    /^dpopProofs.algorithms: found \["RS256"\], allowed: one or more of PS256, ES256, EdDSA, Ed25519$/
  ],
  'typ that is no list': [{ ...fapi, typ: 'at+jwt' }, /^typ of .*: found "at\+jwt", allowed/],
  'tokens that is no list': [{ ...fapi, tokens: 'jwt' }, /^tokens of .*: found "jwt", allowed/]
}
for (const [name, [options, message]] of Object.entries(wrong))
  void t.test(`stops the start with one line: ${name}`, async (t) => {
    await t.rejects(createApp({ ...issuer.options, ...shared, ...options }), { message })
  })

void t.test('the file of the service has the same words', async (t) => {
  const load = (more: object) =>
    loadConfig({ LATCHKEY_CONFIG: 'latchkey.json' }, () =>
      JSON.stringify({ issuers: [{ ...issuer.options, ...more }] })
    )
  const options = {
    profile: 'fapi2',
    decryption: { privateKeyFile: '/run/secrets/key.pem', algorithms: ['ECDH-ES'] },
    encryptedTokens: 'required',
    tokens: ['jwt', 'id'],
    idTokens: { clientId: ['app'] }
  }
  t.match(load(options).issuers, [options])
  t.throws(() => load({ profile: 'fapi1' }), { message: /rfc9068, fapi2/ })
  t.throws(() => load({ idTokens: { clientId: [] } }), { message: /client ids/ })
  t.throws(() => load({ encryptedTokens: 'yes' }), { message: /off, optional, required/ })
  const shown = t.throws(() => load({ decryption: { privateKey: 5, key: 'a secret' } }))
  t.notMatch(String(shown), /a secret/)
})

void t.test('every example of docs/profiles.md is one that starts', async (t) => {
  const page = await readFile('docs/profiles.md', 'utf8')
  const examples = [...page.matchAll(/^```json\n(.*?)^```/gms)].map(([, example = '']) => example)
  t.equal(examples.length, 3)
  const pem = generateKeyPairSync('x25519').privateKey.export({ format: 'pem', type: 'pkcs8' })
  const file = join(t.testdir({ key: String(pem) }), 'key')
  for (const example of examples) {
    const text = example.replace('/run/secrets/api-key.pem', file)
    const { issuers } = loadConfig({ LATCHKEY_CONFIG: 'latchkey.json' }, () => text)
    const trusted = createTrustedIssuers(issuers, { prepare: createSignatureCheck, revoked })
    await Promise.all([...trusted.values()].map((entry) => entry.close()))
    t.equal(trusted.values().length, 1)
  }
})

for (const [name, guarded] of Object.entries({ contract, strict, bound }))
  void t.test(`no line of the log holds a token that was sent (${name})`, async (t) =>
    assertCleanLog(t, guarded)
  )

import { generateKeyPairSync, type JsonWebKey, type KeyObject, sign } from 'node:crypto'
import t from 'tap'
import { startTestIssuer } from '../../src/testing.ts'
import { mlDsaAlgorithms, supportedAlgorithms } from '../../src/token/algorithms.ts'
import { hasMlDsa } from '../../src/token/ml-dsa.ts'
import { createApp } from '../support/guarded-app.ts'
import { assertInvalidToken } from '../support/outcomes.ts'
import { rawToken } from '../support/raw-token.ts'
import { type ServedKeys, serveKeySet } from '../support/served-keys.ts'

const noMlDsa = hasMlDsa ? false : "this Node's crypto has no ML-DSA"

const sound = await startTestIssuer({ algorithms: ['RS256'] })
t.teardown(() => sound.close())

type MlDsa = (typeof mlDsaAlgorithms)[number]

interface KeyPair {
  readonly jwk: JsonWebKey
  readonly privateKey: KeyObject
}

function makeKey(alg: MlDsa): KeyPair {
  // the types of Node 20 do not know the name
  const generate = generateKeyPairSync as unknown as (
    type: string
  ) => Readonly<Record<'publicKey' | 'privateKey', KeyObject>>
  const { publicKey, privateKey } = generate(alg.toLowerCase())
  return { jwk: { ...publicKey.export({ format: 'jwk' }), kid: alg, use: 'sig' }, privateKey }
}

function mint(alg: string, { issuer }: ServedKeys, key: KeyObject, kid = alg): string {
  const exp = Math.ceil(Date.now() / 1000) + 60
  const claims = { iss: issuer, aud: sound.audience, sub: 'ada', exp }
  return rawToken({ alg, kid, typ: 'at+jwt' }, claims, (input) => sign(null, input, key))
}

for (const alg of mlDsaAlgorithms)
  void t.test(`ML-DSA (RFC 9964): ${alg} is verified`, { skip: noMlDsa }, async (t) => {
    const [key, other] = [makeKey(alg), makeKey(alg)]
    const served = await serveKeySet(t, sound, { keys: [key.jwk, ...sound.jwks.keys] })
    const token = mint(alg, served, key.privateKey)
    for (const time of ['first', 'second', 'third'])
      t.equal((await served.call({ token })).status, 200, `the ${time} time`)

    assertInvalidToken(
      t,
      await served.call({ token: mint(alg, served, other.privateKey) }),
      'forged'
    )
    const wrong = mlDsaAlgorithms.find((name) => name !== alg) ?? alg
    const disguised = mint(wrong, served, key.privateKey, alg)
    assertInvalidToken(t, await served.call({ token: disguised }), `passed off as ${wrong}`)
    for (const extra of ['A', 'AA', 'AAA', 'AAAA'])
      assertInvalidToken(t, await served.call({ token: token + extra }), `with ${extra} behind it`)
    assertInvalidToken(t, await served.call({ token: token.slice(0, -4) }), 'cut short')
  })

void t.test('ML-DSA, JWK-1: keys that do not fit are skipped', { skip: noMlDsa }, async (t) => {
  const { jwk, privateKey } = makeKey('ML-DSA-44')
  const unusable: Record<string, JsonWebKey> = {
    'without alg': { ...jwk, alg: undefined },
    'with the alg of another key': { ...jwk, alg: 'ML-DSA-65' },
    'with a private part': { ...privateKey.export({ format: 'jwk' }), kid: 'ML-DSA-44' },
    'for encryption': { ...jwk, use: 'enc' },
    'without pub': { ...jwk, pub: undefined }
  }
  for (const [name, key] of Object.entries(unusable)) {
    const served = await serveKeySet(t, sound, { keys: [key, ...sound.jwks.keys] })
    assertInvalidToken(t, await served.call({ token: mint('ML-DSA-44', served, privateKey) }), name)
    const token = await sound.mint({ iss: served.issuer })
    t.equal((await served.call({ token })).status, 200, `${name}: the key beside it works`)
  }
})

void t.test('ML-DSA: one allow-list rules it too', { skip: noMlDsa }, async (t) => {
  t.ok(mlDsaAlgorithms.every((alg) => supportedAlgorithms.includes(alg)))
  const { jwk, privateKey } = makeKey('ML-DSA-87')
  const served = await serveKeySet(t, sound, { keys: [jwk] })
  const token = mint('ML-DSA-87', served, privateKey)
  t.equal((await served.call({ token })).status, 200)
  const options = { issuer: served.issuer, audience: sound.audience }
  const strict = await createApp({ ...options, algorithms: ['ML-DSA-44'] })
  t.teardown(() => strict.close())
  const headers = { authorization: `Bearer ${token}` }
  t.equal((await strict.inject({ url: '/whoami', headers })).statusCode, 401)
})

void t.test(
  'ML-DSA: a Node without it says so at start, skips its keys and refuses its tokens',
  { skip: hasMlDsa && "this Node's crypto has ML-DSA" },
  async (t) => {
    await t.rejects(createApp({ ...sound.options, algorithms: ['ML-DSA-44'] }), {
      message: /^algorithms: found \["ML-DSA-44"\], allowed: one or more of RS256, .*, Ed25519$/
    })
    const jwk = { kty: 'AKP', alg: 'ML-DSA-44', kid: 'ML-DSA-44', pub: 'AAAA' }
    const served = await serveKeySet(t, sound, { keys: [jwk, ...sound.jwks.keys] })
    const { privateKey } = generateKeyPairSync('ed25519')
    assertInvalidToken(t, await served.call({ token: mint('ML-DSA-44', served, privateKey) }), '')
    const token = await sound.mint({ iss: served.issuer })
    t.equal((await served.call({ token })).status, 200, 'the key beside it works')
  }
)

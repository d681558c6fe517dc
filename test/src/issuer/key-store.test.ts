import { randomUUID } from 'node:crypto'
import { mock } from 'node:test'
import t from 'tap'
import { createKeyStore } from '../../../src/issuer/key-store.ts'
import type { SigningKey } from '../../../src/issuer/signing-key.ts'
import type { Algorithm } from '../../../src/token/algorithms.ts'

const issuer = 'https://id.example.com'

function key(keyId: string | undefined, ...algorithms: Algorithm[]): SigningKey {
  const spki = randomUUID()
  return {
    keyId,
    algorithms,
    spki,
    verify: () => true,
    verifySignature: () => true,
    validUntil: Number.MAX_SAFE_INTEGER
  }
}

void t.test('JWS-12: finds a key by kid, in its own case only', async (t) => {
  const a = key('a', 'ES256')
  const find = createKeyStore(issuer, [a, key('b', 'ES256')])
  t.equal(find('ES256', 'a'), a)
  t.equal(find('ES256', 'A'), undefined)
  t.equal(find('ES256', 'c'), undefined)
})

void t.test('JWS-14, GJ-14: keys that share a kid are told apart by algorithm', async (t) => {
  const rsa = key('k', 'RS256', 'PS256')
  const ec = key('k', 'ES256')
  const find = createKeyStore(issuer, [ec, rsa])
  t.equal(find('RS256', 'k'), rsa)
  t.equal(find('PS256', 'k'), rsa)
  t.equal(find('ES256', 'k'), ec)
})

void t.test('GJ-14: two keys of one kid and algorithm are neither of them', async (t) => {
  const find = createKeyStore(issuer, [key('k', 'ES256'), key('k', 'ES256'), key('l', 'ES256')])
  t.equal(find('ES256', 'k'), undefined)
  t.ok(find('ES256', 'l'))
})

void t.test('JWS-14: one key that is listed twice is found', async (t) => {
  const once = key('k', 'ES256')
  const twice = { ...once }
  const find = createKeyStore(issuer, [once, twice])
  t.equal(find('ES256', 'k')?.spki, once.spki)
  t.equal(find('ES256', undefined)?.spki, once.spki)
})

void t.test(
  'JWS-13, GJ-14: no kid finds the only key that fits, with or without a kid',
  async (t) => {
    const rsa = key('k', 'RS256')
    const nameless = key(undefined, 'ES256')
    const find = createKeyStore(issuer, [nameless, rsa])
    t.equal(find('RS256', undefined), rsa)
    t.equal(find('ES256', undefined), nameless)
    t.equal(createKeyStore(issuer, [rsa, key('l', 'RS256')])('RS256', undefined), undefined)
  }
)

void t.test('JWS-9: never finds a key for an algorithm that is not its own', async (t) => {
  const find = createKeyStore(issuer, [key('ec', 'ES256'), key('rsa', 'RS256')])
  t.equal(find('RS256', 'ec'), undefined)
  t.equal(find('ES256', 'rsa'), undefined)
  t.equal(find('EdDSA', undefined), undefined)
})

void t.test('BCP-5: a kid that looks like a part of a cache key is only text', async (t) => {
  const find = createKeyStore(issuer, [key('a', 'ES256')])
  for (const kid of ['a:https://id.example.com', 'a%3A', 'ES256:a', '../a', "a' OR 1=1", 'a\r\n']) {
    t.equal(find('ES256', kid), undefined)
  }
})

void t.test('GJ-6: a key does not age in the store: its set says how long it counts', async (t) => {
  const a = key('a', 'ES256')
  const find = createKeyStore(issuer, [a])
  const aYearLater = performance.now() + 365 * 24 * 60 * 60 * 1000
  // what the cache of get-jwks tells the time by
  const { mock: clock } = mock.method(performance, 'now', () => aYearLater)
  t.teardown(() => clock.restore())
  t.equal(find('ES256', 'a'), a)
})

void t.test('GJ-5: a full set of RSA keys stays findable, every algorithm of each', async (t) => {
  const all: Algorithm[] = ['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512']
  const keys = Array.from({ length: 100 }, (_, index) => key(`k${index}`, ...all))
  const find = createKeyStore(issuer, keys)
  t.ok(keys.every((one) => all.every((algorithm) => find(algorithm, one.keyId) === one)))
})

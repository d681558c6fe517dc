import { generateKeyPairSync, type KeyObject } from 'node:crypto'
import { join } from 'node:path'
import { CompactEncrypt, type CompactJWEHeaderParameters } from 'jose'
import t from 'tap'
import { createDecryption, type DecryptionOptions } from '../../../src/issuer/decryption.ts'

const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 })
const weak = generateKeyPairSync('rsa', { modulusLength: 1024 })
const ec = generateKeyPairSync('ec', { namedCurve: 'P-256' })
const x25519 = generateKeyPairSync('x25519')
const ed25519 = generateKeyPairSync('ed25519')
const pemOf = (key: KeyObject): string => String(key.export({ format: 'pem', type: 'pkcs8' }))

function encrypt(
  key: KeyObject,
  header: CompactJWEHeaderParameters,
  content = 'hello'
): Promise<string> {
  return new CompactEncrypt(Buffer.from(content)).setProtectedHeader(header).encrypt(key)
}

for (const [name, { publicKey, privateKey }, algs] of [
  ['an RSA key', rsa, ['RSA-OAEP-256', 'RSA-OAEP']],
  ['an EC key', ec, ['ECDH-ES', 'ECDH-ES+A128KW', 'ECDH-ES+A256KW']],
  ['an X25519 key', x25519, ['ECDH-ES', 'ECDH-ES+A128KW']]
] as const) {
  t.test(`UI-6: ${name} reads what was encrypted to it`, async (t) => {
    const decrypt = createDecryption({ privateKey: pemOf(privateKey) })
    for (const alg of algs) {
      for (const enc of ['A128GCM', 'A256GCM', 'A128CBC-HS256', 'A256CBC-HS512']) {
        t.equal(await decrypt(await encrypt(publicKey, { alg, enc })), 'hello', `${alg}, ${enc}`)
      }
    }
  })
}

t.test('a key comes from PEM, from a JWK, from a file, or ready', async (t) => {
  const jwe = await encrypt(ec.publicKey, { alg: 'ECDH-ES', enc: 'A256GCM' })
  const jwk = JSON.stringify(ec.privateKey.export({ format: 'jwk' }))
  const file = join(t.testdir({ key: jwk }), 'key')
  for (const options of [
    { privateKey: pemOf(ec.privateKey) },
    { privateKey: jwk },
    { privateKey: ec.privateKey },
    { privateKeyFile: file }
  ]) {
    t.equal(await createDecryption(options)(jwe), 'hello')
  }
})

t.test(
  'UI-6, BCP-7, BCP-10: what was not made for the key, or goes too far, is not read',
  async (t) => {
    const decrypt = createDecryption({ privateKey: rsa.privateKey, algorithms: ['RSA-OAEP-256'] })
    const other = generateKeyPairSync('rsa', { modulusLength: 2048 }).publicKey
    const usual = { alg: 'RSA-OAEP-256', enc: 'A256GCM' }
    const good = await encrypt(rsa.publicKey, usual)
    t.equal(await decrypt(good), 'hello', 'the same without a defect')
    const [header = '', ...parts] = good.split('.')
    const withHeader = (more: object): string =>
      [Buffer.from(JSON.stringify({ ...usual, ...more })).toString('base64url'), ...parts].join('.')
    const zipped = { ...usual, zip: 'DEF' }
    for (const [name, jwe] of Object.entries({
      'another key': await encrypt(other, usual),
      'an algorithm that is not listed': await encrypt(rsa.publicKey, {
        ...usual,
        alg: 'RSA-OAEP'
      }),
      'an algorithm of another type': await encrypt(ec.publicKey, { ...usual, alg: 'ECDH-ES' }),
      'a content algorithm that is not listed': await encrypt(rsa.publicKey, {
        ...usual,
        enc: 'A192GCM'
      }),
      'a password': withHeader({ alg: 'PBES2-HS256+A128KW', p2s: 'AAAA', p2c: 10_000_000 }),
      'compressed content': await encrypt(rsa.publicKey, zipped),
      'a bomb': await encrypt(rsa.publicKey, zipped, ' '.repeat(10_000_000)),
      'an unknown extension': withHeader({ crit: ['x'], x: 1 }),
      'a changed header': withHeader({ cty: 'JWT' }),
      'a changed tag': `${good.slice(0, -4)}AAAA`,
      'no content': `${header}....`,
      'four parts': good.slice(0, good.lastIndexOf('.')),
      'a signed JWT': 'eyJhbGciOiJub25lIn0.e30.',
      'no JWE': 'garbage',
      nothing: '',
      'too much': await encrypt(rsa.publicKey, usual, 'x'.repeat(256 * 1024))
    })) {
      t.equal(await decrypt(jwe), undefined, name)
    }
  }
)

const bad: [string, unknown, RegExp][] = [
  ['no options', 'a key', /^decryption of the issuer: found "a key", allowed: an object/],
  ['no key', {}, /^decryption of the issuer: found no key, allowed: one of privateKeyFile, priv/],
  ['two keys', { privateKey: 'x', privateKeyFile: 'y' }, /found two keys/],
  ['no such file', { privateKeyFile: '/none' }, /privateKeyFile of .*found "\/none" \(ENOENT\)/],
  ['a text that is no key', { privateKey: 'a-secret' }, /privateKey of .*found a key that is none/],
  ['a number', { privateKey: 7 }, /privateKey of .*found a key that is none/],
  ['a weak key', { privateKey: weak.privateKey }, /RSA key of 2048 bits/],
  ['a public key', { privateKey: rsa.publicKey }, /can not decrypt/],
  ['a signing key', { privateKey: pemOf(ed25519.privateKey) }, /can not decrypt/],
  [
    'algorithms of another type',
    { privateKey: ec.privateKey, algorithms: ['RSA-OAEP'] },
    /algorithms of .*found \["RSA-OAEP"\], allowed: with this key one or more of ECDH-ES, /
  ],
  ['RSA1_5', { privateKey: rsa.privateKey, algorithms: ['RSA1_5'] }, /found \["RSA1_5"\]/],
  ['no algorithm', { privateKey: rsa.privateKey, algorithms: [] }, /found \[\]/]
]

for (const [name, options, message] of bad) {
  t.test(`${name} stops the start, and the key is not shown`, async (t) => {
    const create = () => createDecryption(options as DecryptionOptions)
    t.throws(create, { name: 'TypeError', message })
    t.throws(create, { message: /^((?!a-secret).)*$/ })
  })
}

import { generateKeyPairSync } from 'node:crypto'
import t from 'tap'
import type { IssuerOptions } from '../../../src/issuer/issuer-options.ts'
import { createTrustedIssuers } from '../../../src/issuer/trusted-issuers.ts'

const issuer = 'https://id.example.com'
const audience = 'https://api.example.com'
const secret = 'nobody-may-see-this'
const pem = (type: 'rsa', bits: number): string =>
  String(
    generateKeyPairSync(type, { modulusLength: bits }).privateKey.export({
      format: 'pem',
      type: 'pkcs8'
    })
  )
const pemOfCurve = (namedCurve: string): string =>
  String(
    generateKeyPairSync('ec', { namedCurve }).privateKey.export({ format: 'pem', type: 'pkcs8' })
  )
const files: Readonly<Record<string, string>> = {
  '/secret': `${secret}\n`,
  '/empty': '\n',
  '/key.pem': pem('rsa', 2048),
  '/weak.pem': pem('rsa', 1024),
  '/p-384.pem': pemOfCurve('P-384'),
  '/jwk': JSON.stringify({ kty: 'oct', k: secret })
}

function readFile(path: string): string {
  const text = files[path]
  if (text === undefined) throw Object.assign(new Error(path), { code: 'ENOENT' })
  return text
}

function create(...issuers: Partial<IssuerOptions>[]) {
  const options = issuers.map((one) => ({ issuer, audience, ...one }))
  return createTrustedIssuers(options, { prepare: () => () => true, readFile })
}

const opaque = { tokens: ['opaque'] } as const
const bad: [string, unknown, RegExp][] = [
  ['no kind of token', { tokens: [] }, /^tokens of .*: found \[\], allowed: one or more/],
  ['an unknown kind', { tokens: ['jwe'] }, /^tokens of .*found \["jwe"\]/],
  ['opaque without introspection', opaque, /^introspection of .*: found nothing, allowed: an obj/],
  [
    'introspection without opaque',
    { introspection: { clientId: 'api', clientSecret: secret } },
    /^introspection of .*: found a value, allowed: nothing, or "opaque" among tokens/
  ],
  ['no client', introspection({ clientSecret: secret }), /^introspection.clientId of .*nothing/],
  ['no credentials', introspection({}, 'api'), /^introspection.authMethod .* no credentials/],
  [
    'two secrets',
    introspection({ clientSecret: secret, clientSecretFile: '/secret' }, 'api'),
    /found client_secret_basic with clientSecret and clientSecretFile, allowed: one of/
  ],
  [
    'a secret beside a key',
    introspection({ clientSecret: secret, privateKeyFile: '/key.pem' }, 'api'),
    /found private_key_jwt with clientSecret and privateKeyFile, allowed: privateKeyFile alone/
  ],
  [
    'a key for a method with secrets',
    introspection({ authMethod: 'client_secret_post', privateKeyFile: '/key.pem' }, 'api'),
    /found client_secret_post with privateKeyFile, allowed: one of clientSecret/
  ],
  [
    'a secret for a method with keys',
    introspection({ authMethod: 'private_key_jwt', clientSecret: secret }, 'api'),
    /found private_key_jwt with clientSecret, allowed: privateKeyFile alone/
  ],
  [
    'an unknown method',
    introspection({ authMethod: 'none', clientSecret: secret }, 'api'),
    /^introspection.authMethod .*found "none", allowed: client_secret_basic/
  ],
  [
    'a secret that is no text',
    introspection({ clientSecret: [secret] }, 'api'),
    /^introspection.clientSecret of .*allowed: a secret/
  ],
  ['no such file', introspection({ clientSecretFile: '/none' }, 'api'), /"\/none" \(ENOENT\)/],
  ['an empty file', introspection({ clientSecretFile: '/empty' }, 'api'), /which is empty/],
  ['a file without key', introspection({ privateKeyFile: '/secret' }, 'api'), /private RSA key/],
  ['a weak key', introspection({ privateKeyFile: '/weak.pem' }, 'api'), /2048 bits or more/],
  ['a symmetric key', introspection({ privateKeyFile: '/jwk' }, 'api'), /private RSA key/],
  [
    'FAPI-3: a key for another algorithm than those of the profile',
    { profile: 'fapi2', ...introspection({ privateKeyFile: '/p-384.pem' }, 'api') },
    /^introspection.privateKeyFile of .*found "\/p-384.pem", .* for one of PS256, ES256, EdDSA, Ed25519$/
  ],
  [
    'FAPI-3: the same for exchanged tokens',
    {
      profile: 'fapi2',
      ...introspection({ privateKeyFile: '/key.pem' }, 'api'),
      tokenExchange: { clientId: 'api', privateKeyFile: '/p-384.pem' }
    },
    /^tokenExchange.privateKeyFile of .* for one of PS256, ES256, EdDSA, Ed25519$/
  ],
  [
    'a time that is none',
    introspection({ clientSecret: secret, cacheSeconds: -1 }, 'api'),
    /^introspection.cacheSeconds of .*found -1, allowed: 0 to 3600 seconds/
  ],
  [
    'a switch that is none',
    introspection({ clientSecret: secret, signedAnswers: 'yes' }, 'api'),
    /^introspection.signedAnswers of .*found "yes", allowed: true or false/
  ]
]

function introspection(options: object, clientId?: string) {
  return { ...opaque, introspection: { clientId, ...options } }
}

for (const [name, options, message] of bad) {
  void t.test(`stops the start with one line: ${name}`, async (t) => {
    t.throws(() => create(options as Partial<IssuerOptions>), { name: 'TypeError', message })
    try {
      create(options as Partial<IssuerOptions>)
    } catch (error) {
      const { message } = error as Error
      t.match(message, issuer, 'says which issuer')
      t.notMatch(message, secret)
      t.notMatch(message, '\n')
    }
  })
}

void t.test('takes a secret, a file with one, or a file with a key', async (t) => {
  for (const credentials of [
    { clientSecret: secret },
    { clientSecretFile: '/secret', authMethod: 'client_secret_post' },
    { privateKeyFile: '/key.pem', cacheSeconds: 0 },
    { privateKeyFile: '/p-384.pem' }
  ] as const) {
    const trusted = create({ ...opaque, introspection: { clientId: 'api', ...credentials } })
    t.match(trusted.get(issuer), { verifiesJwts: false, opaqueTokens: Function })
  }
  t.match(create({}).get(issuer), { verifiesJwts: true, opaqueTokens: undefined })
})

void t.test('one issuer of an API may have opaque tokens', async (t) => {
  const options = { ...opaque, introspection: { clientId: 'api', clientSecret: secret } }
  const other = 'https://other.example.com'
  t.throws(() => create(options, { ...options, issuer: other }), {
    message:
      /^tokens of https:\/\/other.example.com: found a second issuer .* allowed: opaque tokens of one/
  })
  t.equal(create(options, { issuer: other }).values().length, 2)
})

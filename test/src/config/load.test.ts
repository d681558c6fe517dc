import t from 'tap'
import { ConfigError } from '../../../src/config/error.ts'
import { loadConfig } from '../../../src/config/load.ts'

const issuer = { OIDC_ISSUER: 'https://id.example.com', OIDC_AUDIENCE: 'https://api.example.com' }

/** Loads a configuration whose file, if any, holds `file`. */
function load(env: Record<string, string>, file?: unknown) {
  if (file === undefined) return loadConfig(env, readNothing)
  const text = typeof file === 'string' ? file : JSON.stringify(file)
  return loadConfig({ ...env, LATCHKEY_CONFIG: '/etc/latchkey.json' }, () => text)
}

function readNothing(path: string): string {
  throw Object.assign(new Error(path), { code: 'ENOENT' })
}

t.test('an empty environment gives the defaults and no issuer', async (t) => {
  t.same(load({}), {
    host: '127.0.0.1',
    port: 3000,
    logLevel: 'info',
    issuers: [],
    dataDir: './data',
    trustProxy: [],
    clientCertFrom: [],
    corsOrigins: [],
    metrics: 'public',
    rateLimit: 'principal=6000/60, address=30000/60, failed=3000/60'
  })
})

t.test('variables give every setting, issuers byte for byte', async (t) => {
  const config = load({
    HOST: '::',
    PORT: '0',
    LOG_LEVEL: 'warn',
    PUBLIC_URL: 'https://api.example.com/v1',
    OIDC_ISSUER: 'https://ID.example.com/realms/a/',
    OIDC_AUDIENCE: 'https://api.example.com, other',
    DATABASE_URL: 'postgres://u:p@db/x',
    DATA_DIR: 'memory://',
    REDIS_URL: 'rediss://u:p@state:6380/1',
    TRUST_PROXY: '10.0.0.0/8,::1',
    CORS_ORIGINS: 'https://app.example.com,capacitor://localhost',
    METRICS: 'off',
    RATE_LIMIT: 'off',
    NODE_ENV: 'production',
    PATH: '/bin'
  })
  t.same(config, {
    host: '::',
    port: 0,
    logLevel: 'warn',
    publicUrl: 'https://api.example.com/v1',
    issuers: [
      {
        issuer: 'https://ID.example.com/realms/a/',
        audience: ['https://api.example.com', 'other']
      }
    ],
    databaseUrl: 'postgres://u:p@db/x',
    dataDir: 'memory://',
    trustProxy: ['10.0.0.0/8', '::1'],
    clientCertFrom: [],
    redisUrl: 'rediss://u:p@state:6380/1',
    corsOrigins: ['https://app.example.com', 'capacitor://localhost'],
    metrics: 'off',
    rateLimit: 'off'
  })
})

t.test('the file gives what variables do not, and a variable wins over it', async (t) => {
  const issuers = [
    {
      issuer: 'http://127.0.0.1:9000/a',
      audience: 'api',
      algorithms: ['ES256'],
      typ: ['at+jwt'],
      userinfo: 'off',
      claims: { roles: ['realm_access.roles', 'https://api.example.com/roles'], client: 'cid' },
      preset: 'okta',
      audienceClaim: 'client_id',
      requiredClaims: [{ use: 'access' }, { use: ['a', true], level: 2 }],
      idTokenMarks: ['nonce'],
      clockTolerance: 0
    },
    { issuer: 'https://b.example', audience: ['api'] }
  ]
  const config = load({ PORT: '1' }, { port: 2, host: 'localhost', issuers })
  t.equal(config.port, 1)
  t.equal(config.host, 'localhost')
  t.same(config.issuers, issuers)
})

t.test('a secret can come from a file', async (t) => {
  const files: Record<string, string> = {
    '/db': 'postgres://u:p@db/x\n',
    '/redis': 'redis://:p@r\n'
  }
  const config = loadConfig(
    { DATABASE_URL_FILE: '/db', REDIS_URL_FILE: '/redis' },
    (path) => files[path] ?? readNothing(path)
  )
  t.equal(config.databaseUrl, 'postgres://u:p@db/x')
  t.equal(config.redisUrl, 'redis://:p@r')
})

t.test('http issuers are trusted on loopback hosts only', async (t) => {
  for (const host of ['localhost:1', '127.0.0.1', '127.9.8.7:80', '[::1]:3']) {
    const url = `http://${host}/x`
    t.equal(load({ ...issuer, OIDC_ISSUER: url }).issuers[0]?.issuer, url)
  }
})

const badVariables: Record<string, Record<string, string>> = {
  PORT: { a: 'x', b: '-1', c: '65536', d: '', e: '1.5', f: '0x10', g: ' 1' },
  HOST: { a: '', b: 'a b', x: 'localhost:3000', y: '300.1.1.1', z: 'fe80::1%eth0', zz: '[::1]' },
  LOG_LEVEL: { a: 'verbose', b: '' },
  PUBLIC_URL: {
    a: 'api.example.com',
    b: 'http://api.example.com',
    c: 'https://api.example.com/',
    d: 'https://a.example?x',
    e: 'https://a.example#',
    f: 'ftp://a.example'
  },
  OIDC_ISSUER: {
    a: '',
    b: 'http://id.example.com',
    c: 'https://id.example.com?x=1',
    d: 'https://id.example.com#',
    e: 'id.example.com',
    f: 'https://id.example.com ',
    g: 'http://127.0.0.1.evil.example',
    h: 'http://localhost.evil.example',
    i: 'https://u:pw@id.example.com',
    j: 'https:id.example.com'
  },
  OIDC_AUDIENCE: { a: '', b: 'a,,b' },
  DATABASE_URL: { a: 'mysql://u:pw@h/x', b: 'pw', c: 'postgres://', d: '' },
  DATA_DIR: { a: '', b: 's3://bucket' },
  REDIS_URL: { a: 'http://u:pw@h', b: 'pw', c: 'redis://', d: '' },
  TRUST_PROXY: {
    a: 'true',
    b: '1',
    c: 'loopback',
    d: '10.0.0.0/33',
    e: '0.0.0.0/0',
    f: '::/129',
    g: '1.2.3.4/8/9',
    h: '*'
  },
  CORS_ORIGINS: {
    a: '*',
    b: 'https://a.example/',
    c: 'https://A.example',
    d: 'null',
    e: 'a.example',
    f: 'https://*.a.example',
    g: 'https://a.example:443'
  },
  METRICS: { a: 'on', b: 'private' },
  RATE_LIMIT: { a: 'on', b: '100', c: 'principal=1', d: 'user=5/60' },
  LATCHKEY_CONFIG: { a: '/absent.json' },
  DATABASE_URL_FILE: { a: '/absent' }
}

for (const [setting, values] of Object.entries(badVariables))
  t.test(`OWASP-8: a bad ${setting} is refused in one line that names it`, async (t) => {
    for (const value of Object.values(values)) {
      const error = t.throws(() => load({ ...issuer, [setting]: value })) as ConfigError
      t.type(error, ConfigError, value)
      t.match(error.message, new RegExp(`^${setting}: found .+, allowed: .+$`), value)
      t.notMatch(error.message, /\n|pw/, value)
    }
  })

const badFiles: Record<string, [unknown, RegExp]> = {
  'a file that is no JSON': ['{', /^LATCHKEY_CONFIG: found "\/etc\/latchkey.json", which holds no/],
  'a file that is a list': [[], /^LATCHKEY_CONFIG: found .+ holds no JSON object/],
  'an unknown member': [{ prot: 1 }, /^LATCHKEY_CONFIG prot: .+unknown setting.+mean port\?\)$/],
  'a prototype': ['{"__proto__":{"port":1}}', /^LATCHKEY_CONFIG __proto__: found an unknown/],
  'a bad value': [{ port: '3000' }, /^LATCHKEY_CONFIG port: found "3000", allowed: an integer/],
  'an unknown member of an issuer': [
    { issuers: [{ issuer: 'https://a', audience: 'b', audiences: [] }] },
    /^LATCHKEY_CONFIG issuers\[0\]\.audiences: found an unknown.+mean audience\?/
  ],
  'a misspelt member, which makes another one missing': [
    { issuers: [{ issuer: 'https://a', audiance: 'b' }] },
    /^LATCHKEY_CONFIG issuers\[0\]\.audiance: found an unknown.+mean audience\?/
  ],
  'an empty list of issuers': [
    { issuers: [] },
    /^LATCHKEY_CONFIG issuers: found an empty list, allowed: one issuer or more$/
  ],
  'an issuer without audience': [
    { issuers: [{ issuer: 'https://a' }] },
    /^LATCHKEY_CONFIG issuers\[0\]\.audience: found nothing, allowed: the audience/
  ],
  'an empty list of audiences': [
    { issuers: [{ issuer: 'https://a', audience: [] }] },
    /^LATCHKEY_CONFIG issuers\[0\]\.audience: found \[\], allowed: the audience/
  ],
  'an audience that is no text': [
    { issuers: [{ issuer: 'https://a', audience: [7] }] },
    /^LATCHKEY_CONFIG issuers\[0\]\.audience\S*: found \S+, allowed: the audience/
  ],
  'a symmetric algorithm': [
    { issuers: [{ issuer: 'https://a', audience: 'b', algorithms: ['HS256'] }] },
    /^LATCHKEY_CONFIG issuers\[0\]\.algorithms\[0\]: found "HS256", allowed: RS256/
  ],
  'an unknown claim name': [
    { issuers: [{ issuer: 'https://a', audience: 'b', claims: { role: 'roles' } }] },
    /^LATCHKEY_CONFIG issuers\[0\]\.claims\.role: found an unknown.+mean roles\?/
  ],
  'a claim without a name': [
    { issuers: [{ issuer: 'https://a', audience: 'b', claims: { roles: 'a..b' } }] },
    /^LATCHKEY_CONFIG issuers\[0\]\.claims\.roles: found "a\.\.b", allowed: .*claim/
  ],
  'an empty list of claims': [
    { issuers: [{ issuer: 'https://a', audience: 'b', claims: { roles: [] } }] },
    /^LATCHKEY_CONFIG issuers\[0\]\.claims\.roles: found \[\], allowed: one or more claims/
  ],
  'an unknown preset': [
    { issuers: [{ issuer: 'https://a', audience: 'b', preset: 'Okta' }] },
    /^LATCHKEY_CONFIG issuers\[0\]\.preset: found "Okta", allowed: keycloak, auth0, okta/
  ],
  'a claim that can not name an audience': [
    { issuers: [{ issuer: 'https://a', audience: 'b', audienceClaim: 'sub' }] },
    /^LATCHKEY_CONFIG issuers\[0\]\.audienceClaim: found "sub", allowed: aud, client_id/
  ],
  'required claims without a value': [
    { issuers: [{ issuer: 'https://a', audience: 'b', requiredClaims: { use: null } }] },
    /^LATCHKEY_CONFIG issuers\[0\]\.requiredClaims\.use: found null, allowed: claims with/
  ],
  'an unknown mark': [
    { issuers: [{ issuer: 'https://a', audience: 'b', idTokenMarks: ['typ'] }] },
    /^LATCHKEY_CONFIG issuers\[0\]\.idTokenMarks\[0\]: found "typ", allowed: nonce, own_audience/
  ],
  'a fault among several issuers': [
    {
      issuers: [
        { issuer: 'https://a', audience: 'b' },
        { issuer: 'https://c', audience: 'd', typ: 'JWT' }
      ]
    },
    /^LATCHKEY_CONFIG issuers\[1\]\.typ of "https:\/\/c": found "JWT", allowed: a list of token types/
  ],
  'an unknown member among several issuers': [
    {
      issuers: [
        { issuer: 'https://a', audience: 'b' },
        { issuer: 'https://c', audiences: 'd' }
      ]
    },
    /^LATCHKEY_CONFIG issuers\[1\]\.audience\S* of "https:\/\/c": found /
  ],
  'tenants that are no list': [
    { issuers: [{ issuer: 'https://a/{tenantid}', audience: 'b', tenants: 'all' }] },
    /^LATCHKEY_CONFIG issuers\[0\]\.tenants: found "all", allowed: a list of tenant ids, or "any"/
  ],
  'the same issuer twice': [
    {
      issuers: [
        { issuer: 'https://a', audience: 'b' },
        { issuer: 'https://a', audience: 'c' }
      ]
    },
    /^LATCHKEY_CONFIG issuers: found "https:\/\/a" twice/
  ]
}

for (const [name, [file, message]] of Object.entries(badFiles))
  t.test(`${name} is refused`, async (t) => {
    t.throws(() => load({}, file), { name: 'ConfigError', message })
  })

t.test('OWASP-8: a variable hides no wrong setting of the file', async (t) => {
  for (const [env, file, message] of [
    [{ PORT: '1' }, { port: 'x' }, /^LATCHKEY_CONFIG port: found "x", allowed: an integer/],
    [{ HOST: '::1' }, { host: '' }, /^LATCHKEY_CONFIG host: found "", allowed: a host name/],
    [{ CORS_ORIGINS: 'https://a' }, { corsOrigins: '*' }, /^LATCHKEY_CONFIG corsOrigins: found/],
    [{ REDIS_URL: 'redis://a' }, { redisUrl: 'pw' }, /^LATCHKEY_CONFIG redisUrl: found a value w/]
  ] as const)
    t.throws(() => load(env, file), { name: 'ConfigError', message })
  const bad = () => load({ PORT: 'x' }, { port: 1 })
  t.throws(bad, { message: /^PORT: found "x"/ }, 'nor does the file hide one of a variable')
})

t.test('settings that do not go together are refused', async (t) => {
  const cases: Record<string, [Record<string, string>, unknown?]> = {
    'OIDC_AUDIENCE: found nothing': [{ OIDC_ISSUER: 'https://a' }],
    'OIDC_ISSUER: found nothing': [{ OIDC_AUDIENCE: 'b' }],
    'OIDC_ISSUER: found a value beside "issuers"': [issuer, { issuers: [] }],
    'OIDC_AUDIENCE: found a value beside "issuers"': [{ OIDC_AUDIENCE: 'b' }, { issuers: [] }],
    'DATABASE_URL_FILE: found DATABASE_URL beside it': [
      { DATABASE_URL: 'memory://', DATABASE_URL_FILE: '/x' }
    ],
    'OIDC_AUDIANCE: found an unknown setting': [{ OIDC_AUDIANCE: 'b' }],
    'LATCHKEY_CONF: found an unknown setting': [{ LATCHKEY_CONF: 'b' }]
  }
  for (const [start, [env, file]] of Object.entries(cases))
    t.match((t.throws(() => load(env, file)) as Error).message, start)
})

t.test('a typing error is answered with the name that was meant', async (t) => {
  t.throws(() => load({ OIDC_AUDIANCE: 'b' }), { message: /did you mean OIDC_AUDIENCE\?/ })
})

t.test('OWASP-2: production without an issuer is refused', async (t) => {
  t.throws(() => load({ NODE_ENV: 'production' }), { message: /^OIDC_ISSUER: found nothing, / })
  t.equal(load({ ...issuer, NODE_ENV: 'production' }).issuers.length, 1)
})

t.test('UserInfo, token exchange and decryption are set up in the file', async (t) => {
  const entry = { issuer: 'https://id.example.com', audience: 'https://api.example.com' }
  const secret = 'nobody-may-see-this'
  const tokenExchange = { clientId: 'api', clientSecret: secret, audience: 'userinfo' }
  const decryption = { privateKeyFile: '/run/secrets/key', algorithms: ['ECDH-ES'] }
  const good = { ...entry, userinfo: 'exchange', tokenExchange, decryption }
  t.same(load({}, { issuers: [good] }).issuers, [good])
  const endpoint = 'https://id.example.com/introspect'
  const introspection = { clientId: 'api', clientSecretFile: '/run/secrets/api', endpoint }
  const asking = { ...entry, userinfo: 'introspection', introspection }
  t.same(load({}, { issuers: [asking] }).issuers, [asking])
  for (const [change, message] of [
    [{ userinfo: 'on' }, /userinfo: found "on", allowed: forward, exchange, introspection, claims/],
    [{ tokenExchange: { ...tokenExchange, clientSecret: [secret] } }, /a value that is not shown/],
    [{ tokenExchange: secret }, /a value that is not shown/],
    [{ introspection: secret }, /a value that is not shown/],
    [
      { tokenExchange: { ...tokenExchange, resource: '/me' } },
      /found "\/me", allowed: a URL without/
    ],
    [{ tokenExchange: { ...tokenExchange, client: 'x' } }, /tokenExchange.client: .*clientId/],
    [{ decryption: { privateKey: secret } }, /decryption/],
    [{ decryption: { ...decryption, algorithms: ['RSA1_5'] } }, /algorithms\[0\]: found "RSA1_5"/],
    [{ introspection: { ...introspection, endpoint: 'http://id.example.com' } }, /endpoint: found/]
  ] as const) {
    const create = () => load({}, { issuers: [{ ...good, ...change }] })
    t.throws(create, { name: 'ConfigError', message })
    t.throws(create, { message: /^((?!nobody-may).)*$/ })
  }
})

t.test('opaque tokens are set up in the file, and no message shows the secret', async (t) => {
  const entry = { issuer: 'https://id.example.com', audience: 'https://api.example.com' }
  const secret = 'nobody-may-see-this'
  const introspection = { clientId: 'api', clientSecret: secret, cacheSeconds: 10 }
  const good = { ...entry, tokens: ['jwt', 'opaque'], introspection }
  t.same(load({}, { issuers: [good] }).issuers, [good])
  for (const [file, message] of [
    [{ issuers: [{ ...entry, tokens: ['jwe'] }] }, /issuers\[0\].tokens\[0\]: found "jwe"/],
    [
      { issuers: [{ ...good, introspection: { clientSecret: secret } }] },
      /issuers\[0\].introspection.clientId: found nothing/
    ],
    [
      { issuers: [{ ...good, introspection: { clientId: 'api', clientSecret: [secret] } }] },
      /introspection.clientSecret: found a value that is not shown/
    ],
    [
      { issuers: [{ ...good, introspection: { ...introspection, cacheSeconds: -1 } }] },
      /introspection.cacheSeconds: found -1, allowed: seconds, from 0 to 3600/
    ],
    [{ issuers: [{ ...good, introspection: [introspection] }] }, /introspection: found/],
    [{ issuers: good }, /issuers: found/]
  ] as const) {
    t.throws(() => load({}, file), { name: 'ConfigError', message })
    try {
      load({}, file)
    } catch (error) {
      t.notMatch((error as Error).message, secret)
    }
  }
})

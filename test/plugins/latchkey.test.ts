import { inspect } from 'node:util'
import fastifyJwt from '@fastify/jwt'
import Fastify, { type FastifyInstance } from 'fastify'
import fp from 'fastify-plugin'
import type { Test } from 'tap'
import t from 'tap'
import latchkey, { type LatchkeyOptions, type Principal } from '../../src/index.ts'
import { startTestIssuer } from '../../src/testing.ts'

const issuer = await startTestIssuer({ algorithms: ['RS256'] })
const other = await startTestIssuer({ algorithms: ['RS256'] })
for (const one of [issuer, other]) t.teardown(() => one.close())
const bearer = (token: string) => ({ authorization: `Bearer ${token}` })
const good = bearer(await issuer.mint({ scope: 'a b' }))

function create(t: Test): FastifyInstance {
  const app = Fastify()
  t.teardown(() => app.close())
  return app
}

async function guarded(t: Test): Promise<FastifyInstance> {
  const app = create(t)
  await app.register(latchkey, issuer.options)
  return app
}

/** The statuses of a URL without credentials and with a good token. */
async function statuses(app: FastifyInstance, url: string): Promise<number[]> {
  const answers = [await app.inject({ url }), await app.inject({ url, headers: good })]
  return answers.map(({ statusCode }) => statusCode)
}

void t.test('deny by default: a route that says nothing needs a token', async (t) => {
  const app = await guarded(t)
  app.get('/silent', () => 'x')
  app.get('/empty', { config: {} }, () => 'x')
  app.get('/any', { config: { auth: {} } }, () => 'x')
  app.get('/public', { config: { auth: false } }, () => 'x')
  for (const url of ['/silent', '/empty', '/any'])
    t.strictSame(await statuses(app, url), [401, 200], url)
  t.strictSame(await statuses(app, '/public'), [200, 200])
})

void t.test('a public route does not look at credentials, and has no principal', async (t) => {
  const app = await guarded(t)
  app.get('/public', { config: { auth: false } }, (request) => ({ principal: request.principal }))
  for (const headers of [good, bearer('x'), { authorization: 'Bearer' }]) {
    const answer = await app.inject({ url: '/public', headers })
    t.equal(answer.body, '{"principal":null}')
  }
})

void t.test('HEAD is guarded as GET', async (t) => {
  const app = await guarded(t)
  app.get('/scoped', { config: { auth: { scopes: ['c'] } } }, () => 'x')
  app.get('/open', { config: { auth: false } }, () => 'x')
  const head = (url: string, headers = {}) => app.inject({ method: 'HEAD', url, headers })
  t.equal((await head('/scoped')).statusCode, 401)
  const answer = await head('/scoped', good)
  t.equal(answer.statusCode, 403)
  t.match(answer.headers['www-authenticate'], /scope="c"/)
  t.equal(answer.body, '')
  t.equal((await head('/open')).statusCode, 200)
})

void t.test('FY-8: routes around, before and below the registration are guarded', async (t) => {
  const app = create(t)
  app.get('/before', () => 'x')
  app.get('/before/public', { config: { auth: false } }, () => 'x')
  app.get('/before/scoped', { config: { auth: { scopes: ['c'] } } }, () => 'x')
  app.register(async (child) => void child.get('/before/child', () => 'x'))
  app.register(latchkey, issuer.options)
  app.register(async (child) => void child.get('/child', () => 'x'), { prefix: '/v1' })
  app.register(fp(async (same) => void same.get('/plugin', () => 'x')))
  app.after(() => void app.get('/after', () => 'x'))
  await app.ready()
  for (const url of ['/before', '/before/child', '/v1/child', '/plugin', '/after'])
    t.strictSame(await statuses(app, url), [401, 200], url)
  t.strictSame(await statuses(app, '/before/public'), [200, 200])
  t.strictSame(await statuses(app, '/before/scoped'), [401, 403])
})

void t.test('a context without the plugin is not guarded by its sibling', async (t) => {
  const app = create(t)
  app.register(async (api) => {
    await api.register(latchkey, issuer.options)
    api.get('/api', () => 'x')
  })
  app.register(async (rest) => void rest.get('/rest', () => 'x'))
  t.strictSame(await statuses(app, '/api'), [401, 200])
  t.strictSame(await statuses(app, '/rest'), [200, 200])
})

void t.test('BCP-3: sibling contexts trust different issuers', async (t) => {
  const app = create(t)
  for (const [prefix, { options }] of Object.entries({ '/a': issuer, '/b': other }))
    app.register(
      async (api) => {
        await api.register(latchkey, options)
        api.get('/who', (request) => request.principal.issuer)
        t.strictSame(api.latchkey.issuers, [options.issuer])
      },
      { prefix }
    )
  const tokens = { '/a': await issuer.mint(), '/b': await other.mint() }
  for (const [home, token] of Object.entries(tokens))
    for (const prefix of ['/a', '/b']) {
      const answer = await app.inject({ url: `${prefix}/who`, headers: bearer(token) })
      t.equal(answer.statusCode, home === prefix ? 200 : 401, `${home} in ${prefix}`)
    }
})

void t.test('a registration within another is refused', async (t) => {
  const app = await guarded(t)
  const message = /^latchkey: found a registration in this context or around it, allowed: one/
  const nested = app.register(async (child) => {
    await child.register(latchkey, other.options)
  })
  await t.rejects(Promise.resolve(nested), { name: 'TypeError', message })
})

const badDeclarations: Record<string, unknown> = {
  true: true,
  null: null,
  'a scope alone': 'a',
  'no scopes': { scopes: [] },
  'two scopes in one': { scopes: ['a b'] },
  'an unknown member': { scope: ['a'] },
  'anyScope that is text': { anyScope: 'a' }
}
for (const [name, auth] of Object.entries(badDeclarations))
  void t.test(`a declaration of ${name} is refused when the route is declared`, async (t) => {
    const app = await guarded(t)
    const declare = () => app.get('/bad', { config: { auth: auth as false } }, () => 'x')
    t.throws(declare, { name: 'TypeError', message: /^config\.auth.*: found .*, allowed: / })
  })

void t.test('a route with roles is refused where no issuer says where its roles are', async (t) => {
  const auth = { roles: ['admin'] }
  const unmapped = await guarded(t)
  t.throws(() => unmapped.get('/admin', { config: { auth } }, () => 'x'), {
    name: 'TypeError',
    message: /^config\.auth\.roles: found \["admin"\], allowed: only with .+ claims\.roles/
  })
  const mapped = create(t)
  const roles = { ...other.options, claims: { roles: 'roles' } }
  await mapped.register(latchkey, { issuers: [issuer.options, roles] })
  mapped.get('/admin', { config: { auth } }, () => 'x')
  t.strictSame(await statuses(mapped, '/admin'), [401, 403])
})

void t.test('a bad declaration on a route before the plugin never opens it', async (t) => {
  const app = create(t)
  app.get('/before', { config: { auth: { scope: 'a' } as object } }, () => 'x')
  await app.register(latchkey, issuer.options)
  t.strictSame(await statuses(app, '/before'), [500, 500])
})

const nothing = { issuer: undefined, audience: undefined }

const withDpop = { dpop: 'optional', publicUrl: 'https://api.example.com' }
const secret = 'x'.repeat(32)
const badOptions: [name: string, options: object][] = [
  ['issuer', { issuer: undefined }],
  ['issuer', { issuer: 'https://id.example.com/?x' }],
  ['issuer', { issuer: 'id.example.com' }],
  ['issuer', { issuer: '' }],
  ['audience', { audience: undefined }],
  ['audience', { audience: '' }],
  ['audience', { audience: [] }],
  ['audience', { audience: ['a', ''] }],
  ['algorithms', { algorithms: ['HS256'] }],
  ['algorithms', { algorithms: ['none'] }],
  ['typ', { typ: [] }],
  ['clockTolerance', { clockTolerance: 301 }],
  ['clockTolerance', { clockTolerance: Number.NaN }],
  ['userinfo', { userinfo: 'yes' }],
  ['claims', { claims: 'realm_access.roles' }],
  ['claims.role', { claims: { role: 'roles' } }],
  ['claims.roles', { claims: { roles: '' } }],
  ['claims.roles', { claims: { roles: [] } }],
  ['claims.roles', { claims: { roles: 'a..b' } }],
  ['claims.roles', { claims: { roles: [['a']] } }],
  ['scopeImplies', { scopeImplies: ['a'] }],
  ['scopeImplies', { scopeImplies: { 'a b': ['c'] } }],
  ['scopeImplies', { scopeImplies: { a: ['a'] } }],
  ['scopeImplies', { scopeImplies: { a: ['b'], b: ['c', 'd'], d: ['e', 'a'] } }],
  ['scopeImplies\\["a"\\]', { scopeImplies: { a: [] } }],
  ['scopeImplies\\["a"\\]', { scopeImplies: { a: 'b' } }],
  ['scopeImplies\\["a"\\]', { scopeImplies: { a: ['b c'] } }],
  ['realm', { realm: 'a"b' }],
  ['publicUrl', { publicUrl: 'api.example.com' }],
  ['publicUrl', { publicUrl: 'http://api.example.com' }],
  ['algorithm', { algorithm: ['RS256'] }],
  ['dpop', { dpop: true }],
  ['publicUrl', { dpop: 'required' }],
  ['mtls', { mtls: 'on' }],
  ['clientCertFrom', { mtls: 'optional' }],
  ['clientCertFrom', { clientCertFrom: ['10.0.0.1'] }],
  ['clientCertFrom', { mtls: 'optional', clientCertFrom: ['proxy'] }],
  ['clientCertFrom', { mtls: 'optional', clientCertFrom: '10.0.0.1' }],
  ['redisUrl', { redisUrl: 'http://localhost' }],
  ['dpopProofs', { dpopProofs: { nonces: true } }],
  ['dpopProofs', { ...withDpop, dpopProofs: true }],
  ['dpopProofs.nonce', { ...withDpop, dpopProofs: { nonce: true } }],
  ['dpopProofs.nonces', { ...withDpop, dpopProofs: { nonces: 'on' } }],
  ['dpopProofs.algorithms', { ...withDpop, dpopProofs: { algorithms: ['HS256'] } }],
  ['dpopProofs.nonceSecret', { ...withDpop, dpopProofs: { nonceSecret: secret } }],
  ['dpopProofs.nonceSecret', { ...withDpop, dpopProofs: { nonces: true, nonceSecret: 'short' } }],
  [
    'dpopProofs.nonceSecretFile',
    { ...withDpop, dpopProofs: { nonces: true, nonceSecretFile: '/nowhere' } }
  ],
  [
    'dpopProofs.nonceSecretFile',
    { ...withDpop, dpopProofs: { nonces: true, nonceSecret: secret, nonceSecretFile: '/x' } }
  ],
  ['issuer', { issuers: [issuer.options] }],
  ['issuers', { ...nothing, issuers: [] }],
  ['issuers', { ...nothing, issuers: issuer.issuer }],
  ['issuers', { ...nothing, issuers: [null] }]
]
for (const [name, options] of badOptions)
  void t.test(
    `FJ-2, PRM-3: ${name} in ${inspect(options)} is refused at registration`,
    async (t) => {
      const registered = create(t).register(latchkey, {
        ...issuer.options,
        ...options
      } as LatchkeyOptions)
      const message = new RegExp(`^${name}( of http\\S+)?: found .*, allowed: `)
      await t.rejects(Promise.resolve(registered), { name: 'TypeError', message })
    }
  )

void t.test('an issuer that is listed twice is refused', async (t) => {
  const registered = create(t).register(latchkey, { issuers: [issuer.options, issuer.options] })
  await t.rejects(Promise.resolve(registered), /is listed twice/)
})

void t.test('FJ-9: handlers share one principal, which none of them can change', async (t) => {
  const app = await guarded(t)
  app.get('/who', (request) => {
    const principal: Principal = request.principal
    t.throws(() => Object.assign(principal, { scopes: ['admin'] }), TypeError)
    t.throws(() => (principal.scopes as string[]).push('admin'), TypeError)
    t.throws(() => Object.assign(principal.claims, { admin: true }), TypeError)
    return { subject: principal.subject, scopes: principal.scopes }
  })
  for (let round = 0; round < 4; round++) {
    const answer = await app.inject({ url: '/who', headers: good })
    t.strictSame(answer.json(), { subject: 'ada', scopes: ['a', 'b'] })
  }
})

void t.test('the plugin lists the scopes that its routes name', async (t) => {
  const app = await guarded(t)
  app.get('/one', { config: { auth: { scopes: ['b', 'a'] } } }, () => 'x')
  app.register(
    async (child) =>
      void child.get('/two', { config: { auth: { anyScope: ['c', 'a'] } } }, () => 'x')
  )
  await app.ready()
  t.strictSame(app.latchkey.scopes(), ['a', 'b', 'c'])
})

void t.test('a path that is not there is 404, whatever the credentials', async (t) => {
  const app = await guarded(t)
  t.strictSame(await statuses(app, '/nothing'), [404, 404])
})

void t.test('challenges name the metadata of the resource, if its URL is known', async (t) => {
  const app = create(t)
  await app.register(latchkey, { ...issuer.options, publicUrl: 'https://api.example.com/v1' })
  app.get('/x', () => 'x')
  const { headers } = await app.inject('/x')
  const url = 'https://api.example.com/.well-known/oauth-protected-resource/v1'
  t.equal(headers['www-authenticate'], `Bearer realm="api", resource_metadata="${url}"`)
})

void t.test(
  'PRM-1, PRM-2, PRM-6, PRM-7: sibling contexts have metadata of their own where their challenges say',
  async (t) => {
    const app = create(t)
    for (const [name, { options }] of Object.entries({ a: issuer, b: other }))
      app.register(async (child) => {
        await child.register(latchkey, { ...options, publicUrl: `https://api.example.com/${name}` })
        child.get(`/${name}`, () => name)
      })
    for (const [name, { issuer: trusted }] of Object.entries({ a: issuer, b: other })) {
      const { headers } = await app.inject(`/${name}`)
      const [, url = ''] =
        /resource_metadata="([^"]+)"/.exec(String(headers['www-authenticate'])) ?? []
      const metadata = (await app.inject(url)).json()
      t.strictSame(metadata, {
        resource: `https://api.example.com/${name}`,
        authorization_servers: [trusted],
        bearer_methods_supported: ['header']
      })
    }
  }
)

void t.test(
  'PRM-1, PRM-2: where a function tells the public URL, its metadata stands there and at the root',
  async (t) => {
    const app = create(t)
    app.setNotFoundHandler((_request, reply) => reply.code(404).send('nothing here'))
    await app.register(latchkey, { ...issuer.options, publicUrl: () => 'https://h.example/api/v1' })
    const root = '/.well-known/oauth-protected-resource'
    for (const url of [root, `${root}/api/v1`, `${root}/api/v1?a=b`]) {
      const answer = await app.inject(url)
      t.equal(answer.json().resource, 'https://h.example/api/v1', url)
    }
    for (const path of ['/', '/api', '/api/v1/', '/api/v1/x', '/API/v1', '/other', '//api/v1']) {
      const { statusCode, body, headers } = await app.inject(root + path)
      t.strictSame([statusCode, body], [404, 'nothing here'], path)
      t.equal(headers['cache-control'], undefined, path)
    }
  }
)

void t.test('a public URL is refused where its metadata could not stand at the root', async (t) => {
  const app = create(t)
  const options = { ...issuer.options, publicUrl: 'https://api.example.com/a' }
  const nested = app.register(
    async (child) => {
      await child.register(latchkey, options)
    },
    { prefix: '/a' }
  )
  await t.rejects(Promise.resolve(nested), {
    name: 'TypeError',
    message: /^publicUrl: found .*, allowed: /
  })
})

for (const first of ['latchkey', '@fastify/jwt'])
  void t.test(`a consumer uses @fastify/jwt for itself, ${first} first`, async (t) => {
    const app = create(t)
    const registrations = [
      () => app.register(latchkey, issuer.options),
      () => app.register(fastifyJwt, { secret: 'a secret of the consumer' })
    ]
    for (const register of first === 'latchkey' ? registrations : registrations.toReversed())
      await register()
    app.get('/api', (request) => request.principal.subject)
    app.get('/session', { config: { auth: false } }, async (request) => {
      await request.jwtVerify()
      return request.user
    })
    const session = bearer(app.jwt.sign({ session: 1 }))
    t.equal((await app.inject({ url: '/api', headers: good })).body, 'ada')
    t.equal((await app.inject({ url: '/api', headers: session })).statusCode, 401)
    t.match((await app.inject({ url: '/session', headers: session })).json(), { session: 1 })
    t.not((await app.inject({ url: '/session', headers: good })).statusCode, 200)
  })

import swagger from '@fastify/swagger'
import Fastify from 'fastify'
import t, { type Test } from 'tap'
import latchkey, { describeGuards } from '../../src/index.ts'
import type { LatchkeyOptions } from '../../plugins/latchkey.ts'

const issuer = { issuer: 'http://127.0.0.1:1', audience: 'https://api.example.com' }

/** The document of an API of somebody else's, who registers the plugin and @fastify/swagger as the README says. */
async function describe(t: Test, options: Partial<LatchkeyOptions> = {}) {
  const app = Fastify()
  t.teardown(() => app.close())
  await app.register(latchkey, { ...issuer, ...options })
  const { securitySchemes, transform } = describeGuards(app.latchkey)
  const mine = { type: 'apiKey', in: 'header', name: 'x-key' } as const
  const components = { securitySchemes: { ...securitySchemes, mine } }
  const openapi = { openapi: '3.1.0', components }
  await app.register(swagger, { openapi, transform })
  const routes = {
    '/any': undefined,
    '/public': false,
    '/scopes': { scopes: ['a'], anyScope: ['b', 'c'] },
    '/roles': { allow: () => true, acr: ['gold'] },
    '/few': { issuers: ['https://id.example.com'], clients: ['backend'] },
    '/optional': { scopes: ['a'], optional: true },
    '/own': { scopes: ['a'] }
  } as const
  for (const [path, auth] of Object.entries(routes)) {
    const security = path === '/own' ? [{ mine: [] }] : undefined
    const schema = { summary: path, description: 'Mine.', ...(security && { security }) }
    app.get(path, { config: auth === undefined ? {} : { auth }, schema }, async () => 'x')
  }
  app.get('/plain', async () => 'x')
  await app.ready()
  const document = app.swagger() as unknown as {
    paths: Record<string, { get: { security?: object[]; description?: string; summary?: string } }>
    components: { securitySchemes: Record<string, { scheme: string }> }
  }
  return { ...document, of: (path: string) => document.paths[path]?.get }
}

void t.test('a user of the plugin has @fastify/swagger describe routes by guards', async (t) => {
  const { of, components } = await describe(t)
  const bearer = { type: 'http', scheme: 'bearer', description: /, or others that imply them\.$/ }
  t.match(components.securitySchemes, { bearer })
  t.strictSame(of('/any')?.security, [{ bearer: [] }])
  t.strictSame(of('/plain')?.security, [{ bearer: [] }])
  t.strictSame(of('/public')?.security, [])
  t.strictSame(of('/scopes')?.security, [{ bearer: ['a', 'b'] }, { bearer: ['a', 'c'] }])
  t.strictSame(of('/optional')?.security, [{}, { bearer: ['a'] }])
  t.equal(of('/scopes')?.description, 'Mine. Needs the scope `a` and `b` or `c`.')
  t.equal(of('/roles')?.description, 'Mine. Needs a sign-in of class `gold`.')
  const few = 'Mine. Open to tokens of certain issuers only. Open to certain clients only.'
  t.equal(of('/few')?.description, few)
  t.equal(of('/any')?.description, 'Mine.')
  t.equal(of('/any')?.summary, '/any')
  t.notOk('description' in (of('/plain') ?? {}))
  t.strictSame(of('/own')?.security, [{ mine: [] }], 'what the route says itself stays')
})

void t.test('where DPoP is on, its scheme is described as well', async (t) => {
  const publicUrl = 'https://api.example.com'
  const { of, components } = await describe(t, { dpop: 'optional', publicUrl })
  t.strictSame(Object.keys(components.securitySchemes), ['bearer', 'dpop', 'mine'])
  t.strictSame(of('/any')?.security, [{ bearer: [] }, { dpop: [] }])
})

void t.test('routes of a context that nobody guards are left alone', async (t) => {
  const app = Fastify()
  t.teardown(() => app.close())
  let transform
  await app.register(async (guarded) => {
    await guarded.register(latchkey, issuer)
    ;({ transform } = describeGuards(guarded.latchkey))
  })
  const route = { method: 'GET', url: '/x', config: {}, handler: async () => 'x' } as const
  const schema = { summary: 'x' }
  const described = (transform as unknown as (given: object) => object)({
    schema,
    url: '/x',
    route
  })
  t.strictSame(described, { schema, url: '/x' })
})

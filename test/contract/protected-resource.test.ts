import Fastify, { type FastifyInstance } from 'fastify'
import * as oauth from 'oauth4webapi'
import t, { type Test } from 'tap'
import latchkey from '../../src/index.ts'
import { startTestIssuer } from '../../src/testing.ts'
import { appUnderTest } from '../support/app.ts'
import { parseChallenges } from '../support/challenge.ts'
import { freePort } from '../support/free-port.ts'

// What a client sees that knows nothing but the URL of an API: it asks, and is led on (RFC 9728 section 5).

const issuer = await startTestIssuer({ algorithms: ['ES256'] })
t.teardown(() => issuer.close())

interface Form {
  readonly build: (t: Test, publicUrl: string) => Promise<FastifyInstance>
  /** What clients add to the host: the path of the API as it is known outside. */
  readonly path: string
  /** Where a guarded route is served: a proxy in front of the service may cut the path off. */
  readonly guarded: string
  readonly metadata: string
}

const root = '/.well-known/oauth-protected-resource'
const forms: Readonly<Record<string, Form>> = {
  'the plugin': { build: withPlugin, path: '', guarded: '/documents', metadata: root },
  'the plugin, with a path': {
    build: withPlugin,
    path: '/api/v1',
    guarded: '/api/v1/documents',
    metadata: `${root}/api/v1`
  },
  'the plugin, with a final slash': {
    build: withPlugin,
    path: '/api/',
    guarded: '/api/documents',
    metadata: `${root}/api/`
  },
  'the plugin, with a path told by a function': {
    build: (t, publicUrl) => withPlugin(t, publicUrl, () => publicUrl),
    path: '/api/v1',
    guarded: '/api/v1/documents',
    metadata: `${root}/api/v1`
  },
  'the service': { build: service, path: '', guarded: '/documents', metadata: root },
  'the service, with a path': {
    build: service,
    path: '/api/v1',
    guarded: '/documents',
    metadata: `${root}/api/v1`
  }
}

for (const [name, { build, path, guarded, metadata }] of Object.entries(forms)) {
  void t.test(name, async (t) => {
    const port = await freePort()
    const origin = `http://127.0.0.1:${port}`
    const resource = origin + path
    const app = await build(t, resource)
    await app.listen({ host: '127.0.0.1', port })

    await t.test('PRM-7: every challenge leads to the metadata', async (t) => {
      const refusals: Readonly<Record<string, [number, Record<string, string>]>> = {
        'no token': [401, {}],
        'a bad token': [401, bearer('x')],
        'a malformed header': [400, bearer('x y')],
        'too little scope': [403, bearer(await issuer.mint({ scope: 'other' }))]
      }
      for (const [what, [status, headers]] of Object.entries(refusals)) {
        const answer = await fetch(origin + guarded, { headers })
        t.equal(answer.status, status, what)
        const [challenge] = parseChallenges(answer.headers.get('www-authenticate'))
        t.equal(challenge?.params['resource_metadata'], origin + metadata, what)
      }
    })

    await t.test('PRM-1: it is public JSON that may be kept for a while', async (t) => {
      for (const method of ['GET', 'HEAD']) {
        const { status, headers } = await fetch(origin + metadata, { method })
        t.equal(status, 200)
        t.match(headers.get('content-type'), /^application\/json/)
        t.match(headers.get('cache-control'), /^public, max-age=[1-9]\d+$/)
      }
    })

    await t.test(
      'PRM-2, PRM-4, PRM-6: it says what is so, and nothing without values',
      async (t) => {
        const document = (await (await fetch(origin + metadata)).json()) as Record<string, unknown>
        t.match(document, {
          resource,
          authorization_servers: [issuer.issuer],
          bearer_methods_supported: ['header']
        })
        t.match(document['scopes_supported'], /documents:read/)
        for (const [member, value] of Object.entries(document)) {
          t.ok(Array.isArray(value) ? value.length > 0 : typeof value === 'string', member)
        }
      }
    )

    await t.test('PRM-1, PRM-2: oauth4webapi finds it by the URL alone', async (t) => {
      const url = new URL(resource)
      const options = { [oauth.allowInsecureRequests]: true }
      const answer = await oauth.resourceDiscoveryRequest(url, options)
      const found = await oauth.processResourceDiscoveryResponse(url, answer)
      t.strictSame(found.authorization_servers, [issuer.issuer])
    })
  })
}

function bearer(token: string): Record<string, string> {
  return { authorization: `Bearer ${token}` }
}

async function withPlugin(
  t: Test,
  publicUrl: string,
  option: string | (() => string) = publicUrl
): Promise<FastifyInstance> {
  const app = Fastify({ forceCloseConnections: true })
  t.teardown(() => app.close())
  await app.register(latchkey, { ...issuer.options, publicUrl: option })
  const prefix = new URL(publicUrl).pathname.replace(/\/$/, '')
  app.get(`${prefix}/documents`, { config: { auth: { scopes: ['documents:read'] } } }, () => [])
  return app
}

async function service(t: Test, publicUrl: string): Promise<FastifyInstance> {
  const { app } = await appUnderTest(t, { issuers: [issuer.options], publicUrl })
  return app
}

import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import { startTestIssuer } from '../../src/testing.ts'
import { appUnderTest } from '../support/app.ts'

// Promises that only the whole service can keep: guard, routes and headers together.

const issuer = await startTestIssuer({ algorithms: ['RS256'] })
t.teardown(() => issuer.close())
const { app } = await appUnderTest(t, {
  issuers: [issuer.options],
  publicUrl: 'https://api.example.com'
})
while (!app.latchkey.isReady()) await sleep(10)

const scope = 'openid documents:read documents:write'
const bearer = async (claims: object = {}) => ({
  authorization: `Bearer ${await issuer.mint({ scope, ...claims })}`
})
const ada = await bearer()

function create(headers: object) {
  return app.inject({ method: 'POST', url: '/documents', headers: { ...headers }, payload })
}
const payload = { data: { title: 'a' } }
const { id } = (await create(ada)).json()

void t.test('HTTP-2, HTTP-3: no answer to a token is for shared caches', async (t) => {
  const personal = {
    '/whoami': 'no-store',
    '/me': 'no-store',
    '/documents': 'private, no-cache',
    '/documents/changes': 'private, no-cache',
    [`/documents/${id}`]: 'private, no-cache'
  }
  for (const [url, cacheControl] of Object.entries(personal)) {
    const { statusCode, headers } = await app.inject({ url, headers: ada })
    t.equal(statusCode, 200, url)
    t.equal(headers['cache-control'], cacheControl, url)
  }
})

void t.test(
  'BEARER-15: a token in a form beside the one in the field is refused where documents are taken',
  async (t) => {
    const headers = { ...ada, 'content-type': 'application/x-www-form-urlencoded' }
    for (const [method, url] of [
      ['POST', '/documents'],
      ['PUT', `/documents/${id}`],
      ['PATCH', `/documents/${id}`]
    ] as const) {
      const twice = await app.inject({ method, url, headers, payload: 'access_token=x' })
      t.equal(twice.statusCode, 400, `${method} ${url}`)
      t.match(twice.headers['www-authenticate'], /^Bearer .*error="invalid_request"/)
      t.match(twice.json(), { detail: 'The request has more than one access token.' })
      const other = await app.inject({ method, url, headers, payload: 'a=b' })
      t.equal(other.statusCode, 415, `${method} ${url} without one`)
    }
  }
)

void t.test(
  'BCL-9, SSF-5: an empty statement of an issuer is refused in its own form',
  async (t) => {
    const told = { backchannelLogout: { clientId: 'app' }, securityEvents: { audience: 'api' } }
    const { app } = await appUnderTest(t, { issuers: [{ ...issuer.options, ...told }] })
    for (const [url, type, member] of [
      ['/backchannel-logout', 'application/x-www-form-urlencoded', 'error'],
      ['/security-events', 'application/secevent+jwt', 'err']
    ] as const) {
      const answer = await app.inject({ method: 'POST', url, headers: { 'content-type': type } })
      t.equal(answer.statusCode, 400, url)
      t.match(answer.headers['content-type'], /^application\/json/)
      t.equal(answer.json()[member], 'invalid_request')
    }
  }
)

void t.test('OPTIONS of a document reads no body, whoever sends one', async (t) => {
  for (const payload of ['{', '{}', 'a'.repeat(200_000)])
    for (const type of ['application/json', 'text/plain']) {
      const headers = { 'content-type': type }
      const url = `/documents/${id}`
      const answer = await app.inject({ method: 'OPTIONS', url, headers, payload })
      t.equal(answer.statusCode, 204, `${type} ${payload.length}`)
    }
})

void t.test('HTTP-9: the change feed is read and nothing else, by TRACE either', async (t) => {
  for (const method of ['TRACE', 'QUERY', 'DELETE']) {
    const answer = await app.inject({ method: method as 'DELETE', url: '/documents/changes' })
    t.equal(answer.statusCode, 405, method)
    t.equal(answer.headers['allow'], 'GET, HEAD, OPTIONS', method)
  }
})

void t.test('HTTP-12: OPTIONS of a document tells what PATCH takes, to anybody', async (t) => {
  const url = `/documents/${id}`
  const origin = 'https://app.example.com'
  const { app: withCors } = await appUnderTest(t, { corsOrigins: [origin] })
  for (const service of [app, withCors]) {
    const answer = await service.inject({ method: 'OPTIONS', url, headers: { origin } })
    t.equal(answer.statusCode, 204)
    t.equal(answer.headers['accept-patch'], 'application/merge-patch+json')
    t.equal(answer.headers['allow'], 'GET, HEAD, DELETE, PATCH, PUT, OPTIONS')
    const list = await service.inject({ method: 'OPTIONS', url: '/documents' })
    t.match(list, { statusCode: 204, headers: { allow: 'GET, HEAD, POST, OPTIONS' } })
    t.notOk(list.headers['accept-patch'])
  }
})

void t.test('AT-5: a scope opens the route, and not the documents of others', async (t) => {
  const url = `/documents/${id}`
  t.equal((await app.inject({ url, headers: await bearer({ scope: 'openid' }) })).statusCode, 403)
  t.equal((await app.inject({ url, headers: await bearer({ sub: 'grace' }) })).statusCode, 404)
  t.equal((await app.inject({ url, headers: ada })).statusCode, 200)
})

void t.test('IDEM-7: a key replays nothing to whom the guard refuses', async (t) => {
  const key = { 'idempotency-key': '"once"' }
  t.equal((await create({ ...ada, ...key })).statusCode, 201)
  t.equal((await create({ ...(await bearer({ exp: 1 })), ...key })).statusCode, 401)
  t.equal((await create({ ...(await bearer({ scope: 'openid' })), ...key })).statusCode, 403)
  t.equal((await create(key)).statusCode, 401)
})

void t.test('HTTP-9: the feed of changes can only be read, token or not', async (t) => {
  const url = '/documents/changes'
  for (const method of ['POST', 'PUT', 'PATCH', 'DELETE'] as const)
    for (const headers of [{}, { ...ada, 'if-match': '*', 'content-type': 'text/plain' }]) {
      const answer = await app.inject({ method, url, headers, payload: '{' })
      t.equal(answer.statusCode, 405, method)
      t.equal(answer.headers.allow, 'GET, HEAD, OPTIONS')
      t.match(answer.json(), { type: 'urn:latchkey:problem:method-not-allowed' })
    }
  const options = await app.inject({ method: 'OPTIONS', url })
  t.equal(options.statusCode, 204)
  t.equal(options.headers.allow, 'GET, HEAD, OPTIONS')
  t.equal((await app.inject({ method: 'HEAD', url, headers: ada })).statusCode, 200)
})

void t.test('FY-7: forwarded fields of a stranger change neither URL nor metadata', async (t) => {
  const forged = {
    host: 'evil.example',
    'x-forwarded-host': 'evil.example',
    'x-forwarded-proto': 'gopher',
    forwarded: 'host=evil.example'
  }
  const { headers } = await create({ ...ada, ...forged })
  t.match(headers.location, /^https:\/\/api\.example\.com\/documents\/[\w-]+$/)
  const refused = await app.inject({ url: '/whoami', headers: forged })
  t.notMatch(refused.headers['www-authenticate'], /evil/)
})

void t.test(
  'PRM-4, PRM-6: the metadata says what is configured, and has no empty member',
  async (t) => {
    const metadata = (await app.inject('/.well-known/oauth-protected-resource')).json()
    t.strictSame(metadata, {
      resource: 'https://api.example.com',
      authorization_servers: [issuer.issuer],
      scopes_supported: [
        'documents:admin',
        'documents:read',
        'documents:write',
        'openid',
        'revocations:write'
      ],
      bearer_methods_supported: ['header'],
      resource_name: 'Latchkey',
      resource_documentation: 'https://api.example.com/docs'
    })
  }
)

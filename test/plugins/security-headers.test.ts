import t from 'tap'
import { appUnderTest } from '../support/app.ts'

const origin = 'https://app.example.com'
const settings = { corsOrigins: [origin, 'capacitor://localhost'] }

t.test('answers can not act as pages, errors included', async (t) => {
  const { app } = await appUnderTest(t)
  for (const url of ['/livez', '/nope']) {
    const { headers } = await app.inject({ url, headers: { origin } })
    t.equal(headers['content-security-policy'], "default-src 'none';frame-ancestors 'none'")
    t.equal(headers['x-content-type-options'], 'nosniff')
    t.equal(headers['x-frame-options'], 'DENY')
    t.match(headers['strict-transport-security'], /max-age=\d+/)
    t.notOk(headers['access-control-allow-origin'], 'no CORS unless configured')
  }
})

t.test('HTTP-16: a preflight of a listed origin is answered without a token', async (t) => {
  const { app } = await appUnderTest(t, settings)
  for (const url of ['/livez', '/documents', '/whoami']) {
    const answer = await app.inject({
      method: 'OPTIONS',
      url,
      headers: { origin, 'access-control-request-method': 'PATCH' }
    })
    t.equal(answer.statusCode, 204)
    t.equal(answer.headers['access-control-allow-origin'], origin)
    t.match(answer.headers['access-control-allow-methods'], /PATCH/)
    t.match(
      answer.headers['access-control-allow-headers'],
      /Authorization.+Idempotency-Key.+If-Match/
    )
    t.notOk(answer.headers['access-control-allow-credentials'])
    t.match(answer.headers['vary'], /Origin/)
  }
})

t.test(
  'HTTP-4: a listed origin may read every answer and its fields, errors included',
  async (t) => {
    const { app } = await appUnderTest(t, settings)
    for (const [method, url] of [
      ['GET', '/livez'],
      ['GET', '/nope'],
      ['POST', '/livez']
    ] as const) {
      const { headers } = await app.inject({ method, url, headers: { origin } })
      t.equal(headers['access-control-allow-origin'], origin)
      const exposed = String(headers['access-control-expose-headers']).split(', ')
      const needed = ['ETag', 'Location', 'Link', 'Retry-After', 'WWW-Authenticate', 'DPoP-Nonce']
      for (const name of [...needed, 'RateLimit', 'RateLimit-Policy']) t.ok(exposed.includes(name))
      t.match(headers['vary'], /Origin/)
    }
  }
)

t.test('any other origin gets no permission', async (t) => {
  const { app } = await appUnderTest(t, settings)
  for (const other of [
    'https://evil.example',
    'null',
    `${origin}.evil.example`,
    'http://app.example.com'
  ])
    for (const method of ['GET', 'OPTIONS'] as const) {
      const { headers } = await app.inject({
        method,
        url: '/livez',
        headers: { origin: other, 'access-control-request-method': 'GET' }
      })
      t.notOk(headers['access-control-allow-origin'], `${method} from ${other}`)
      t.match(headers['vary'], /Origin/)
    }
})

t.test('OPTIONS that is no preflight asks for methods, with CORS as without', async (t) => {
  for (const settings of [{}, { corsOrigins: [origin] }]) {
    const { app } = await appUnderTest(t, settings)
    const known = await app.inject({ method: 'OPTIONS', url: '/livez' })
    t.equal(known.statusCode, 204)
    t.equal(known.headers['allow'], 'GET, HEAD, OPTIONS')
    const headers = { origin, 'access-control-request-method': '' }
    const empty = await app.inject({ method: 'OPTIONS', url: '/livez', headers })
    t.match(empty, { statusCode: 204, headers: { allow: 'GET, HEAD, OPTIONS' } }, 'an empty field')
    const unknown = await app.inject({ method: 'OPTIONS', url: '/nope' })
    t.equal(unknown.statusCode, 404)
    t.equal(unknown.headers['content-type'], 'application/problem+json')
  }
})

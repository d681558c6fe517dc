import t from 'tap'
import { appUnderTest, linesOfRequests } from '../support/app.ts'
import { exchange } from '../support/raw-request.ts'

const origin = 'https://app.example.com'
const settings = { corsOrigins: [origin], rateLimit: 'address=100/60' }

const paths: Record<string, [number, string]> = {
  'a path that is no URL': [400, '/documents/%zz'],
  'an unknown path that is no URL': [400, '/nope/%zz?a=%zz'],
  'a path parameter that is too long': [414, `/documents/${'a'.repeat(101)}`]
}

for (const [name, [status, url]] of Object.entries(paths))
  t.test(`HTTP-4: ${name}: pages of a listed origin may read the ${status}`, async (t) => {
    const { app, log } = await appUnderTest(t, settings)
    const preflight = { origin, 'access-control-request-method': 'GET' }
    const asked = await app.inject({ method: 'OPTIONS', url, headers: preflight })
    t.match(asked, { statusCode: 204, headers: { 'access-control-allow-origin': origin } })

    log.length = 0
    const answer = await app.inject({ url, headers: { origin } })
    t.equal(answer.statusCode, status)
    t.match(answer.headers, {
      'access-control-allow-origin': origin,
      'access-control-expose-headers': /RateLimit/,
      vary: /Origin/,
      'content-security-policy': /default-src 'none'/,
      'x-content-type-options': 'nosniff',
      'content-type': 'application/problem+json',
      'cache-control': 'no-store',
      ratelimit: /^"address"/
    })
    const reqId = answer.json().instance
    t.match(linesOfRequests(log), [{ reqId, status, method: 'GET' }], 'and the log has one line')

    const { headers } = await app.inject({ url, headers: { origin: 'https://evil.example' } })
    t.notOk(headers['access-control-allow-origin'], 'no other origin may')
    t.equal((await app.inject({ method: 'PUT', url, payload: {} })).statusCode, status)
  })

t.test('HTTP-4: an expectation is refused as all else, and the connection ends', async (t) => {
  const { app } = await appUnderTest(t, settings)
  await app.listen({ host: '127.0.0.1', port: 0 })
  for (const path of ['/whoami', '/livez', '/nope']) {
    const head = `POST ${path} HTTP/1.1\r\nHost: a\r\nOrigin: ${origin}\r\nExpect: miracle\r\n`
    const answer = await exchange(app.server, `${head}Content-Length: 2\r\n\r\n`)
    t.match(answer, /^HTTP\/1\.1 417 /, path)
    t.match(answer, `access-control-allow-origin: ${origin}\r\n`)
    t.match(answer, /x-content-type-options: nosniff\r\n/i)
    t.match(answer, /connection: close\r\n/i)
    t.match(answer, /"type":"urn:latchkey:problem:expectation-failed"/)
  }
})

t.test('an expectation ends the connection, whatever is answered to it', async (t) => {
  const { app } = await appUnderTest(t, { ...settings, rateLimit: 'address=1/60' })
  await app.listen({ host: '127.0.0.1', port: 0 })
  const preflight = `Origin: ${origin}\r\nAccess-Control-Request-Method: GET\r\n`
  for (const [status, line, lines] of [
    ['204', 'OPTIONS /whoami', preflight],
    ['400', 'POST /%zz', ''],
    ['429', 'POST /whoami', '']
  ]) {
    const head = `${line} HTTP/1.1\r\nHost: a\r\nExpect: miracle\r\n${lines}Content-Length: 40\r\n\r\n`
    const answer = await exchange(app.server, head)
    t.match(answer, new RegExp(`^HTTP/1.1 ${status} `))
    t.match(answer, /connection: close\r\n/i)
  }
})

import t from 'tap'
import { ProblemError } from '../../src/http/problem.ts'
import { appUnderTest, linesOfRequests } from '../support/app.ts'
import { connectTo, exchange, readAll } from '../support/raw-request.ts'

/** The service with routes that fail in every way. */
async function failingApp(t: Tap) {
  const built = await appUnderTest(t)
  const { app } = built
  const open = { config: { auth: false } }
  const body = {
    type: 'object',
    properties: { n: { type: 'integer' } },
    additionalProperties: false
  }
  app.get('/throws', open, () => {
    throw new Error('relation "documents" does not exist at 10.0.0.5')
  })
  app.get('/upstream', open, () => {
    throw new ProblemError('bad-gateway', { cause: new Error('junk') })
  })
  app.post('/body', { ...open, schema: { body } }, (request) => request.body)
  app.get('/items/:id', open, () => 'item')
  app.patch(
    '/items/:id',
    { config: { auth: false, accepts: ['application/merge-patch+json'] } },
    () => 'patched'
  )
  return built
}

type Tap = Parameters<typeof appUnderTest>[0]

const json = { 'content-type': 'application/json' }

const failures: Record<string, [number, string, object]> = {
  'FY-4: an unknown path': [404, 'not-found', { url: '/nope' }],
  'PROB-1, HTTP-1, FY-3: a known path, another method': [
    405,
    'method-not-allowed',
    { url: '/body' }
  ],
  'FY-4: a path that is no URL': [400, 'invalid-request', { url: '/items/%zz' }],
  'a path parameter that is too long': [414, 'uri-too-long', { url: `/items/${'a'.repeat(101)}` }],
  'PROB-7: an exception': [500, 'internal-error', { url: '/throws' }],
  'a failure upstream': [502, 'bad-gateway', { url: '/upstream' }],
  'a body that is no JSON': [
    400,
    'invalid-request',
    { method: 'POST', url: '/body', headers: json, payload: '{' }
  ],
  'an empty body': [
    400,
    'invalid-request',
    { method: 'POST', url: '/body', headers: json, payload: '' }
  ],
  'a body that sets a prototype': [
    400,
    'invalid-request',
    { method: 'POST', url: '/body', headers: json, payload: '{"__proto__":{}}' }
  ],
  'FY-3: a body of another type': [
    415,
    'unsupported-media-type',
    { method: 'POST', url: '/body', headers: { 'content-type': 'text/xml' }, payload: 'x' }
  ],
  'a body over the limit': [
    413,
    'content-too-large',
    { method: 'POST', url: '/body', headers: json, payload: `"${'a'.repeat(320 * 1024)}"` }
  ],
  'FY-2: a member of another type': [
    422,
    'validation-failed',
    { method: 'POST', url: '/body', payload: { n: '1' } }
  ],
  'FY-2: an unknown member': [
    422,
    'validation-failed',
    { method: 'POST', url: '/body', payload: { owner: 1 } }
  ]
}

for (const [name, [status, kind, request]] of Object.entries(failures))
  t.test(`${name} is answered by ${status} ${kind}`, async (t) => {
    const { app } = await failingApp(t)
    const answer = await app.inject(request)
    t.equal(answer.statusCode, status)
    t.equal(answer.json().type, `urn:latchkey:problem:${kind}`)
    t.notMatch(answer.body, /relation|10\.0\.0|stack|FST_/)
    t.equal(answer.headers['content-type'], 'application/problem+json')
    t.equal(answer.headers['cache-control'], 'no-store')
    t.equal(answer.json().status, status)
    t.match(answer.json().instance, /^[0-9a-f-]{36}$/)
  })

t.test('HTTP-12: a patch of another type is told which one to send', async (t) => {
  const { app } = await failingApp(t)
  const answer = await app.inject({
    method: 'PATCH',
    url: '/items/1',
    headers: { 'content-type': 'application/x-www-form-urlencoded' },
    payload: 'a=b'
  })
  t.equal(answer.statusCode, 415)
  t.equal(answer.headers['accept-patch'], 'application/merge-patch+json')
  t.equal(answer.headers['accept'], 'application/merge-patch+json')
})

t.test(
  'PROB-6: the log tells the cause of our own failures, under the id that the client has',
  async (t) => {
    const { app, log } = await failingApp(t)
    const { instance } = (await app.inject('/throws')).json()
    const failed = linesOfRequests(log).filter((line) => Number(line['level']) >= 50)
    t.match(failed, [{ reqId: instance, err: { message: /relation/ }, msg: 'request failed' }])
    t.equal(failed.length, 1)

    log.length = 0
    await app.inject('/nope')
    await app.inject({ method: 'POST', url: '/body', payload: { n: '1' } })
    t.same(
      linesOfRequests(log).map((line) => line['level']),
      [30, 30],
      'what clients do wrong is one line each, and no error'
    )
  }
)

t.test('PROB-6: the log has a refusal of the guard under the id that the client has', async (t) => {
  const { app, log } = await appUnderTest(t)
  const { instance } = (await app.inject('/whoami')).json()
  t.match(instance, /^[0-9a-f-]{36}$/)
  t.match(linesOfRequests(log), [
    { reqId: instance, reason: 'no_credentials' },
    { reqId: instance, status: 401 }
  ])
})

const unreadable: Record<string, [number, string]> = {
  'no HTTP': [400, 'GARBAGE\r\n\r\n'],
  'an HTTP/1.1 request without Host': [400, 'GET /livez HTTP/1.1\r\nConnection: close\r\n\r\n'],
  'a request with two Host fields': [
    400,
    'GET /livez HTTP/1.1\r\nHost: a\r\nHost: b\r\nConnection: close\r\n\r\n'
  ],
  'a second Host field behind 1,100 others': [
    400,
    `GET /livez HTTP/1.1\r\nHost: a\r\nConnection: close\r\n${'a:\r\n'.repeat(1100)}Host: b\r\n\r\n`
  ],
  'STAT-3, FY-5: header fields of 20 kB': [
    431,
    `GET /livez HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer ${'a'.repeat(20_000)}\r\n\r\n`
  ],
  'an expectation that is not met': [
    417,
    'GET /livez HTTP/1.1\r\nHost: a\r\nExpect: miracle\r\n\r\n'
  ],
  'two lengths': [
    400,
    'POST /body HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{}'
  ],
  'a length and chunks': [
    400,
    'POST /body HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n{}'
  ]
}

for (const [name, [status, bytes]] of Object.entries(unreadable))
  t.test(`${name}: answered by a ${status} problem and the end of the connection`, async (t) => {
    const { app, log } = await failingApp(t)
    await app.listen({ host: '127.0.0.1', port: 0 })
    const [head = '', body = ''] = (await exchange(app.server, bytes)).split('\r\n\r\n')
    t.ok(head.startsWith(`HTTP/1.1 ${status} `), head)
    t.match(head, /content-type: application\/problem\+json\r\n/i)
    t.match(head, /cache-control: no-store/i)
    const text = /\{.+\}/.exec(body)?.[0] ?? ''
    const { instance } = JSON.parse(text)
    t.ok(
      log.some((line) => line.includes(`"reqId":"${instance}"`)),
      'the log has its id'
    )
    t.notMatch(log.join(''), /Bearer|aaaa/)
  })

t.test('OWASP-4: a connection that takes nothing of its answer is ended', async (t) => {
  const { app } = await appUnderTest(t)
  const usual = app.server.timeout
  t.ok(usual > 0 && usual <= 60_000, `after ${usual} ms`)
  app.server.setTimeout(50)
  app.get('/large', { config: { auth: false } }, () => Buffer.alloc(64 * 1024 * 1024))
  await app.listen({ host: '127.0.0.1', port: 0 })
  const closed = new Promise((resolve) => {
    app.server.on('connection', (socket) => socket.on('close', resolve))
  })
  const socket = (await connectTo(app.server)).pause()
  t.teardown(() => socket.destroy())
  socket.write('GET /large HTTP/1.1\r\nHost: a\r\n\r\n')
  await closed
})

t.test('OWASP-4: a body that comes too slowly is answered by 408', async (t) => {
  const { app } = await failingApp(t)
  await app.listen({ host: '127.0.0.1', port: 0 })
  app.server.requestTimeout = 100
  app.server.headersTimeout = 100
  const socket = await connectTo(app.server)
  socket.write('POST /body HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n')
  socket.write('Content-Length: 100\r\n\r\n{')
  const answer = await readAll(socket)
  t.match(answer, /^HTTP\/1\.1 408 Request Timeout\r\n/)
  t.match(answer, /urn:latchkey:problem:request-timeout/)
})

import { EventEmitter, once } from 'node:events'
import { Readable } from 'node:stream'
import { setImmediate as settled } from 'node:timers/promises'
import t from 'tap'
import { appUnderTest, linesOfRequests } from '../support/app.ts'
import { connectTo, exchange } from '../support/raw-request.ts'
import { until } from '../support/until.ts'

const token = 'eyJhbGciOiJub25lIn0.eyJzdWIiOiJhZGEifQ.c2lnbmF0dXJl'
const open = { config: { auth: false } }

t.test('each request is one line: id, method, route pattern, status, time', async (t) => {
  const { app, log } = await appUnderTest(t)
  app.get('/items/:id', open, () => 'item')
  await app.inject('/items/7?limit=1')
  const [line = {}, ...others] = linesOfRequests(log)
  t.same(others, [])
  t.match(line, { level: 30, method: 'GET', route: '/items/:id', status: 200, ms: Number })
  t.match(line['reqId'], /^[0-9a-f-]{36}$/)
  t.notOk('aborted' in line)
})

t.test('the line names the principal', async (t) => {
  const { app, log } = await appUnderTest(t)
  app.get('/guarded', open, (request) => {
    Object.assign(request, {
      principal: { issuer: 'https://id.example.com', subject: 'ada', clientId: 'app' }
    })
    return 'ok'
  })
  await app.inject('/guarded')
  t.match(linesOfRequests(log)[0], {
    issuer: 'https://id.example.com',
    subject: 'ada',
    clientId: 'app'
  })
})

for (const [name, lines, pipelined] of [
  ['without a body', ['GET /slow HTTP/1.1', 'Host: a', '', ''], 1],
  [
    'with a body that was read',
    [
      'POST /slow HTTP/1.1',
      'Host: a',
      'Content-Type: application/json',
      'Content-Length: 2',
      '',
      '{}'
    ],
    1
  ],
  ['behind another one on its connection', ['GET /slow HTTP/1.1', 'Host: a', '', ''], 2]
] as const)
  t.test(`a request ${name} whose client left has one line, and counts once`, async (t) => {
    const { app, log } = await appUnderTest(t)
    const slow = new EventEmitter()
    let arrived = 0
    app.route({
      method: ['GET', 'POST'],
      url: '/slow',
      ...open,
      handler: async () => {
        arrived++
        await once(slow, 'answer')
        return 'late'
      }
    })
    await app.listen({ host: '127.0.0.1', port: 0 })
    const client = await connectTo(app.server)
    client.write(lines.join('\r\n').repeat(pipelined))
    await until(() => arrived === pipelined)
    client.destroy()
    await until(() => linesOfRequests(log).length >= pipelined)
    slow.emit('answer')
    await settled()
    const written = linesOfRequests(log)
    t.equal(written.length, pipelined)
    for (const line of written) {
      t.match(line, { method: lines[0].split(' ')[0], route: '/slow', aborted: true, ms: Number })
      t.notOk('status' in line, 'nobody saw one')
    }
    const { body } = await app.inject('/metrics')
    t.match(body, `latchkey_requests_total{outcome="aborted"} ${pipelined}`)
  })

for (const [name, answer] of Object.entries({
  'that never ends': () => Readable.from(['begun', new Promise(() => {})]),
  'that nobody reads': () => Buffer.alloc(50_000_000)
}))
  t.test(`an answer ${name}, cut off, has its status, and that it was aborted`, async (t) => {
    const { app, log } = await appUnderTest(t)
    app.get('/long', open, (_request, reply) => reply.send(answer()))
    await app.listen({ host: '127.0.0.1', port: 0 })
    const client = await connectTo(app.server)
    client.write('GET /long HTTP/1.1\r\nHost: a\r\n\r\n')
    await once(client, 'readable')
    client.destroy()
    const finished = () =>
      linesOfRequests(log).filter(({ msg }) => String(msg) === 'request finished')
    await until(() => finished().length > 0)
    await settled()
    t.match(finished(), [{ route: '/long', status: 200, aborted: true }])
    t.equal(finished().length, 1)
  })

t.test('FY-6: no line holds a token, wherever a hostile request puts it', async (t) => {
  const { app, log } = await appUnderTest(t, { logLevel: 'trace' })
  app.get('/throws', open, (request) => {
    const cause = new Error(`bad ${request.headers.authorization}`)
    throw Object.assign(new Error(`can not read ${token}`, { cause }), {
      token,
      headers: { token }
    })
  })
  app.post('/body', { ...open, schema: { body: { type: 'object' } } }, () => 'ok')
  await app.listen({ host: '127.0.0.1', port: 0 })

  const authorization = `Bearer ${token}`
  for (const url of [
    `/livez?access_token=${token}`,
    `/${token}`,
    `/%zz${token}`,
    `/items/${token.repeat(9)}`,
    '/throws'
  ])
    for (const method of ['GET', 'POST', 'PROPFIND', 'OPTIONS'] as const)
      await app.inject({ method: method as 'GET', url, headers: { authorization, cookie: token } })
  const payload = JSON.stringify(token)
  await app.inject({
    method: 'POST',
    url: '/body',
    payload,
    headers: { 'content-type': 'application/json' }
  })
  await app.inject({ method: 'POST', url: '/body', payload, headers: { 'content-type': token } })
  await exchange(app.server, `GET /livez HTTP/1.1\r\n${token}\r\n\r\n`)
  await exchange(
    app.server,
    `GET /${token}${token} HTP/1.1\r\nAuthorization: ${authorization}\r\n\r\n`
  )

  t.ok(log.length > 20)
  t.notMatch(log.join(''), /eyJ|c2lnbmF0dXJl/)
})

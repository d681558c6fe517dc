import t from 'tap'
import { appUnderTest, linesOfRequests } from '../support/app.ts'
import { exchange } from '../support/raw-request.ts'

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

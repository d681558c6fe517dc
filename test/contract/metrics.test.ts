import { EventEmitter, once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import t from 'tap'
import type { Test } from 'tap'
import { startTestIssuer } from '../../src/testing.ts'
import { startApi } from '../support/api.ts'
import { appUnderTest } from '../support/app.ts'
import { until } from '../support/until.ts'

// What whoever runs the service reads of it: real requests over a socket.

const issuer = await startTestIssuer({ algorithms: ['ES256'] })
t.teardown(() => issuer.close())

interface Service {
  readonly app: FastifyInstance
  readonly ask: (path: string, init?: RequestInit) => Promise<Response>
  /** The value of one line; undefined if there is none. */
  readonly read: (series: string) => Promise<number | undefined>
  readonly text: () => Promise<string>
}

async function startService(t: Test, issuers = [issuer.options]): Promise<Service> {
  const { app } = await appUnderTest(t, { issuers, logLevel: 'silent' })
  const origin = await app.listen({ host: '127.0.0.1', port: 0 })
  const ask = async (path: string, init: RequestInit = {}) => {
    const response = await fetch(origin + path, init)
    await response.clone().arrayBuffer()
    return response
  }
  const text = async () => (await ask('/metrics')).text()
  const read = async (series: string) => {
    const line = (await text()).split('\n').find((one) => one.startsWith(`${series} `))
    return line === undefined ? undefined : Number(line.slice(series.length + 1))
  }
  return { app, ask, read, text }
}

function bearer(token: string): RequestInit {
  return { headers: { authorization: `Bearer ${token}` } }
}

const outcome = (name: string) => `latchkey_requests_total{outcome="${name}"}`

t.test('metrics can be switched off, and say so', async (t) => {
  const { app } = await appUnderTest(t, { metrics: 'off' })
  const answer = await app.inject('/metrics')
  t.equal(answer.statusCode, 404)
  t.equal(answer.headers['content-type'], 'application/problem+json')
  t.match(answer.json(), { type: 'urn:latchkey:problem:not-found', detail: /METRICS/ })
  t.notOk(app.hasDecorator('metrics'), 'and nothing is counted')
})

t.test('they are text for Prometheus, to GET and HEAD, and never stored', async (t) => {
  const { ask } = await startService(t)
  for (const method of ['GET', 'HEAD']) {
    const response = await ask('/metrics', { method })
    t.equal(response.status, 200, method)
    t.equal(response.headers.get('content-type'), 'text/plain; version=0.0.4; charset=utf-8')
    t.equal(response.headers.get('cache-control'), 'no-store')
    t.match(await response.text(), method === 'GET' ? /^process_cpu_seconds_total \d/m : /^$/)
  }
  t.equal((await ask('/metrics', { method: 'POST' })).status, 405)
})

t.test('each request counts once, under the reason that the log says', async (t) => {
  const { app, ask, read } = await startService(t)
  await until(() => app.latchkey.isReady())
  const good = await issuer.mint({ scope: 'openid' })
  const expired = await issuer.mint({ exp: 1 })
  for (const [name, times, path, init] of [
    ['accepted', 3, '/whoami', bearer(good)],
    ['insufficient_scope', 1, '/documents', bearer(good)],
    ['expired', 2, '/whoami', bearer(expired)],
    ['malformed', 1, '/whoami', bearer('x.y')],
    ['no_credentials', 2, '/whoami', {}],
    ['invalid_request', 1, '/whoami', bearer('')],
    ['untrusted_issuer', 1, '/whoami', bearer(await issuer.mint({ iss: 'https://other' }))]
  ] as const) {
    for (let sent = 0; sent < times; sent++) await ask(path, init)
    t.equal(await read(outcome(name)), times, name)
  }
  const before = (await read(outcome('not_judged'))) ?? 0
  await ask('/livez')
  await ask('/nothing')
  t.equal(await read(outcome('not_judged')), before + 3, 'public, unknown, and the reading before')
})

t.test('durations are told by route pattern, method and class of status', async (t) => {
  const { app, ask, read } = await startService(t)
  await until(() => app.latchkey.isReady())
  const token = await issuer.mint({ scope: 'documents:read' })
  const id = '01890a5d-ac96-774b-bcce-b302099a8057'
  await ask(`/documents/${id}`, bearer(token))
  await ask(`/documents/${id.replace('0', '1')}`, bearer(token))
  const counted = (labels: string) => read(`latchkey_request_duration_seconds_count{${labels}}`)
  t.equal(await counted('route="/documents/:id",method="GET",status="4xx"'), 2)
  await ask('/livez', { method: 'HEAD' })
  t.equal(await counted('route="/livez",method="HEAD",status="2xx"'), 1)
})

t.test('a request whose client went away counts once, and as that', async (t) => {
  const { app } = await appUnderTest(t, { logLevel: 'silent' })
  const slow = new EventEmitter()
  app.get('/slow', { config: { auth: false } }, async () => {
    slow.emit('arrived')
    await once(slow, 'answer')
    return 'late'
  })
  const origin = await app.listen({ host: '127.0.0.1', port: 0 })
  const client = new AbortController()
  const arrived = once(slow, 'arrived')
  const asked = t.rejects(fetch(`${origin}/slow`, { signal: client.signal }))
  await arrived
  client.abort()
  await asked
  const text = async () => (await app.inject('/metrics')).body
  await until(async () => (await text()).includes(`${outcome('aborted')} 1`))
  slow.emit('answer')
  await new Promise((resolve) => setImmediate(resolve))
  t.match(await text(), `${outcome('aborted')} 1`)
  t.notMatch(await text(), 'route="/slow"')
})

t.test('the option onRefusal tells why, and for which request', async (t) => {
  const refused: unknown[] = []
  const onRefusal = ({ routeOptions }: FastifyRequest, reason: string) =>
    void refused.push([routeOptions.url, reason])
  const { ask } = await startApi(t, { ...issuer.options, onRefusal })
  await ask(await issuer.mint({ aud: 'other' }))
  await ask(await issuer.mint())
  await ask('garbage', '/me')
  t.strictSame(refused, [
    ['/whoami', 'wrong_audience'],
    ['/me', 'malformed']
  ])
})

t.test('downloads of key sets are told by issuer, failures too; readiness by check', async (t) => {
  const broken = createServer((_request, response) => void response.writeHead(500).end())
  await once(broken.listen(0, '127.0.0.1'), 'listening')
  t.teardown(() => broken.close())
  const dead = `http://127.0.0.1:${(broken.address() as AddressInfo).port}`
  const tokenOfDead = await issuer.mint({ iss: dead })
  const unused = { ...issuer.options, issuer: 'http://127.0.0.1:9', required: false }
  const { app, ask, read, text } = await startService(t, [
    issuer.options,
    { ...issuer.options, issuer: dead },
    unused
  ])
  const downloads = (name: string, result: string) =>
    read(`latchkey_key_set_downloads_total{issuer="${name}",result="${result}"}`)
  await until(() =>
    app.latchkey
      .keySets()
      .every(({ issuer: name, downloads, failures }) =>
        name === unused.issuer ? true : downloads + failures > 0
      )
  )
  t.equal(await downloads(issuer.issuer, 'success'), 1)
  t.equal(await downloads(issuer.issuer, 'failure'), 0)
  t.equal(await downloads(dead, 'success'), 0)
  t.ok(((await downloads(dead, 'failure')) ?? 0) > 0)
  t.equal(await read(`latchkey_key_set_usable{issuer="${issuer.issuer}"}`), 1)
  t.equal(await read(`latchkey_key_set_usable{issuer="${dead}"}`), 0)
  t.notMatch(await text(), unused.issuer, 'nobody has used it yet')

  t.equal(await read('latchkey_ready{check="issuer keys"}'), 0)
  t.equal(await read('latchkey_ready{check="database"}'), 1)
  t.equal(await read('latchkey_ready{check="revoked tokens"}'), 1)

  t.equal((await ask('/whoami', bearer(tokenOfDead))).status, 503)
  t.equal(await read(outcome('issuer_unavailable')), 1)

  app.latchkey.replaceIssuers([issuer.options])
  t.equal(await read('latchkey_ready{check="issuer keys"}'), 1)
  t.equal(await downloads(dead, 'failure'), undefined, 'an issuer that is gone leaves no line')
})

t.test('no request makes a label, and nothing of a token or a caller is in the text', async (t) => {
  const { app, ask, text } = await startService(t)
  await until(() => app.latchkey.isReady())
  const claims = { sub: 'subject-4711', client_id: 'client-4711', scope: 'openid' }
  const token = await issuer.mint(claims)
  const flood = async (seed: string) => {
    const alien = await issuer.mint({ ...claims, iss: `https://${seed}.alien.example` })
    for (const sent of [token, alien, `${seed}.alien.x`, await issuer.mint({ ...claims, exp: 1 })])
      for (const path of [
        '/whoami',
        `/documents/${seed}-alien`,
        `/${seed}-alien`,
        `/livez?${seed}`
      ])
        for (const method of ['GET', 'DELETE', 'OPTIONS', 'PROPFIND'])
          await ask(path, { ...bearer(sent), method })
  }
  await flood('a')
  await text()
  const before = seriesOf(await text())
  for (const seed of ['b', 'c', 'd']) await flood(seed)
  const after = await text()
  t.strictSame(seriesOf(after), before)
  t.notMatch(after, /eyJ|4711|alien/)
})

/** The names and labels of all lines, without what Node itself tells of its objects in use. */
function seriesOf(text: string): string[] {
  const lines = text.split('\n').filter((line) => line.startsWith('latchkey_'))
  return lines.map((line) => line.slice(0, line.lastIndexOf(' '))).sort()
}

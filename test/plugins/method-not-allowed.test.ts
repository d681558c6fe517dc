import Fastify, { type FastifyInstance } from 'fastify'
import t from 'tap'
import { answerUnrouted, isUnrouted } from '../../plugins/method-not-allowed.ts'

/** Someone's app with the plugin, and answers of its own for what is not found. */
async function build(t: { teardown(done: () => Promise<void>): void }) {
  const app = Fastify()
  t.teardown(() => app.close())
  answerWithoutGuard(app)
  app.get('/documents', () => 'list')
  app.post('/documents', () => 'create')
  app.get('/documents/changes', () => 'changes')
  app.put('/documents/:id', () => 'replace')
  await app.register(async (child) => void child.get('/inner', () => 'inner'), { prefix: '/v1' })
  app.setNotFoundHandler((_request, reply) => reply.code(404).send('mine'))
  return app
}

const cases: [string, string, string][] = [
  ['PATCH', '/documents', 'GET, HEAD, POST, OPTIONS'],
  ['DELETE', '/documents?x=1', 'GET, HEAD, POST, OPTIONS'],
  ['POST', '/documents/changes', 'GET, HEAD, PUT, OPTIONS'],
  ['GET', '/documents/1', 'PUT, OPTIONS'],
  ['PROPFIND', '/v1/inner', 'GET, HEAD, OPTIONS']
]

for (const [method, url, allow] of cases)
  t.test(`HTTP-9: ${method} ${url} is answered by 405, allowing ${allow}`, async (t) => {
    const app = await build(t)
    const answer = await app.inject({ method: method as 'GET', url })
    t.equal(answer.statusCode, 405)
    t.equal(answer.headers['allow'], allow)
    t.equal(answer.headers['content-type'], 'application/problem+json')
    t.equal(answer.headers['cache-control'], 'no-store')
    t.match(answer.json(), {
      type: 'urn:latchkey:problem:method-not-allowed',
      status: 405,
      detail: `Allowed here: ${allow}.`
    })
  })

t.test('HTTP-9: 405 in a context with a prefix, if it has a not-found handler', async (t) => {
  const app = Fastify()
  t.teardown(() => app.close())
  await app.register(
    async (child) => {
      answerWithoutGuard(child)
      child.setNotFoundHandler((_request, reply) => reply.code(404).send('none'))
      child.get('/inner', () => 'inner')
    },
    { prefix: '/v1' }
  )
  const answer = await app.inject({ method: 'POST', url: '/v1/inner' })
  t.equal(answer.statusCode, 405)
  t.equal(answer.headers['allow'], 'GET, HEAD, OPTIONS')
})

t.test('OPTIONS of a known path names its methods', async (t) => {
  const app = await build(t)
  const answer = await app.inject({ method: 'OPTIONS', url: '/documents' })
  t.equal(answer.statusCode, 204)
  t.equal(answer.headers['allow'], 'GET, HEAD, POST, OPTIONS')
})

t.test('an unknown path stays with the not-found handler of the app', async (t) => {
  const app = await build(t)
  for (const method of ['GET', 'POST', 'OPTIONS'] as const) {
    const answer = await app.inject({ method, url: '/nope' })
    t.equal(answer.statusCode, 404)
    t.equal(answer.body, 'mine')
  }
})

t.test('a known path with a known method is none of its business', async (t) => {
  const app = await build(t)
  t.equal((await app.inject('/documents')).body, 'list')
  t.equal((await app.inject({ method: 'PUT', url: '/documents/1' })).body, 'replace')
})

t.test("an app's own OPTIONS route for every path is its own", async (t) => {
  const app = Fastify()
  t.teardown(() => app.close())
  answerWithoutGuard(app)
  app.options('*', () => 'mine')
  t.equal((await app.inject({ method: 'OPTIONS', url: '/anything' })).payload, 'mine')
})

/** What the guard does before it looks for a token. */
function answerWithoutGuard(app: FastifyInstance): void {
  app.addHook('onRequest', (request, reply, done) => {
    if (isUnrouted(request)) answerUnrouted(app, request, reply, done)
    else done()
  })
}

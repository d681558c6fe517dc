import Fastify from 'fastify'
import t from 'tap'
import problemDetails from '../../plugins/problem-details.ts'
import operations from '../../routes/operations.ts'
import type { OperationsOptions } from '../../routes/operations.ts'

async function build(t: { teardown(done: () => Promise<void>): void }, options: OperationsOptions) {
  const app = Fastify()
  t.teardown(() => app.close())
  await app.register(problemDetails)
  await app.register(operations, options)
  return app
}

t.test('a process that answers is alive, whatever it lacks', async (t) => {
  const app = await build(t, { checks: { database: () => false } })
  const answer = await app.inject('/livez')
  t.equal(answer.statusCode, 200)
  t.same(answer.json(), { status: 'ok' })
  t.equal(answer.headers['cache-control'], 'no-store')
})

t.test('it is ready when every check holds', async (t) => {
  const app = await build(t, { checks: { database: async () => true, 'issuer keys': () => true } })
  const answer = await app.inject('/readyz')
  t.equal(answer.statusCode, 200)
  t.same(answer.json(), { status: 'ok' })
  t.equal(answer.headers['cache-control'], 'no-store')
})

t.test('HTTP-13: until then it says what is missing, and when to ask again', async (t) => {
  const never = () => new Promise<boolean>(() => {})
  const checks = { database: () => true, 'issuer keys': async () => false, other: never }
  const app = await build(t, { checks })
  const answer = await app.inject('/readyz')
  t.equal(answer.statusCode, 503)
  t.equal(answer.headers['retry-after'], '5')
  t.equal(answer.headers['content-type'], 'application/problem+json')
  t.match(answer.json(), {
    type: 'urn:latchkey:problem:service-unavailable',
    detail: 'Not ready: issuer keys, other.'
  })
})

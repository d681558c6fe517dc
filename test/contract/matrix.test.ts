import type { AddressInfo } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import type { FastifyInstance } from 'fastify'
import t from 'tap'
import { startTestIssuer } from '../../src/testing.ts'
import { appUnderTest } from '../support/app.ts'
import { createApp } from '../support/guarded-app.ts'
import { callOrigin } from '../support/http-call.ts'
import { assertMatrix, routeMatrix } from '../support/route-matrix.ts'

const issuer = await startTestIssuer({ algorithms: ['RS256'] })
t.teardown(() => issuer.close())

void t.test('OWASP-5: every route of an app answers all credentials as it declares', async (t) => {
  const { app, routes } = await routeMatrix(() => createApp(issuer.options))
  t.teardown(() => app.close())
  const called = new Set(routes.map(({ method, path }) => `${method} ${path}`))
  t.ok(called.has('HEAD /whoami'), 'HEAD is guarded as GET')
  t.ok(called.has('POST /documents'))
  await assertMatrix(t, await listen(app), routes, issuer)
})

void t.test(
  'OWASP-5: every route of the service answers all credentials as it declares',
  async (t) => {
    const log: (readonly string[])[] = []
    const { app, routes } = await routeMatrix(async () => {
      const service = await appUnderTest(t, { issuers: [issuer.options] })
      log.push(service.log)
      return service.app
    })
    while (!app.latchkey.isReady()) await sleep(10)
    const origin = await listen(app)
    await assertMatrix(t, origin, routes, issuer)

    // FY-6: paths and queries are where clients leave tokens that are not looked at
    const token = await issuer.mint()
    for (const path of [
      `/nothing?access_token=${token}`,
      `/livez?access_token=${token}`,
      `/${token}`
    ])
      await callOrigin(origin, { path, token })
    const lines = log.flat()
    t.ok(lines.length > routes.length, `${lines.length} lines were logged`)
    t.strictSame(
      lines.filter((line) => line.includes('eyJ')),
      [],
      'none of them holds a token'
    )
  }
)

async function listen(app: FastifyInstance): Promise<string> {
  await app.listen({ port: 0, host: '127.0.0.1' })
  return `http://127.0.0.1:${(app.server.address() as AddressInfo).port}`
}

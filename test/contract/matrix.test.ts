import type { AddressInfo } from 'node:net'
import t from 'tap'
import { startTestIssuer } from '../../src/testing.ts'
import { createApp } from '../support/guarded-app.ts'
import { assertMatrix, routeMatrix } from '../support/route-matrix.ts'

void t.test('every route answers every kind of credentials as it declares', async (t) => {
  const issuer = await startTestIssuer({ algorithms: ['RS256'] })
  t.teardown(() => issuer.close())
  const { app, routes } = await routeMatrix(() => createApp(issuer.options))
  t.teardown(() => app.close())
  await app.listen({ port: 0, host: '127.0.0.1' })
  const { port } = app.server.address() as AddressInfo

  const called = new Set(routes.map(({ method, path }) => `${method} ${path}`))
  t.ok(called.has('HEAD /whoami'), 'HEAD is guarded as GET')
  t.ok(called.has('POST /documents'))
  await assertMatrix(t, `http://127.0.0.1:${port}`, routes, issuer)
})

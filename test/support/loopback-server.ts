import { once } from 'node:events'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Test } from 'tap'

/** A server that listens on loopback without answering yet, and its origin; it is closed when the test ends. */
export async function startLoopbackServer(t: Test): Promise<{ server: Server; origin: string }> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(async () => {
    const closed = once(server, 'close')
    server.close()
    server.closeAllConnections()
    await closed
  })
  return { server, origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}` }
}

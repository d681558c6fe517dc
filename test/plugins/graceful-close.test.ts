import { once } from 'node:events'
import t from 'tap'
import type { Test } from 'tap'
import { appUnderTest } from '../support/app.ts'
import { connectTo, readAll } from '../support/raw-request.ts'

/** The service, listening, with a way to open connections that it has accepted. */
async function listeningApp(t: Test) {
  const { app } = await appUnderTest(t)
  await app.listen({ host: '127.0.0.1', port: 0 })
  async function connect() {
    const [socket] = await Promise.all([connectTo(app.server), once(app.server, 'connection')])
    return socket
  }
  return { app, connect }
}

void t.test(
  'a connection that never sent anything does not hold a service that stops',
  async (t) => {
    const { app, connect } = await listeningApp(t)
    const silent = await connect()
    const running = await connect()
    running.write('GET /livez HTTP/1.1\r\nHo')
    const begin = performance.now()
    const closed = app.close()
    await once(silent.resume(), 'close')
    t.ok(performance.now() - begin < 5000, 'long before any time limit of connections')
    running.write('st: a\r\n\r\n')
    const answer = await readAll(running)
    t.match(answer, /^HTTP\/1\.1 200 OK\r\n/)
    t.match(answer, /\r\nconnection: close\r\n/i)
    await closed
  }
)

void t.test(
  'a request that follows its connection at once is answered by a service that stops',
  async (t) => {
    const { app, connect } = await listeningApp(t)
    const fresh = await connect()
    const closed = app.close()
    fresh.write('GET /livez HTTP/1.1\r\nHost: a\r\n\r\n')
    t.match(await readAll(fresh), /^HTTP\/1\.1 200 OK\r\n/)
    await closed
  }
)

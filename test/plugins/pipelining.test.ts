import Fastify from 'fastify'
import t from 'tap'
import pipelining from '../../plugins/pipelining.ts'
import problemDetails from '../../plugins/problem-details.ts'
import { connectTo, readAll } from '../support/raw-request.ts'
import { until } from '../support/until.ts'

const request = 'GET /document HTTP/1.1\r\nHost: api.example.com\r\n\r\n'
const last = 'GET /document HTTP/1.1\r\nHost: api.example.com\r\nConnection: close\r\n\r\n'

t.test('a client that reads no answers has 16 requests of a connection worked on', async (t) => {
  const app = Fastify()
  t.teardown(() => app.close())
  await app.register(problemDetails)
  await app.register(pipelining)
  let worked = 0
  let release = (): void => undefined
  const released = new Promise<void>((resolve) => (release = resolve))
  app.get('/document', async () => {
    worked++
    await released
    return { kept: true }
  })
  await app.listen({ port: 0, host: '127.0.0.1' })

  const socket = await connectTo(app.server)
  socket.write(request.repeat(40))
  await until(() => worked === 16)
  const other = await connectTo(app.server)
  other.write(last)
  await until(() => worked === 17)
  release()
  t.match(await readAll(other), /^HTTP\/1\.1 200 /, 'another connection is served')

  let text = ''
  socket.setEncoding('latin1').on('data', (chunk: string) => (text += chunk))
  await until(() => statusesOf(text).length === 40)
  const refused = Array<string>(24).fill('429')
  t.same(statusesOf(text), [...Array<string>(16).fill('200'), ...refused], 'each in its turn')
  t.match(text, /retry-after: 1\r\n/i)
  t.match(text, /urn:latchkey:problem:too-many-requests/)
  t.equal(worked, 17)

  socket.removeAllListeners('data')
  socket.write(last)
  t.match(await readAll(socket), /^HTTP\/1\.1 200 /, 'once they were read it goes on')
})

t.test('a client that keeps 16 requests on their way is never refused', async (t) => {
  const app = Fastify()
  t.teardown(() => app.close())
  await app.register(pipelining)
  // more than a connection takes at once
  const page = `${'x'.repeat(300_000)}$`
  app.get('/document', async () => page)
  await app.listen({ port: 0, host: '127.0.0.1' })

  const socket = await connectTo(app.server)
  let text = ''
  let sent = 16
  socket.setEncoding('latin1').on('data', (chunk: string) => {
    text += chunk
    const ended = chunk.split('$').length - 1
    socket.write(request.repeat(ended))
    sent += ended
  })
  socket.write(request.repeat(16))
  await until(() => sent > 200)
  t.same(new Set(statusesOf(text)), new Set(['200']))
  socket.destroy()
})

function statusesOf(text: string): string[] {
  return [...text.matchAll(/HTTP\/1\.1 (\d+) /g)].map(([, status = '']) => status)
}

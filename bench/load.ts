import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import type { LoadOrder, LoadReport } from './processes.ts'

// The load of one turn, in a process of its own. Requests are written beforehand and responses are only
// counted, so that this core keeps up with the server's; no connection has more than one request under way.

const connectionsPerServer = 32

const sockets = new Map<number, Socket[]>()

process.on('message', (order: LoadOrder) => {
  void drive(order).then((report) => process.send?.(report))
})
process.on('disconnect', () => process.exit())

async function drive(order: LoadOrder): Promise<LoadReport> {
  const { port, requests: most, milliseconds } = order
  const requests = order.tokens.map(writeRequest)
  const connections = await connectionsTo(port)
  const statuses: Record<string, number> = {}
  let sent = 0
  const started = performance.now()
  const next = (): Buffer | undefined => {
    const isOver = performance.now() - started > milliseconds || sent >= most
    return isOver ? undefined : requests[sent++ % requests.length]
  }
  const rest = stayAwake()
  await Promise.all(connections.map((socket) => converse(socket, next, statuses)))
  rest()
  return { seconds: (performance.now() - started) / 1000, statuses }
}

/**
 * Has this process look for answers all the time. Asleep, it would be woken by the server's write, on the server's account:
 * of the slower one, which it waits for, more often.
 * @returns ends it
 */
function stayAwake(): () => void {
  let isAwake = true
  const look = () => {
    if (isAwake) setImmediate(look)
  }
  look()
  return () => (isAwake = false)
}

function writeRequest(token: string): Buffer {
  return Buffer.from(
    `GET /hello HTTP/1.1\r\nhost: 127.0.0.1\r\naccept: application/json\r\nauthorization: Bearer ${token}\r\n\r\n`
  )
}

/** Connections are kept between turns, or accepting them would be counted as work for short turns. */
async function connectionsTo(port: number): Promise<Socket[]> {
  const open = (sockets.get(port) ?? []).filter(({ readyState }) => readyState === 'open')
  while (open.length < connectionsPerServer) {
    const socket = connect(port, '127.0.0.1').setNoDelay()
    await once(socket, 'connect')
    open.push(socket)
  }
  sockets.set(port, open)
  return open
}

function converse(
  socket: Socket,
  next: () => Buffer | undefined,
  statuses: Record<string, number>
): Promise<void> {
  return new Promise((resolve, reject) => {
    let received = ''
    const stop = (error?: Error) => {
      socket.off('data', onData).off('error', stop).off('close', onClose)
      if (error === undefined) resolve()
      else reject(error)
    }
    const ask = () => {
      const request = next()
      if (request === undefined) stop()
      else socket.write(request)
    }
    const onClose = () => stop(new Error('The server closed a connection'))
    const onData = (chunk: Buffer) => {
      received += chunk.toString('latin1')
      if (!isWhole(received)) return
      const status = received.slice(9, 12)
      statuses[status] = (statuses[status] ?? 0) + 1
      received = ''
      ask()
    }
    socket.on('data', onData).on('error', stop).on('close', onClose)
    ask()
  })
}

function isWhole(response: string): boolean {
  const end = response.indexOf('\r\n\r\n')
  if (end === -1) return false
  const [, length] = /\r\ncontent-length: (\d+)/i.exec(response) ?? []
  return response.length >= end + 4 + Number(length)
}

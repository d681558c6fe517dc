import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import type { Test } from 'tap'

/** The way to a server on loopback, for tests that disturb it. */
export interface Relay {
  readonly port: number
  /** Breaks all connections; new ones are broken as well, until {@link Relay.restore}. */
  readonly cut: () => void
  /**
   * Lets nothing through any more and tells nobody, as a firewall that has forgotten its connections. New ones wait for
   * {@link Relay.restore}; those of before are dead for good.
   */
  readonly silence: () => void
  readonly restore: () => void
}

/** Starts a relay to a port of 127.0.0.1; it ends with the test. */
export async function startRelay(t: Test, target: number): Promise<Relay> {
  const sockets = new Set<Socket>()
  let state: 'open' | 'cut' | 'silent' = 'open'
  const keep = (socket: Socket) => {
    sockets.add(socket.on('error', () => undefined))
    socket.once('close', () => sockets.delete(socket))
  }
  const waiting: Socket[] = []
  const join = (near: Socket) => {
    const far = connect(target, '127.0.0.1')
    keep(far)
    near.pipe(far).once('close', () => near.destroy())
    far.pipe(near).once('close', () => far.destroy())
  }
  const server = createServer((near) => {
    keep(near)
    if (state === 'open') join(near)
    else if (state === 'cut') near.destroy()
    else waiting.push(near)
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const breakAll = () => {
    for (const socket of sockets) socket.destroy()
  }
  t.teardown(() => {
    breakAll()
    server.close()
  })
  return {
    port: (server.address() as AddressInfo).port,
    cut() {
      state = 'cut'
      breakAll()
    },
    silence() {
      state = 'silent'
      for (const socket of sockets) socket.unpipe().pause()
    },
    restore() {
      state = 'open'
      for (const near of waiting.splice(0)) join(near)
    }
  }
}

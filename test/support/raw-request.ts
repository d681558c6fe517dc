import { once } from 'node:events'
import { connect } from 'node:net'
import type { AddressInfo, Socket } from 'node:net'
import type { Server } from 'node:http'

/** Opens a connection to a listening server. */
export async function connectTo(server: Server): Promise<Socket> {
  const { port } = server.address() as AddressInfo
  const socket = connect(port, '127.0.0.1')
  await once(socket, 'connect')
  return socket
}

/** Everything that the server says until it closes the connection. */
export async function readAll(socket: Socket): Promise<string> {
  let text = ''
  socket.setEncoding('latin1').on('data', (chunk: string) => (text += chunk))
  await once(socket, 'close')
  return text
}

/** Sends bytes that an HTTP client would refuse to send, and reads the answer to the end of the connection. */
export async function exchange(server: Server, bytes: string): Promise<string> {
  const socket = await connectTo(server)
  socket.write(bytes)
  return readAll(socket)
}

import { isIPv6 } from 'node:net'
import type { Config } from './schema.ts'

/** Addresses that mean all of this machine's, and the one among them that a client here can call. */
const callable: Readonly<Record<string, string>> = {
  '0.0.0.0': '127.0.0.1',
  '[::]': '[::1]',
  '[::ffff:0:0]': '127.0.0.1'
}

/** True if clients on other machines are told a URL that leads them to themselves. */
export function misleadsClients({ publicUrl, host }: Config): boolean {
  return publicUrl === undefined && Object.hasOwn(callable, hostInUrl(host))
}

/**
 * The URL that clients call, without a final slash: `PUBLIC_URL`, or else the address that the service listens on.
 * `port` is the real one, known once the service listens. Never taken from a request.
 */
export function publicUrlOf({ publicUrl, host }: Config, port: number): string {
  if (publicUrl !== undefined) return publicUrl
  const address = hostInUrl(host)
  return `http://${callable[address] ?? address}:${port}`
}

/** One spelling of all that an address has: `0` and `0x0` are 0.0.0.0, and the system listens on them as on it. */
function hostInUrl(host: string): string {
  return new URL(`http://${isIPv6(host) ? `[${host}]` : host}`).hostname
}

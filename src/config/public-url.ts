import type { Config } from './schema.ts'

const loopbackOf: Readonly<Record<string, string>> = {
  '0.0.0.0': '127.0.0.1',
  '::': '[::1]',
  '::1': '[::1]'
}

/**
 * The URL that clients call, without a final slash: `PUBLIC_URL`, or else the address that the service listens on.
 * `port` is the real one, known once the service listens. Never taken from a request.
 */
export function publicUrlOf({ publicUrl, host }: Config, port: number): string {
  return publicUrl ?? `http://${loopbackOf[host] ?? host}:${port}`
}

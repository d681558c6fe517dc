import type { FastifyInstance } from 'fastify'
import { buildApp } from '../../src/app.ts'
import { loadConfig } from '../../src/config/load.ts'
import type { Config } from '../../src/config/schema.ts'

/** A service under test, and every line that it logged. */
export interface AppUnderTest {
  readonly app: FastifyInstance
  readonly log: string[]
}

/**
 * Builds the service in this process, on a database in memory, for an issuer that nobody answers for unless
 * `settings` name another. It is closed when the test ends; it listens only when asked to.
 */
export async function appUnderTest(
  t: { teardown(done: () => Promise<void>): void },
  settings: Partial<Config> = {}
): Promise<AppUnderTest> {
  const log: string[] = []
  const app = await buildApp(
    { ...defaults(), ...settings },
    { logDestination: { write: (line) => void log.push(line) } }
  )
  t.teardown(() => app.close())
  return { app, log }
}

/** The logged lines that belong to requests: the issuer's trouble comes in between whenever it likes. */
export function linesOfRequests(log: readonly string[]): Record<string, unknown>[] {
  return log
    .map((line) => JSON.parse(line) as Record<string, unknown>)
    .filter((line) => line['reqId'] !== undefined)
}

function defaults(): Config {
  const env = {
    PORT: '0',
    DATA_DIR: 'memory://',
    OIDC_ISSUER: 'http://127.0.0.1:9',
    OIDC_AUDIENCE: 'https://api.example.com'
  }
  return loadConfig(env, String)
}

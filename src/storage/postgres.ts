import { PostgresDialect } from 'kysely'
import type { PostgresPool, PostgresPoolClient } from 'kysely'
import { DatabaseError, Pool, types } from 'pg'
import type { PoolClient } from 'pg'
import { storageUnavailable } from './outage.ts'

/** Milliseconds to wait for a connection, and for a statement. */
const connectionTimeout = 5000
const statementTimeout = 10_000

/** Opens a pool of connections to PostgreSQL; the first connection is made by the first statement. */
export function openPostgres(url: string, onError: (error: Error) => void): PostgresDialect {
  const pool = new Pool({
    connectionString: url,
    connectionTimeoutMillis: connectionTimeout,
    statement_timeout: statementTimeout,
    query_timeout: statementTimeout + 1000,
    application_name: 'latchkey',
    types: { getTypeParser }
  })
  pool.on('error', onError)
  // a connection that breaks while it is in use tells its query, and would end the process if nobody listened
  pool.on('connect', (client) => client.on('error', () => undefined))
  return new PostgresDialect({ pool: withOutages(pool) })
}

/** The oid of bigint: ours are counters and times, all below 2^53, so numbers and not text. */
const bigint = 20

const getTypeParser: typeof types.getTypeParser = (type: number, format?: 'text' | 'binary') =>
  type === bigint ? Number : types.getTypeParser(type, format)

function withOutages(pool: Pool): PostgresPool {
  return {
    connect: async () => clientWithOutages(await pool.connect().catch(refuse)),
    end: () => pool.end()
  }
}

/**
 * A connection that failed is never used again: pg would let the next queries wait behind one that timed out. Closing it
 * rolls back what it began.
 */
function clientWithOutages(client: PoolClient): PostgresPoolClient {
  let outage: Error | undefined
  const query = async (text: string, values: readonly unknown[]) => {
    if (outage !== undefined) throw outage
    try {
      return await client.query(text, [...values])
    } catch (error) {
      outage = isOutage(error) ? storageUnavailable(error) : undefined
      throw outage ?? error
    }
  }
  // Kysely's other form of query, with a cursor, serves streams only: none here
  return {
    query: query as unknown as PostgresPoolClient['query'],
    release: () => client.release(outage)
  }
}

function refuse(error: unknown): never {
  throw isOutage(error) ? storageUnavailable(error) : error
}

/** What is no error of a statement is one of the connection; classes 08, 53 and 57 are the server's. */
function isOutage(error: unknown): boolean {
  return !(error instanceof DatabaseError) || /^(?:08|53|57)/.test(error.code ?? '')
}

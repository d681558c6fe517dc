import { Kysely } from 'kysely'
import type { Dialect } from 'kysely'
import { join, resolve } from 'node:path'
import { migrate } from './migrate.ts'
import type { Tables } from './tables.ts'

/** An open database whose tables are up to date. */
export interface Storage {
  readonly db: Kysely<Tables>
  readonly dialect: 'sqlite' | 'postgres'
  close(): Promise<void>
}

/** Whom the database tells what happens to it. */
export interface DatabaseOptions {
  /** Told when an idle connection to PostgreSQL breaks; the pool replaces it by itself. */
  readonly onConnectionError?: (error: Error) => void
}

/**
 * Opens the database at `url` and migrates it: `postgres://…`, `memory://` (SQLite that ends with the
 * process), or a directory, created if need be, that holds `latchkey.db`. Loads only the driver that it needs.
 * @throws {TypeError} if `url` has another scheme
 * @throws {ProblemError} `service-unavailable` if the database can't be reached
 */
export async function openDatabase(url: string, options: DatabaseOptions = {}): Promise<Storage> {
  const dialect = /^postgres(?:ql)?:/.test(url) ? 'postgres' : 'sqlite'
  const opened = await openDialect(dialect, url, options)
  const db = new Kysely<Tables>({ dialect: opened })
  try {
    await migrate({ db, dialect })
  } catch (error) {
    await db.destroy()
    throw error
  }
  return { db, dialect, close: () => db.destroy() }
}

async function openDialect(
  dialect: Storage['dialect'],
  url: string,
  { onConnectionError = () => undefined }: DatabaseOptions
): Promise<Dialect> {
  if (dialect === 'sqlite') {
    const file = sqliteFile(url)
    const { openSqlite } = await import('./sqlite.ts')
    return openSqlite(file)
  }
  const { openPostgres } = await import('./postgres.ts')
  return openPostgres(url, onConnectionError)
}

function sqliteFile(url: string): string {
  if (url === 'memory://') return ':memory:'
  if (/^[a-z][a-z0-9+.-]+:/i.test(url)) {
    const scheme = url.slice(0, url.indexOf(':') + 1)
    throw new TypeError(`a database is postgres://…, memory:// or a directory, not ${scheme}…`)
  }
  return join(resolve(url), 'latchkey.db')
}

import { SqliteDialect } from 'kysely'
import type { SqliteDatabase, SqliteStatement } from 'kysely'
import Database from 'libsql'
import { closeSync, mkdirSync, openSync } from 'node:fs'
import { dirname } from 'node:path'
import { storageUnavailable } from './outage.ts'

/** Milliseconds to wait for another process that writes. */
const busyTimeout = 5000

/**
 * Opens an SQLite file, created with its directory and readable by this account only. A commit is on
 * the disk before it is acknowledged (`synchronous=FULL`), and readers don't wait for writers (WAL).
 */
export function openSqlite(file: string): SqliteDialect {
  if (file !== ':memory:') createFile(file)
  const database = new Database(file)
  database.pragma(`busy_timeout = ${busyTimeout}`)
  database.pragma('journal_mode = WAL')
  database.pragma('synchronous = FULL')
  database.pragma('foreign_keys = ON')
  return new SqliteDialect({ database: withPreparedStatements(database) })
}

function createFile(file: string): void {
  mkdirSync(dirname(file), { recursive: true, mode: 0o700 })
  closeSync(openSync(file, 'a', 0o600))
}

/** Prepares each statement once: there are a few dozen, and values are always parameters. */
function withPreparedStatements(database: Database.Database): SqliteDatabase {
  const prepared = new Map<string, SqliteStatement>()
  const prepare = (text: string): SqliteStatement => {
    const statement = prepared.get(text) ?? makeStatement(database, text)
    prepared.set(text, statement)
    return statement
  }
  return { prepare, close: () => void database.close() }
}

function makeStatement(database: Database.Database, text: string): SqliteStatement {
  const statement = withOutages(database.prepare(text))
  return text === 'rollback' ? onlyInTransaction(database, statement) : statement
}

function withOutages(statement: Database.Statement): SqliteStatement {
  return {
    reader: statement.reader,
    all: (parameters) => naming(() => statement.all(parameters)),
    run: (parameters) => naming(() => statement.run(parameters)),
    iterate: (parameters) => statement.iterate(parameters)
  }
}

/** A full disk ends the transaction by itself, and a rollback after that would fail and hide why. */
function onlyInTransaction(
  database: Database.Database,
  rollback: SqliteStatement
): SqliteStatement {
  const run: SqliteStatement['run'] = (parameters) =>
    database.inTransaction ? rollback.run(parameters) : { changes: 0, lastInsertRowid: 0 }
  return { ...rollback, run }
}

function naming<T>(execute: () => T): T {
  try {
    return execute()
  } catch (error) {
    if (
      error instanceof Database.SqliteError &&
      /^SQLITE_(?:BUSY|FULL|IOERR|READONLY|CANTOPEN)/.test(error.code)
    )
      throw storageUnavailable(error)
    throw error
  }
}

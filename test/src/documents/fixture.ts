import type { Test } from 'tap'
import { openDocuments } from '../../../src/documents/documents.ts'
import type { DocumentsOptions } from '../../../src/documents/documents.ts'
import type { Owner } from '../../../src/documents/owner.ts'
import type { ProblemKind } from '../../../src/http/problem.ts'
import { openDatabase } from '../../../src/storage/database.ts'
import type { TestDatabase } from '../../support/databases.ts'

export const ada: Owner = { issuer: 'https://id.example.com', subject: 'ada', kind: 'user' }

/** What a refusal must look like. */
export function problem(kind: ProblemKind, pointer?: string): Error {
  return { kind, ...(pointer && { errors: [{ pointer }] }) } as unknown as Error
}

/** Opens the documents of a database, a new one unless `url` names it, until the test has ended. */
export async function open(
  t: Test,
  { create }: TestDatabase,
  options: DocumentsOptions = {},
  url?: string
) {
  const storage = await openDatabase(url ?? (await create()))
  t.teardown(() => storage.close())
  return openDocuments(storage, options)
}

/**
 * Two services that work on one database at the same time. SQLite blocks the process that waits for
 * another's write, so there both are the same; several processes are tested in test/src/storage.
 */
export async function openTwo(t: Test, database: TestDatabase) {
  const url = await database.create()
  const one = await open(t, database, {}, url)
  return { one, two: database.name === 'SQLite' ? one : await open(t, database, {}, url) }
}

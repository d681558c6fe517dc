import { sql } from 'kysely'
import type { Storage } from './database.ts'

/** Whether the database answers now. Never throws. */
export async function isAnswering({ db }: Storage): Promise<boolean> {
  try {
    await sql`select 1`.execute(db)
    return true
  } catch {
    return false
  }
}

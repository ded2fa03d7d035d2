import type { Pool } from './pool.js'
import { createDatabase } from './transaction.js'

/** What time it is to the database. @throws AuthError unavailable */
export async function databaseTime(pool: Pool): Promise<Date> {
  const { rows: [row] } = await createDatabase(pool).query<{ now: Date }>(null, 'SELECT tessera_now() AS now', [])
  if (!row) throw new Error('a select of one row returned none')
  return row.now
}

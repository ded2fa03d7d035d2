import { tryLock } from './locks.js'
import type { Pool } from './pool.js'
import { createDatabase, type Database } from './transaction.js'
import { knownOriginDays } from './users.js'

/** What has been of no use for a while, by table. */
const outdated = {
  sessions: "expires_at < tessera_now() - interval '1 day'",
  revocations: 'expires_at < tessera_now()',
  attempts: "subject LIKE 'unknown:%' AND updated_at < tessera_now() - interval '1 day'",
  known_origins: `last_login_at < tessera_now() - interval '${knownOriginDays} days'`,
  totp_enrolments: 'expires_at < tessera_now()',
  api_keys: "expires_at < tessera_now() - interval '30 days'",
  client_assertions: 'expires_at < tessera_now()',
} as const

type SweptTable = keyof typeof outdated

/** Deleted rows by table. */
export type SweepCounts = Record<SweptTable, number>

const rowsABatch = 1000
/** What is left then is left to the next sweep. */
const batchesATable = 50

/** Rows that somebody is using are passed over; they are found again. */
const deleteBatch = (table: SweptTable) => `
  DELETE FROM ${table} WHERE ctid = ANY (ARRAY(
    SELECT ctid FROM ${table} WHERE ${outdated[table]} LIMIT ${rowsABatch} FOR UPDATE SKIP LOCKED
  ))`

/**
 * Deletes what is outdated, in short transactions. Only one node sweeps at a time: on the others it deletes nothing.
 * @throws AuthError unavailable; what was deleted until then stays deleted
 */
export async function sweep(pool: Pool): Promise<SweepCounts> {
  const database = createDatabase(pool)
  return {
    sessions: await sweepTable(database, 'sessions'),
    revocations: await sweepTable(database, 'revocations'),
    attempts: await sweepTable(database, 'attempts'),
    known_origins: await sweepTable(database, 'known_origins'),
    totp_enrolments: await sweepTable(database, 'totp_enrolments'),
    api_keys: await sweepTable(database, 'api_keys'),
    client_assertions: await sweepTable(database, 'client_assertions'),
  }
}

async function sweepTable(database: Database, table: SweptTable): Promise<number> {
  let total = 0
  for (let batch = 0; batch < batchesATable; batch += 1) {
    const deleted = await sweepBatch(database, table)
    total += deleted
    if (deleted < rowsABatch) break
  }
  return total
}

const sweepBatch = (database: Database, table: SweptTable): Promise<number> =>
  database.transaction(async (transaction) => {
    if (!(await tryLock(transaction, 'sweep'))) return 0
    return (await transaction.query(null, deleteBatch(table), [])).count
  })

import type pg from 'pg'
import { createDirectClient } from './client.js'

/** Why a database cannot be copied, in one line. */
export class CopyError extends Error {
  override readonly name = 'CopyError'
}

export interface CopiedTable {
  readonly table: string
  readonly rows: number
}

const rowsAtOnce = 500

/**
 * Copies every row of one database into another one, whose schema is the same and which holds nothing yet. All or nothing.
 * @param from as a role that may read everything
 * @param to as the role that owns the schema
 * @throws CopyError when the source is in use, the target is not empty, or the schemas differ
 */
export async function copyDatabase(from: string, to: string): Promise<CopiedTable[]> {
  const source = await connect(from)
  try {
    const target = await connect(to)
    try {
      return await copy(source, target)
    } finally {
      await target.end()
    }
  } finally {
    await source.end()
  }
}

async function connect(connectionString: string): Promise<pg.Client> {
  const client = createDirectClient({ connectionString, application_name: 'tessera database copy' })
  client.on('error', () => undefined) // the query under way fails, and says it
  await client.connect()
  await client.query('SET statement_timeout = 0; SET lock_timeout = 0; SET idle_in_transaction_session_timeout = 0')
  return client
}

async function copy(source: pg.Client, target: pg.Client): Promise<CopiedTable[]> {
  await requireUnused(source)
  await source.query('BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY')
  await target.query('BEGIN')
  const tables = await tablesOf(source)
  requireSame(tables, await tablesOf(target))
  const used = await target.query<{ used: boolean }>('SELECT EXISTS (SELECT FROM users) OR EXISTS (SELECT FROM data_keys) AS used')
  if (used.rows[0]?.used) throw new CopyError('the other database is in use: it holds users or keys; give an empty one')
  const copied: CopiedTable[] = []
  for (const { name } of tables) await target.query(`ALTER TABLE ${name} DISABLE TRIGGER USER`)
  // What migrations put there is part of what is copied.
  for (const { name } of [...tables].reverse()) await target.query(`DELETE FROM ${name}`)
  for (const table of tables) copied.push({ table: table.name, rows: await copyTable(source, target, table) })
  for (const { name } of tables) await target.query(`ALTER TABLE ${name} ENABLE TRIGGER USER`)
  await copySequences(source, target)
  await target.query('COMMIT')
  await source.query('COMMIT')
  return copied
}

/** What is written while the copy is made would be lost. */
async function requireUnused(source: pg.Client): Promise<void> {
  const { rows: [other] } = await source.query<{ name: string }>(`
    SELECT application_name AS name FROM pg_stat_activity
    WHERE datname = current_database() AND pid <> pg_backend_pid() AND application_name LIKE 'tessera%' AND application_name <> 'tessera member'
    LIMIT 1`)
  if (other) throw new CopyError(`the database is in use by “${other.name}”: stop the service, and run this again`)
}

interface Table {
  /** Quoted. */
  readonly name: string
  /** Quoted, in order, without those that the server computes. */
  readonly columns: readonly string[]
}

/** Those that others refer to come first. */
const selectTables = `
  WITH RECURSIVE tables AS (
    SELECT c.oid, c.relname FROM pg_class c
    WHERE c.relnamespace = current_schema()::regnamespace AND c.relkind = 'r' AND c.relname <> 'schema_migrations'
  ),
  depths AS (
    SELECT oid, 0 AS depth FROM tables
    UNION
    SELECT k.conrelid, d.depth + 1 FROM depths d JOIN pg_constraint k ON k.confrelid = d.oid AND k.contype = 'f' AND k.conrelid <> k.confrelid
  )
  SELECT quote_ident(t.relname) AS name,
    (SELECT array_agg(quote_ident(a.attname) ORDER BY a.attnum) FROM pg_attribute a
     WHERE a.attrelid = t.oid AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = '') AS columns
  FROM tables t
  ORDER BY (SELECT max(depth) FROM depths d WHERE d.oid = t.oid), t.relname`

async function tablesOf(client: pg.Client): Promise<Table[]> {
  const { rows } = await client.query<Table>(selectTables)
  return rows
}

function requireSame(ours: readonly Table[], theirs: readonly Table[]): void {
  if (JSON.stringify(ours) !== JSON.stringify(theirs)) throw new CopyError('the two databases have different schemas: run `tessera migrate` on both, with this version.')
}

/** Rows travel as the JSON that the server writes and reads itself: no value passes through a type of this language. */
async function copyTable(source: pg.Client, target: pg.Client, { name, columns }: Table): Promise<number> {
  const list = columns.join(', ')
  let count = 0
  await source.query(`DECLARE rows_to_copy NO SCROLL CURSOR FOR SELECT row_to_json(t)::text AS row FROM ${name} t`)
  for (;;) {
    const { rows } = await source.query<{ row: string }>(`FETCH ${rowsAtOnce} FROM rows_to_copy`)
    if (rows.length === 0) break
    await target.query(`INSERT INTO ${name} (${list}) OVERRIDING SYSTEM VALUE SELECT ${list} FROM json_populate_recordset(NULL::${name}, $1::json)`, [
      `[${rows.map(({ row }) => row).join(',')}]`,
    ])
    count += rows.length
  }
  await source.query('CLOSE rows_to_copy')
  return count
}

async function copySequences(source: pg.Client, target: pg.Client): Promise<void> {
  const { rows } = await source.query<{ name: string; last: string | null }>(
    `SELECT quote_ident(sequencename) AS name, last_value::text AS last FROM pg_sequences WHERE schemaname = current_schema()`,
  )
  for (const { name, last } of rows) if (last !== null) await target.query('SELECT setval($1::regclass, $2::bigint)', [name, last])
}

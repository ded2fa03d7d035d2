import type pg from 'pg'
import { createDirectClient } from './client.js'
import { MigrationError } from './migration-error.js'

/**
 * What the service's role may do, where another role owns the schema: what its statements need, table by table. A row lock
 * (`FOR UPDATE`, `FOR SHARE`) takes the right to UPDATE. Nothing here lets it touch what the audit trail holds.
 */
const tableRights = {
  schema_migrations: ['SELECT'],
  service_state: ['SELECT', 'UPDATE'],
  service_locks: ['SELECT', 'UPDATE'],
  notification_channel: ['SELECT'],
  users: ['SELECT', 'INSERT', 'UPDATE', 'DELETE'],
  passwords: ['SELECT', 'INSERT', 'UPDATE', 'DELETE'],
  pins: ['SELECT', 'INSERT', 'UPDATE', 'DELETE'],
  totp: ['SELECT', 'INSERT', 'UPDATE', 'DELETE'],
  recovery_codes: ['SELECT', 'INSERT', 'UPDATE', 'DELETE'],
  totp_enrolments: ['SELECT', 'INSERT', 'UPDATE', 'DELETE'],
  sessions: ['SELECT', 'INSERT', 'UPDATE', 'DELETE'],
  api_keys: ['SELECT', 'INSERT', 'UPDATE', 'DELETE'],
  clients: ['SELECT', 'INSERT', 'UPDATE', 'DELETE'],
  client_assertions: ['SELECT', 'INSERT', 'UPDATE', 'DELETE'],
  attempts: ['SELECT', 'INSERT', 'UPDATE', 'DELETE'],
  known_origins: ['SELECT', 'INSERT', 'UPDATE', 'DELETE'],
  data_keys: ['SELECT', 'INSERT'],
  signing_keys: ['SELECT', 'INSERT', 'UPDATE'],
  key_wraps: ['SELECT', 'INSERT', 'DELETE'],
  revocations: ['SELECT', 'INSERT', 'UPDATE', 'DELETE'],
  token_bound: ['SELECT', 'UPDATE'],
  fleet_settings: ['SELECT', 'INSERT', 'UPDATE'],
  audit_events: ['SELECT', 'INSERT'],
  audit_seals: ['SELECT', 'INSERT'],
  audit_checkpoints: ['SELECT'],
} as const satisfies Readonly<Record<string, readonly ('SELECT' | 'INSERT' | 'UPDATE' | 'DELETE')[]>>

const sequences = ['revocations_seq'] as const

/** The tables that the service's role can only append to, if that. What more it was given once is taken back. */
export const appendOnlyTables = ['audit_events', 'audit_seals', 'audit_checkpoints'] as const

/** With any of these it could change, empty or replace what was written. */
const forbiddenRights = ['UPDATE', 'DELETE', 'TRUNCATE', 'TRIGGER'] as const

/** Who connects with this URL. */
export async function roleOf(connectionString: string): Promise<string> {
  const client = createDirectClient({ connectionString, application_name: 'tessera migrate' })
  client.on('error', () => undefined) // the query under way fails, and says it
  await client.connect()
  try {
    const { rows: [row] } = await client.query<{ name: string }>('SELECT current_user AS name')
    if (row === undefined) throw new Error('the server does not say who we are')
    return row.name
  } finally {
    await client.end()
  }
}

/**
 * Gives the service's role what it needs, and refuses one that could do more to the audit trail than append. Rights are only
 * added, except on the audit trail: an older release that starts beside a newer one takes nothing away from it.
 * @param client connected as the role that owns the schema
 * @throws MigrationError naming the role, what it could do, and what to do about it
 */
export async function limitServiceRole(client: pg.Client, role: string): Promise<void> {
  await requireOther(client, role)
  await client.query('BEGIN')
  try {
    await grant(client, role)
    await client.query('COMMIT')
  } catch (error) {
    await client.query('ROLLBACK')
    throw error
  }
  await requireNoMore(client, role)
}

async function requireOther(client: pg.Client, role: string): Promise<void> {
  const { rows: [found] } = await client.query<{ own: string; known: boolean }>(
    'SELECT current_user AS own, EXISTS (SELECT FROM pg_roles WHERE rolname = $1) AS known',
    [role],
  )
  if (found?.own === role) {
    throw new MigrationError(`MIGRATION_DATABASE_URL and DATABASE_URL both connect as ${role}: give the service a role of its own, or leave MIGRATION_DATABASE_URL out.`)
  }
  if (found?.known !== true) {
    throw new MigrationError(`The server of MIGRATION_DATABASE_URL does not know the role ${role} of DATABASE_URL: both must name the same database.`)
  }
}

async function grant(client: pg.Client, role: string): Promise<void> {
  const name = client.escapeIdentifier(role)
  const { rows: [schema] } = await client.query<{ name: string; usable: boolean }>(
    `SELECT current_schema() AS name, has_schema_privilege($1, current_schema(), 'USAGE') AS usable`,
    [role],
  )
  if (schema?.usable === false) await client.query(`GRANT USAGE ON SCHEMA ${client.escapeIdentifier(schema.name)} TO ${name}`)
  for (const table of appendOnlyTables) await client.query(`REVOKE ALL ON ${table} FROM ${name}`)
  for (const [table, rights] of Object.entries(tableRights)) await client.query(`GRANT ${rights.join(', ')} ON ${table} TO ${name}`)
  for (const sequence of sequences) await client.query(`GRANT USAGE ON SEQUENCE ${sequence} TO ${name}`)
}

interface Excess {
  is_master: boolean
  owns: string | null
  creates_in: string | null
  may: string | null
}

/** By whatever way it holds them: its own attributes, a role that it is a member of, what everybody may. */
const excess = `
  SELECT
    r.rolsuper OR r.rolcreaterole AS is_master,
    (SELECT min(owned.name) FROM (
      SELECT c.relname::text AS name FROM pg_class c WHERE c.oid = ANY ($2::text[]::regclass[]) AND pg_has_role(r.oid, c.relowner, 'MEMBER')
      UNION ALL
      SELECT 'the schema ' || n.nspname FROM pg_namespace n WHERE n.nspname = current_schema() AND pg_has_role(r.oid, n.nspowner, 'MEMBER')
      UNION ALL
      SELECT 'the database ' || d.datname FROM pg_database d WHERE d.datname = current_database() AND pg_has_role(r.oid, d.datdba, 'MEMBER')
    ) owned) AS owns,
    CASE WHEN has_schema_privilege(r.oid, current_schema(), 'CREATE') THEN current_schema()::text END AS creates_in,
    (SELECT min(word || ' ' || name) FROM unnest($2::text[]) AS name, unnest($3::text[]) AS word
      WHERE has_table_privilege(r.oid, name, word) OR (word = 'UPDATE' AND has_any_column_privilege(r.oid, name, word))) AS may
  FROM pg_roles r WHERE r.rolname = $1`

async function requireNoMore(client: pg.Client, role: string): Promise<void> {
  const { rows: [found] } = await client.query<Excess>(excess, [role, appendOnlyTables, forbiddenRights])
  const problem = found && problemOf(found)
  if (problem) throw new MigrationError(`The role ${role} of DATABASE_URL could change the audit trail: ${problem}, or leave MIGRATION_DATABASE_URL out.`)
}

function problemOf({ is_master, owns, creates_in, may }: Excess): string | null {
  if (is_master) return 'it is a superuser or creates roles; take a role that is neither (ALTER ROLE … NOSUPERUSER NOCREATEROLE)'
  if (owns !== null) return `it owns ${owns}, or is a member of the role that does; let the role of MIGRATION_DATABASE_URL own it (REASSIGN OWNED)`
  if (creates_in !== null) return `it may create objects in the schema ${creates_in}; take that away (REVOKE CREATE ON SCHEMA … FROM PUBLIC)`
  if (may !== null) return `it holds ${may} from another role or as PUBLIC; take that away (REVOKE)`
  return null
}

/** What the role that is connected may do to the audit trail; before the first migration there is none. */
export async function trailRights(pool: pg.Pool): Promise<{ role: string; canChangeTrail: boolean }> {
  const { rows: [row] } = await pool.query<{ role: string; able: boolean | null }>(
    `SELECT current_user AS role, bool_or(has_table_privilege(c.oid, $2) OR has_any_column_privilege(c.oid, 'UPDATE')) AS able
     FROM pg_class c WHERE c.oid = ANY (SELECT to_regclass(name) FROM unnest($1::text[]) AS name)`,
    [appendOnlyTables, forbiddenRights.join(', ')],
  )
  return { role: row?.role ?? 'nobody', canChangeTrail: row?.able ?? true }
}

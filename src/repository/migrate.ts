import { createHash } from 'node:crypto'
import { readFile, readdir } from 'node:fs/promises'
import path from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import pg from 'pg'
import { packageRoot } from '../package-root.js'
import { createDirectClient } from './client.js'
import { MigrationError } from './migration-error.js'
import { limitServiceRole, roleOf } from './service-role.js'

export { MigrationError } from './migration-error.js'

const migrationsFolder = path.join(packageRoot, 'migrations')

/** Version 0.1 holds this advisory lock while it migrates. */
const previousLockKey = 7_377_235_002
const previousLockPollMs = 50

export interface MigrateOptions {
  readonly log?: (message: string) => void
  /** Holds `NNNN_name.sql`; by default the package's own. */
  readonly directory?: string
  /** Gives up: what is under way is rolled back. */
  readonly signal?: AbortSignal | undefined
  /** Where the service connects as a role of its own: that role is given what it needs, and no more. */
  readonly serviceUrl?: string
}

/** Anything that runs a query: a client or a pool. */
export interface Queryable {
  query(text: string): Promise<{ rows: unknown[] }>
}

interface Migration {
  readonly version: number
  readonly name: string
  readonly checksum: string
  readonly sql: string
}

interface AppliedRow {
  version: number
  name: string
  checksum: string
}

/**
 * Applies what is missing, in order, each migration in a transaction of its own. Any number of nodes may call
 * it at once; versions that only a newer release knows are left alone, since two releases may run side by side.
 * @returns the names that were applied now
 * @param connectionString of the role that owns the schema
 * @throws MigrationError when a migration fails, an applied one was changed since, or the service's role could do too much
 */
export async function migrate(connectionString: string, options: MigrateOptions = {}): Promise<{ applied: string[] }> {
  const migrations = await readMigrations(options.directory)
  const client = createDirectClient({ connectionString, application_name: 'tessera migrate' })
  client.on('error', () => undefined) // the query under way fails, and says it
  await client.connect()
  // A statement that waits for a lock has no limit here.
  const giveUp = () => client.connection.stream.destroy()
  options.signal?.addEventListener('abort', giveUp, { once: true })
  try {
    options.signal?.throwIfAborted()
    await prepareSession(client)
    const applied = await applyMissing(client, migrations, options)
    if (options.serviceUrl !== undefined) await provideFor(options.serviceUrl, client, options.directory)
    return { applied }
  } catch (error) {
    if (!isRefusal(error)) throw error
    throw new MigrationError(`The schema cannot be brought up to date: ${error.message}. Let the role that owns it run \`tessera migrate\`.`, { cause: error })
  } finally {
    options.signal?.removeEventListener('abort', giveUp)
    await client.end()
  }
}

async function applyMissing(client: pg.Client, migrations: readonly Migration[], { log }: MigrateOptions): Promise<string[]> {
  // A role that may not change the schema can serve one that is up to date: it needs no lock and no table.
  if (pendingOf(migrations, await appliedRows(client)).length === 0) return []
  await waitForPreviousVersion(client)
  await client.query(schemaMigrations).catch(unlessMadeMeanwhile)
  const applied = []
  for (const migration of migrations) {
    if (!(await applyUnlessDone(client, migration, migrations))) continue
    applied.push(migration.name)
    log?.(`Applied migration ${migration.name}`)
  }
  return applied
}

/**
 * A node of version 0.1 migrates under an advisory lock, which any role may hold: it is waited for only while a session of
 * our own role holds it. Between nodes of this version the lock on the table decides.
 */
async function waitForPreviousVersion(client: pg.Client): Promise<void> {
  for (;;) {
    const { rows: [lock] } = await client.query<{ held: boolean }>('select pg_try_advisory_lock($1) as held', [previousLockKey])
    if (lock?.held) return
    const { rows: holders } = await client.query(
      `select from pg_locks l join pg_stat_activity a on a.pid = l.pid
       where l.locktype = 'advisory' and l.database = (select oid from pg_database where datname = current_database())
         and l.classid::bigint << 32 | l.objid::bigint = $1 and l.objsubid = 1 and l.granted and a.usename = current_user`,
      [previousLockKey],
    )
    if (holders.length === 0) return
    await pause(previousLockPollMs)
  }
}

/** `if not exists` does not look at what another session is just making: unique_violation, duplicate_table. */
function unlessMadeMeanwhile(error: unknown): void {
  if (!(error instanceof pg.DatabaseError && ['23505', '42P07'].includes(error.code ?? ''))) throw error
}

/** @returns the names of migrations that this release has and the database has not */
export async function pendingMigrations(queryable: Queryable, directory?: string): Promise<string[]> {
  const migrations = await readMigrations(directory)
  return pendingOf(migrations, await appliedRows(queryable)).map(({ name }) => name)
}

async function provideFor(serviceUrl: string, owner: pg.Client, directory: string | undefined): Promise<void> {
  const role = await roleOf(serviceUrl)
  await limitServiceRole(owner, role)
  await requireSameSchema(serviceUrl, role, directory)
}

/** Names are found by a search path, and the two roles may have two. */
async function requireSameSchema(serviceUrl: string, role: string, directory: string | undefined): Promise<void> {
  const service = createDirectClient({ connectionString: serviceUrl, application_name: 'tessera migrate' })
  service.on('error', () => undefined)
  await service.connect()
  try {
    if ((await pendingMigrations(service, directory)).length === 0) return
  } catch (error) {
    // It sees another schema, one that it has no rights in.
    if (!isRefusal(error)) throw error
  } finally {
    await service.end()
  }
  throw new MigrationError(`The role ${role} of DATABASE_URL does not find the schema that was migrated: DATABASE_URL and MIGRATION_DATABASE_URL must name the same database, and lead to the same schema.`)
}

const schemaMigrations = `
  create table if not exists schema_migrations (
    version integer primary key,
    name text not null,
    checksum text not null,
    applied_at timestamptz not null default now()
  )`

async function appliedRows(queryable: Queryable): Promise<AppliedRow[]> {
  const record = await queryable.query(`select from pg_class where oid = to_regclass('schema_migrations')`)
  if (record.rows.length === 0) return []
  const { rows } = await queryable.query('select version, name, checksum from schema_migrations order by version')
  return rows as AppliedRow[]
}

/** Limits that are right for requests are wrong here; and when we die, the lock is to be free at once. */
async function prepareSession(client: pg.Client): Promise<void> {
  await client.query('set statement_timeout = 0; set lock_timeout = 0; set idle_in_transaction_session_timeout = 0')
  await client.query(`set client_connection_check_interval = '1s'`).catch(() => undefined) // not on every system
}

async function readMigrations(directory = migrationsFolder): Promise<Migration[]> {
  const files = (await readdir(directory).catch(emptyWhenMissing)).filter((file) => file.endsWith('.sql')).sort()
  const migrations = await Promise.all(files.map((file) => readMigration(directory, file)))
  for (const [index, { version, name }] of migrations.entries()) {
    const before = migrations[index - 1]
    if (before?.version === version) throw new MigrationError(`${before.name} and ${name} have one number: give the later one the next.`)
  }
  return migrations
}

async function readMigration(directory: string, file: string): Promise<Migration> {
  const [, version] = /^(\d{4})_[a-z0-9_]+\.sql$/.exec(file) ?? []
  if (version === undefined) throw new MigrationError(`${file} is no name for a migration: NNNN_name.sql is.`)
  // A checkout may turn line ends round; that changes nothing.
  const sql = (await readFile(path.join(directory, file), 'utf8')).replaceAll('\r\n', '\n')
  return { version: Number(version), name: file.slice(0, -'.sql'.length), checksum: checksumOf(sql), sql }
}

const checksumOf = (sql: string) => createHash('sha256').update(sql).digest('hex')

function emptyWhenMissing(error: unknown): string[] {
  if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return []
  throw error
}

function pendingOf(migrations: readonly Migration[], applied: readonly AppliedRow[]): Migration[] {
  const checksums = new Map(applied.map(({ version, checksum }) => [version, checksum]))
  for (const { version, name, checksum } of migrations) {
    const known = checksums.get(version)
    if (known === undefined || known === checksum) continue
    throw new MigrationError(`Migration ${name} was changed after it had been applied: restore it, and put the change into a new one.`)
  }
  const newest = Math.max(0, ...checksums.keys())
  const pending = migrations.filter(({ version }) => !checksums.has(version))
  const [late] = pending
  if (late !== undefined && late.version < newest) {
    throw new MigrationError(`Migration ${late.name} comes before ${newest}, which has been applied: give it a number after that.`)
  }
  return pending
}

/** One node at a time, behind a lock that only the owner of the table can take. @returns false when another node was faster */
async function applyUnlessDone(client: pg.Client, migration: Migration, all: readonly Migration[]): Promise<boolean> {
  await client.query('begin')
  try {
    await client.query('lock table schema_migrations in share row exclusive mode')
    const isMissing = pendingOf(all, await appliedRows(client)).includes(migration)
    if (isMissing) await apply(client, migration)
    await client.query('commit')
    return isMissing
  } catch (error) {
    await client.query('rollback').catch(() => undefined)
    throw error
  }
}

async function apply(client: pg.Client, { version, name, checksum, sql }: Migration): Promise<void> {
  try {
    await client.query(sql)
    await client.query('insert into schema_migrations (version, name, checksum) values ($1, $2, $3)', [version, name, checksum])
  } catch (error) {
    throw new MigrationError(`Migration ${name} failed${lineOf(error, sql)}: ${error instanceof Error ? error.message : String(error)}`, {
      cause: error,
    })
  }
}

/** 42501: this role may not do that. */
const isRefusal = (error: unknown): error is pg.DatabaseError => error instanceof pg.DatabaseError && error.code === '42501'

/** PostgreSQL counts characters; people read lines. */
function lineOf(error: unknown, sql: string): string {
  if (!(error instanceof pg.DatabaseError) || error.position === undefined) return ''
  return ` in line ${sql.slice(0, Number(error.position) - 1).split('\n').length}`
}

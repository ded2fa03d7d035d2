import pg from 'pg'
import { setTimeout as pause } from 'node:timers/promises'
import type { Config } from './config/index.js'
import { joinEmbeddedServer } from './repository/embedded/index.js'

/** Why there is no database to work with, in one line. */
export class DatabaseError extends Error {
  override readonly name = 'DatabaseError'
}

export interface DatabaseAccess {
  readonly url: string
  /** A direct connection, for LISTEN. */
  readonly listenUrl: string
  /** As the role that owns the schema; null: nobody but the service's own role is known. */
  readonly migrationUrl: string | null
  readonly isEmbedded: boolean
  /** A transaction pooler stands in front of `url`. */
  readonly isPooled: boolean
  /** To be called once no connection is needed any more. */
  leave(): Promise<void>
}

/** How long an external database that does not answer is waited for, if the caller does not say. */
const usualPatienceMs = 30_000

/** The database of the configuration, reached: the embedded server, or the one that `DATABASE_URL` names. @throws DatabaseError | EmbeddedServerError */
export async function openDatabase(config: Config, log: (message: string) => void, patienceMs = usualPatienceMs, signal?: AbortSignal): Promise<DatabaseAccess> {
  if (config.databaseUrl === null) {
    const server = await joinEmbeddedServer({ dataDir: config.dataDir, log, signal })
    return { url: server.connectionString, listenUrl: server.connectionString, migrationUrl: null, isEmbedded: true, isPooled: false, leave: () => server.leave() }
  }
  const url = config.databaseUrl
  const { migrationDatabaseUrl: migrationUrl } = config
  await reach('DATABASE_URL', url, log, patienceMs)
  if (migrationUrl !== null) await reach('MIGRATION_DATABASE_URL', migrationUrl, log, patienceMs)
  const listenUrl = config.databaseListenUrl ?? url
  return { url, listenUrl, migrationUrl, isEmbedded: false, isPooled: listenUrl !== url, leave: () => Promise.resolve() }
}

const pauseMs = 1000
const oldestVersion = 150_000

/**
 * A database that starts together with the service may need a while; one that refuses us will not change its mind.
 * @param setting where the URL comes from, for the message
 * @throws DatabaseError
 */
export async function reach(setting: string, url: string, log: (message: string) => void, patienceMs: number): Promise<void> {
  const deadline = performance.now() + patienceMs
  for (;;) {
    try {
      await requireVersion(setting, url)
      return
    } catch (error) {
      if (error instanceof DatabaseError) throw error
      const failure = describe(setting, url, error)
      if (!isPassing(error) || performance.now() >= deadline) throw new DatabaseError(failure)
      log(`${failure}; trying again`)
      await pause(pauseMs)
    }
  }
}

async function requireVersion(setting: string, url: string): Promise<void> {
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: 5000, query_timeout: 5000 })
  client.on('error', () => undefined) // what is under way fails, and says so
  try {
    await client.connect()
    const { rows } = await client.query<{ version: string }>(`SELECT current_setting('server_version_num') AS version`)
    if (Number(rows[0]?.version) < oldestVersion) throw new DatabaseError(`the PostgreSQL at ${placeOf(setting, url)} is too old: tessera needs version 15 or newer`)
  } finally {
    await client.end().catch(() => undefined)
  }
}

const codeOf = (error: unknown): string | undefined => (error instanceof Error && 'code' in error ? String(error.code) : undefined)

/** Class 28 (no such user, wrong password), 3D000 (no such database), 42501: asking again changes nothing. */
const isPassing = (error: unknown): boolean => !/^(28|3D|42)/.test(codeOf(error) ?? '')

function describe(setting: string, url: string, error: unknown): string {
  const why = codeOf(error) ?? (error instanceof Error ? error.message : 'error')
  const advice = isPassing(error) ? `check that it runs and that ${setting} is right` : `check user, password and database name in ${setting}`
  return `cannot use PostgreSQL at ${placeOf(setting, url)} (${why}): ${advice}`
}

/** Host, port and database: never the password. */
function placeOf(setting: string, url: string): string {
  if (!URL.canParse(url)) return setting
  const { hostname, port, pathname } = new URL(url)
  return `${hostname}:${port === '' ? '5432' : port}${pathname}`
}

import { once } from 'node:events'
import type pg from 'pg'
import type { Config, Environment } from '../config/index.js'
import type { DatabaseAccess } from '../database.js'
import { openKeyring } from '../domain/keyring.js'
import type { Repository } from '../domain/ports.js'
import { generatedMasterSecret } from '../master-secret.js'
import { createPool, createRepository } from '../repository/index.js'
import { pendingMigrations } from '../repository/migrate.js'
import { trailRights } from '../repository/service-role.js'
import { version } from '../version.js'
import { createChart, type Chart } from './chart.js'
import type { commands } from './commands.js'
import type { Context, Handler } from './context.js'
import { CommandError } from './errors.js'
import { examineFleet } from './fleet-report.js'
import { notificationDelayMs } from './notification.js'
import type { Result } from './output.js'

interface Patient {
  readonly config: Config
  readonly database: DatabaseAccess
  readonly pool: pg.Pool
  readonly repository: Repository
}

const largestClockDifferenceMs = 5000
const redisPatienceMs = 2000

/** In this order. Each answers what it found when all is well, and throws what is wrong. */
const checks: Readonly<Record<string, (patient: Patient) => Promise<string>>> = {
  versions: checkVersions,
  migrations: checkMigrations,
  role: checkRole,
  limits: checkLimits,
  keys: checkKeys,
  clock: checkClock,
  feed: async ({ database }) => `a notification arrives within ${Math.ceil(await notificationDelayMs(database))} ms`,
}

/** Changes nothing but this: an embedded database that was never used is made, to see that it can be. */
async function run(context: Context): Promise<Result> {
  const chart = createChart()
  const config = await chart.examine('environment', () => context.config(), ({ databaseUrl }) => (databaseUrl === null ? 'embedded database' : 'DATABASE_URL is set'))
  for (const warning of config?.warnings ?? []) chart.note('environment', 'warning', warning)
  const redisUrl = config?.redisUrl ?? null
  if (redisUrl !== null) await chart.examine('redis', () => pingRedis(redisUrl), () => 'answers')
  const database = config && (await chart.examine('database', () => context.database(0), () => 'answers'))
  if (config && database) await examineDatabase(chart, config, database, context.environment)
  else for (const check of [...(config ? [] : ['database']), ...Object.keys(checks), 'fleet']) chart.note(check, 'skipped', 'it needs what is wrong above')
  return chart.result()
}

async function examineDatabase(chart: Chart, config: Config, database: DatabaseAccess, environment: Environment): Promise<void> {
  const pool = createPool({ connectionString: database.url, max: 2, applicationName: 'tessera doctor', pooled: database.isPooled })
  try {
    const repository = createRepository(pool)
    for (const [check, look] of Object.entries(checks)) {
      await chart.examine(check, () => look({ config, database, pool, repository }), (found) => found)
    }
    await examineFleet(chart, { config, pool, repository, environment })
  } finally {
    await pool.end()
  }
}

async function pingRedis(url: string): Promise<void> {
  const { connectRedis } = await import('../redis.js')
  const redis = connectRedis(url)
  try {
    await once(redis, 'ready', { signal: AbortSignal.timeout(redisPatienceMs) })
    await redis.ping()
  } catch {
    throw new CommandError('it does not answer at REDIS_URL: each node would count its limits by itself')
  } finally {
    redis.disconnect()
  }
}

async function checkVersions({ pool }: Patient): Promise<string> {
  const { rows } = await pool.query<{ version: string }>(`SELECT current_setting('server_version') AS version`)
  return `tessera ${version()}, Node ${process.versions.node}, PostgreSQL ${rows[0]?.version ?? 'of unknown version'}`
}

async function checkMigrations({ pool }: Patient): Promise<string> {
  const [next, ...others] = await pendingMigrations(pool)
  if (next === undefined) return 'all applied'
  throw new CommandError(`${1 + others.length} not applied, ${next} is the first: \`tessera migrate\` or a start of the service applies them`)
}

/** One role is no fault; two that are not kept apart would be. */
async function checkRole({ config, pool }: Patient): Promise<string> {
  const { role, canChangeTrail } = await trailRights(pool)
  if (!canChangeTrail) return `${role} can only append to the audit trail`
  if (config.migrationDatabaseUrl === null) return `${role} does everything: MIGRATION_DATABASE_URL would let it only append to the audit trail`
  throw new CommandError(`${role} can change the audit trail, although MIGRATION_DATABASE_URL is set: \`tessera migrate\` takes that away, or says what stands in the way`)
}

/** Behind a pooler no node can set them. */
async function checkLimits({ pool }: Patient): Promise<string> {
  const names = ['statement_timeout', 'lock_timeout', 'idle_in_transaction_session_timeout']
  const { rows } = await pool.query<{ name: string; value: string }>('SELECT name, current_setting(name) AS value FROM unnest($1::text[]) AS name', [names])
  const missing = rows.filter(({ value }) => value === '0').map(({ name }) => name)
  if (missing.length === 0) return rows.map(({ name, value }) => `${name} ${value}`).join(', ')
  return `no ${missing.join(', ')}: behind a pooler the role needs them, as docs/operations.md says`
}

/** Does what a start would do, and takes it back. */
async function checkKeys({ config, repository }: Patient): Promise<string> {
  const { length } = await repository.keys.dataKeys()
  if (length === 0) return 'none yet: the first start makes them'
  const secrets = { current: config.masterSecret ?? (await generatedMasterSecret(config.dataDir, false)), previous: config.masterSecretPrevious }
  const undone = new Error('undone')
  const opened = repository.transaction(async (tx) => {
    await openKeyring(tx, secrets)
    throw undone
  })
  await opened.catch((error: unknown) => {
    if (error !== undone) throw error
  })
  return `the master secret opens all ${length}`
}

async function checkClock({ pool }: Patient): Promise<string> {
  const askedAt = Date.now()
  const { rows } = await pool.query<{ now: Date }>('SELECT clock_timestamp() AS now')
  const now = rows[0]?.now.getTime() ?? 0
  // The answer was true at some moment between question and answer.
  const differenceMs = Math.max(askedAt - now, now - Date.now(), 0)
  if (differenceMs <= largestClockDifferenceMs) return `${differenceMs} ms from the database's`
  throw new CommandError(`${Math.round(differenceMs / 1000)} s from the database's: a node that is more than 5 s away never gets ready`)
}

export const doctor = { '': run } satisfies Record<keyof typeof commands.doctor.verbs, Handler>

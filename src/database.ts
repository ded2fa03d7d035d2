import { setTimeout as pause } from 'node:timers/promises'
import type { Config } from './config/index.js'
import { explainFailure, judgeServer, serverFacts, type Obstacle, type ServerFacts } from './database-obstacle.js'
import { Client } from './repository/client.js'
import { joinEmbeddedServer, onlyByScram } from './repository/embedded/index.js'
import { clientOptions } from './repository/pool.js'

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
    const url = onlyByScram(server.connectionString)
    return { url, listenUrl: url, migrationUrl: null, isEmbedded: true, isPooled: false, leave: () => server.leave() }
  }
  const url = config.databaseUrl
  const { migrationDatabaseUrl: migrationUrl } = config
  const listenUrl = config.databaseListenUrl ?? url
  const isPooled = listenUrl !== url
  await reach('DATABASE_URL', url, log, patienceMs, isPooled)
  if (isPooled) await reach('DATABASE_LISTEN_URL', listenUrl, log, patienceMs)
  if (migrationUrl !== null) await reach('MIGRATION_DATABASE_URL', migrationUrl, log, patienceMs)
  return { url, listenUrl, migrationUrl, isEmbedded: false, isPooled, leave: () => Promise.resolve() }
}

const pauseMs = 1000

/**
 * A database that starts together with the service may need a while; one that refuses us will not change its mind.
 * @param setting where the URL comes from, for the message
 * @throws DatabaseError
 */
export async function reach(setting: string, url: string, log: (message: string) => void, patienceMs: number, pooled = false): Promise<void> {
  const deadline = performance.now() + patienceMs
  for (;;) {
    const obstacle = await lookFor(setting, url, pooled)
    if (obstacle === null) return
    if (!obstacle.passes || performance.now() >= deadline) throw new DatabaseError(obstacle.message)
    log(`${obstacle.message}; trying again`)
    await pause(pauseMs)
  }
}

/** Connects as the service will: what a pooler or a server does not take shows here. */
async function lookFor(setting: string, url: string, pooled: boolean): Promise<Obstacle | null> {
  const limits = { acquireMs: 5000, lockMs: 5000, statementMs: 5000, answerMs: 5000 }
  const client = new Client(clientOptions({ connectionString: url, applicationName: 'tessera start', pooled }, limits))
  client.on('error', () => undefined) // what is under way fails, and says so
  try {
    await client.connect()
    const { rows: [facts] } = await client.query<ServerFacts>(serverFacts)
    return facts ? judgeServer({ setting, url, pooled }, facts) : null
  } catch (error) {
    return explainFailure({ setting, url, pooled }, error)
  } finally {
    await client.end().catch(() => undefined)
  }
}

import type { AgreedValues } from './config/fleet.js'
import type { Config } from './config/index.js'
import { openDatabase, type DatabaseAccess } from './database.js'
import { createHashQueue, type HashQueue } from './domain/hash-queue.js'
import { openKeyring } from './domain/keyring.js'
import type { Revocation } from './domain/model.js'
import { createAuditRepeats } from './domain/audit-repeats.js'
import { createKnownPlaces } from './domain/known-places.js'
import { createHasher } from './domain/passwords.js'
import type { Clock } from './domain/ports.js'
import type { CoreService } from './domain/service.js'
import { generatedMasterSecret } from './master-secret.js'
import { createPool, createRepository, type Pool } from './repository/index.js'
import { migrateDatabase } from './migrate-database.js'

/** What the service and the command line have in common: the database, reached and migrated, and the keys, opened. */
export interface Core {
  /** The settings that it works by. */
  readonly config: Config
  readonly service: CoreService
  readonly pool: Pool
  readonly hashQueue: HashQueue
  readonly database: DatabaseAccess
  /** Tells of every revocation that this process commits. */
  onRevoked(listener: (revocation: Revocation) => void): void
  /** Lets go of the database; whoever leaves an embedded server last stops it. */
  close(): Promise<void>
}

export interface CoreOptions {
  readonly log: (message: string) => void
  /** Tests move it. */
  readonly clock?: Clock
  readonly applicationName: string
  /** How long a database that does not answer is waited for. */
  readonly databasePatienceMs?: number
  /** Gives up a start that is under way. */
  readonly signal?: AbortSignal | undefined
  /** The settings to work by, once it is known what the fleet has agreed on. By default those that were given. */
  readonly settle?: (agreed: AgreedValues) => Config
}

const longestHashWaitMs = 5000

const systemClock: Clock = { now: () => new Date() }

/** @throws ConfigError | DatabaseError | EmbeddedServerError | MigrationError | KeyringError: each one line for the operator */
export async function openCore(config: Config, options: CoreOptions): Promise<Core> {
  const database = await openDatabase(config, options.log, options.databasePatienceMs, options.signal)
  try {
    return await openOn(database, config, options)
  } catch (error) {
    await database.leave()
    throw error
  }
}

async function openOn(database: DatabaseAccess, config: Config, { log, clock = systemClock, applicationName, settle, signal }: CoreOptions): Promise<Core> {
  // Directly: its lock belongs to a session, which a transaction pooler does not keep.
  await migrateDatabase(database, log, signal)
  const listeners: ((revocation: Revocation) => void)[] = []
  const pool = createPool({ connectionString: database.url, max: config.databasePool, applicationName, pooled: database.isPooled, log: (message, error) => { log(`${message} (${error.message})`) } })
  const close = async (): Promise<void> => {
    await pool.end()
    await database.leave()
  }
  const repository = createRepository(pool, {
    onRevoked: (revocation) => {
      for (const listener of listeners) listener(revocation)
    },
  })
  try {
    const keyring = await openKeyring(repository, {
      current: config.masterSecret ?? (await generatedMasterSecret(config.dataDir, (await repository.keys.dataKeys()).length === 0)),
      previous: config.masterSecretPrevious,
    })
    const settled = settle ? settle(await repository.fleet.settings()) : config
    const queue = createHashQueue({ concurrency: config.hashConcurrency, capacity: config.hashQueue, longestWaitMs: longestHashWaitMs })
    const hasher = await createHasher(settled.argon2, queue, () => performance.now())
    await hasher.learnStoredCosts(await repository.credentials.storedCosts())
    const knownPlaces = createKnownPlaces()
    return { config: settled, service: { repository, clock, hasher, keyring, knownPlaces, auditRepeats: createAuditRepeats(clock) }, pool, hashQueue: queue, database, onRevoked: (listener) => listeners.push(listener), close }
  } catch (error) {
    await pool.end()
    throw error
  }
}

import type { DatabaseAccess } from './database.js'
import { migrate } from './repository/migrate.js'

/**
 * Brings the schema up to date: as the role that owns it, where one is known, and then the service's role gets its rights.
 * Directly, past any pooler: the lock belongs to a session, which a transaction pooler does not keep.
 * @throws MigrationError
 */
export const migrateDatabase = ({ listenUrl, migrationUrl }: DatabaseAccess, log?: (message: string) => void, signal?: AbortSignal): Promise<{ applied: string[] }> =>
  migrate(migrationUrl ?? listenUrl, { ...(log ? { log } : {}), signal, ...(migrationUrl === null ? {} : { serviceUrl: listenUrl }) })

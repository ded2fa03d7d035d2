import { userInfo } from 'node:os'
import { followFleet, requireAgreement, type AgreedSetting, type AgreedValues } from '../config/fleet.js'
import { readConfig, type Config, type Environment } from '../config/index.js'
import type { Core } from '../core.js'
import type { DatabaseAccess } from '../database.js'
import type { Actor } from '../domain/model.js'
import type { Read } from './arguments.js'
import type { Result } from './output.js'

/** What a command works with. Nothing is opened before it is asked for. */
export interface Context {
  readonly read: Read
  /** Who does it, for the audit trail. */
  readonly actor: Actor
  readonly environment: Environment
  /** @throws ConfigError */
  config(): Config
  /**
   * The settings, and for what this environment does not say, those of the fleet.
   * @param used what the command works by @throws ConfigError where this environment says something else than the fleet
   */
  agreed(...used: AgreedSetting[]): Promise<Config>
  /** The database, migrated, and the keys. Opened once, and closed when the command is over. */
  core(): Promise<Core>
  /** The database as it is; let go of when the command is over. @param patienceMs how long it is waited for */
  database(patienceMs?: number): Promise<DatabaseAccess>
  /** A message for people, on stderr. */
  readonly say: (message: string) => void
}

export type Handler = (context: Context) => Promise<Result>

export interface OpenContext extends Context {
  /** Lets go of the database, if it was opened. */
  close(): Promise<void>
}

export function createContext(read: Read, environment: Environment, say: (message: string) => void): OpenContext {
  const opened: Promise<() => Promise<void>>[] = []
  let config: Config | null = null
  let core: Promise<Core> | null = null
  let fleet: AgreedValues = new Map()
  const readOnce = (): Config => (config ??= readConfig(environment))

  function closeLater<T>(opening: Promise<T>, close: (open: T) => Promise<void>): Promise<T> {
    opened.push(opening.then((open) => () => close(open), () => () => Promise.resolve()))
    return opening
  }

  async function openCoreNow(): Promise<Core> {
    const { openCore } = await import('../core.js')
    // Whoever types a command wants to hear at once that nobody is there.
    return openCore(readOnce(), {
      log: say,
      applicationName: 'tessera cli',
      databasePatienceMs: 0,
      settle(stored) {
        fleet = stored
        return followFleet(environment, stored)
      },
    })
  }

  async function openDatabaseNow(patienceMs?: number): Promise<DatabaseAccess> {
    const { openDatabase } = await import('../database.js')
    return openDatabase(readOnce(), say, patienceMs)
  }

  const openCoreOnce = (): Promise<Core> => (core ??= closeLater(openCoreNow(), (open) => open.close()))

  return {
    read,
    actor: { kind: 'operator', id: `cli:${operatorName()}` },
    environment,
    config: readOnce,
    core: openCoreOnce,
    async agreed(...used) {
      const { config: settled } = await openCoreOnce()
      requireAgreement(environment, fleet, used)
      return settled
    },
    database: (patienceMs) => closeLater(openDatabaseNow(patienceMs), (open) => open.leave()),
    say,
    async close() {
      for (const close of await Promise.all(opened.splice(0))) await close()
    },
  }
}

/** In a container the user may have a number and no name. */
function operatorName(): string {
  try {
    return userInfo().username
  } catch {
    return `uid ${String(process.getuid?.() ?? 'unknown')}`
  }
}

import path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { hasCluster } from './cluster.js'
import { prepareDataFolder, secretOf } from './data-folder.js'
import { comeIn } from './entrance.js'
import type { Door, Entrance } from './entrance.js'
import { EmbeddedServerError, textOf } from './error.js'
import { layoutOf } from './layout.js'
import { thisMachine } from './machine.js'
import type { Machine } from './machine.js'
import { connectionStringFor, within } from './membership.js'
import { requireOwn } from './ownership.js'
import { finishMove } from './refuge.js'
import { stopServer } from './server.js'

export { EmbeddedServerError } from './error.js'
export { onlyByScram } from './membership.js'

export interface EmbeddedServer {
  /** Good for as long as this process lives: a server that was killed comes back on the same port. */
  readonly connectionString: string
  /** The server was running already. */
  readonly adopted: boolean
  /** The database files were made just now. */
  readonly firstStart: boolean
  /** To be called once no connection is needed any more; the last user stops the server. */
  leave(): Promise<void>
}

export interface JoinOptions {
  /** Holds the database files, the server's log and its secret. */
  readonly dataDir: string
  readonly log: (message: string) => void
  /** Made if it is missing. */
  readonly database?: string
  /** PostgreSQL settings for a server that we start. */
  readonly serverSettings?: Readonly<Record<string, string>>
  /** Gives up a start that is under way. What it had started ends. */
  readonly signal?: AbortSignal | undefined
}

const healPauseMs = 500
const leaveMs = 9_000

/**
 * Comes to the embedded PostgreSQL of a data directory as one of its users, and starts it if nobody has.
 * When the server dies while this process uses it, it is started again, on the same port and with the same
 * password, so that a pool of connections recovers by itself.
 * @throws EmbeddedServerError
 */
export async function joinEmbeddedServer(options: JoinOptions, machine?: Machine): Promise<EmbeddedServer> {
  try {
    return await join(options, { ...(machine ?? thisMachine()), signal: options.signal })
  } catch (error) {
    if (error instanceof EmbeddedServerError || options.signal?.aborted) throw error
    throw new EmbeddedServerError(
      `The embedded PostgreSQL in ${options.dataDir} cannot be used (${textOf(error)}): ` +
        'see to that, or set DATABASE_URL to a PostgreSQL server of your own.',
      { cause: error },
    )
  }
}

async function join(options: JoinOptions, machine: Machine): Promise<EmbeddedServer> {
  const { log, database = 'tessera', serverSettings: settings = {} } = options
  const dataDir = path.resolve(options.dataDir)
  await prepareDataFolder(dataDir)
  await requireOwn(dataDir)
  const layout = layoutOf(dataDir)
  await finishMove(layout)
  const isThere = await hasCluster(layout, machine.binaries)
  const secret = await secretOf(layout, !isThere)
  const door: Door = { dataDir, secret, machine, settings, log }

  const entrance = await comeIn(door)
  const leave = stayUntilLeave(door, entrance)
  try {
    await entrance.membership.provideDatabase(secret, database)
  } catch (error) {
    await leave()
    throw error
  }
  const connectionString = connectionStringFor(entrance.port, secret, database)
  return { connectionString, adopted: !entrance.started, firstStart: entrance.created, leave }
}

/** Keeps our place at the server, through its deaths. @returns the way out */
function stayUntilLeave(door: Door, first: Entrance): () => Promise<void> {
  let current = first
  let leaving = false
  let healing = Promise.resolve()
  let left: Promise<void> | undefined

  const watch = () => {
    void current.membership.ended.then(() => {
      if (!leaving) healing = heal()
    })
  }
  const heal = async () => {
    door.log('The embedded PostgreSQL is gone: starting it again')
    let { arrangement } = current
    let trouble: string | undefined
    while (!leaving) {
      try {
        current = await comeIn(door, { port: first.port, arrangement })
        if (current.port !== first.port) door.log(`Port ${first.port} is taken: restart this process to use port ${current.port}`)
        door.log('The embedded PostgreSQL is back')
        watch()
        return
      } catch (error) {
        if (textOf(error) !== trouble) door.log(textOf(error))
        trouble = textOf(error)
        arrangement = undefined // what went well then may not do now
        await sleep(healPauseMs)
      }
    }
  }
  const leave = async () => {
    leaving = true
    const gone = healing.then(() => current.membership.leave(() => stopServer(current.layout)))
    await within(leaveMs, gone, undefined) // a server that does not come back must not hold us up
  }
  watch()
  return () => (left ??= leave())
}

import pg from 'pg'
import type { Test } from 'tap'
import { migrate } from '../../src/repository/migrate.js'
import type { TestDatabase } from './database.js'
import { join, postmaster, privateFolder } from './embedded.js'
import { serverProcesses, type ServerProcesses } from './server-processes.js'

/** An embedded PostgreSQL of the test's own, as durable as users get it: the one that all tests share is not. */
export interface DurableServer {
  /** `DATA_DIR` of nodes that are to run it themselves. */
  readonly dataDir: string
  /** For nodes that get a `DATABASE_URL`. */
  readonly database: TestDatabase
  readonly processes: ServerProcesses
  /** The test's place at the server: from here on those who use it have to keep it going. */
  leave(): Promise<void>
}

/** @param dataDir by default a new folder. One that is given is not removed */
export async function startDurableServer(t: Test, dataDir: string = privateFolder(t)): Promise<DurableServer> {
  const server = await join(dataDir, {}, { serverSettings: {} })
  t.teardown(() => server.leave())
  await migrate(server.connectionString)
  /** Started again by somebody else, the server may have another port. */
  const connectionString = () => {
    const url = new URL(server.connectionString)
    url.port = String(postmaster(dataDir)?.port ?? url.port)
    return url.href
  }
  const clients = new Set<pg.Client>()
  const closeClients = async () => {
    await Promise.all([...clients].map((client) => client.end().catch(() => undefined)))
    clients.clear()
  }
  t.teardown(closeClients)
  return {
    dataDir,
    processes: serverProcesses(dataDir),
    database: {
      get connectionString() {
        return connectionString()
      },
      async client() {
        const client = new pg.Client({ connectionString: connectionString() })
        client.on('error', () => undefined) // its server is killed
        clients.add(client)
        await client.connect()
        return client
      },
    },
    async leave() {
      await closeClients()
      await server.leave()
    },
  }
}

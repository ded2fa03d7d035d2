import { randomBytes } from 'node:crypto'
import pg from 'pg'
import type { TestDatabase } from './database.js'
import { rowsOf, withClient } from './roles.js'

interface Teardown {
  teardown(handler: () => unknown): unknown
}

/** A role of the same server that may connect to the database and do nothing else. */
export interface Stranger {
  /** A session, closed at the end of the test. */
  connect(): Promise<pg.Client>
  /** Sends statements one after the other until the function that it returns is called. @returns how many were sent */
  keepSaying(statement: string): Promise<() => Promise<number>>
}

export async function createStranger(t: Teardown, { connectionString }: Pick<TestDatabase, 'connectionString'>): Promise<Stranger> {
  const superuserUrl = process.env.TESSERA_TEST_SUPERUSER_URL
  if (superuserUrl === undefined) throw new Error('This test makes a role: run it with `npm test -- test/path/name.test.ts`.')
  const [role, password] = [`stranger_${randomBytes(6).toString('hex')}`, randomBytes(12).toString('hex')]
  const asSuperuser = (sql: string) => withClient(superuserUrl, (client) => rowsOf(client, sql))
  await asSuperuser(`CREATE ROLE ${role} LOGIN PASSWORD '${password}'`)
  const clients: pg.Client[] = []
  t.teardown(async () => {
    await Promise.all(clients.map((client) => client.end()))
    await asSuperuser(`DROP ROLE ${role}`)
  })
  const url = new URL(connectionString)
  url.username = role
  url.password = password
  async function connect(): Promise<pg.Client> {
    const client = new pg.Client({ connectionString: url.href })
    client.on('error', () => undefined)
    await client.connect()
    clients.push(client)
    return client
  }
  return {
    connect,
    async keepSaying(statement) {
      const client = await connect()
      const over = new AbortController()
      let said = 0
      const saying = (async () => {
        for (; !over.signal.aborted; said += 1) await client.query(statement)
      })()
      return async () => {
        over.abort()
        await saying
        return said
      }
    },
  }
}

import { randomBytes } from 'node:crypto'
import pg from 'pg'

/** What is needed of a tap test. */
interface Teardown {
  teardown(handler: () => unknown): unknown
}

export interface TestDatabase {
  readonly connectionString: string
  /** A connected client, closed at the end of the test. */
  client(): Promise<pg.Client>
}

/** A migrated database of its own, gone at the end of the test. */
export const createTestDatabase = (t: Teardown): Promise<TestDatabase> => createDatabase(t, new URL(templateUrl()).pathname.slice(1))

/** The same, with no table in it. */
export const createEmptyDatabase = (t: Teardown): Promise<TestDatabase> => createDatabase(t, 'template1')

async function createDatabase(t: Teardown, from: string): Promise<TestDatabase> {
  const template = new URL(templateUrl())
  const name = `test_${process.pid}_${randomBytes(4).toString('hex')}`
  await onServer(template, `create database ${name} template ${from}`)
  const clients: pg.Client[] = []
  t.teardown(async () => {
    await Promise.all(clients.map((client) => client.end()))
    await dropDatabase(template, name)
  })
  const { href: connectionString } = inDatabase(template, name)
  return {
    connectionString,
    async client() {
      const client = new pg.Client({ connectionString })
      clients.push(client)
      await client.connect()
      return client
    },
  }
}

function templateUrl(): string {
  const url = process.env.TESSERA_TEST_TEMPLATE_URL
  if (url === undefined) {
    throw new Error('This test needs the PostgreSQL server that `npm test` starts: run it with `npm test -- test/path/name.test.ts`.')
  }
  return url
}

function inDatabase(url: URL, name: string): URL {
  const other = new URL(url)
  other.pathname = `/${name}`
  return other
}

/**
 * Not `with (force)`: that refuses when autovacuum is at work in the database, since only a superuser may end its worker.
 * A plain drop asks the worker to go, and waits for it.
 */
async function dropDatabase(template: URL, name: string): Promise<void> {
  await onServer(template, `alter database ${name} with allow_connections false`)
  await onServer(template, `select pg_terminate_backend(pid) from pg_stat_activity where datname = '${name}' and usename = current_user`)
  await onServer(template, `drop database ${name}`)
}

/** Not from the template itself: a database that somebody is connected to cannot be copied. */
async function onServer(template: URL, statement: string): Promise<void> {
  const client = new pg.Client({ connectionString: inDatabase(template, 'postgres').href })
  await client.connect()
  await client.query(statement).finally(() => client.end())
}

import { randomBytes } from 'node:crypto'
import pg from 'pg'

interface Teardown {
  teardown(handler: () => unknown): unknown
}

export interface TwoRoles {
  readonly owner: string
  readonly service: string
  /** The same database, empty, which belongs to `owner`. */
  readonly ownerUrl: string
  readonly serviceUrl: string
  /** Runs as a superuser, in that database. */
  asSuperuser(sql: string): Promise<Record<string, unknown>[]>
}

/** A database and two roles of its own, gone at the end of the test. */
export async function createTwoRoles(t: Teardown): Promise<TwoRoles> {
  const superuserUrl = process.env.TESSERA_TEST_SUPERUSER_URL
  if (superuserUrl === undefined) throw new Error('This test makes roles: run it with `npm test -- test/path/name.test.ts`.')
  const name = `roles_${process.pid}_${randomBytes(4).toString('hex')}`
  const [owner, service] = [`${name}_owner`, `${name}_service`]
  const password = randomBytes(12).toString('hex')
  const run = (database: string, sql: string) => withClient(inDatabase(superuserUrl, database).href, (client) => rowsOf(client, sql))
  await run('postgres', `create role ${owner} login password '${password}'`)
  await run('postgres', `create role ${service} login password '${password}'`)
  await run('postgres', `create database ${name} owner ${owner}`)
  t.teardown(async () => {
    await run('postgres', `drop database ${name} with (force)`)
    await run('postgres', `drop role ${service}`)
    await run('postgres', `drop role ${owner}`)
  })
  const urlOf = (role: string): string => {
    const url = inDatabase(superuserUrl, name)
    url.username = role
    url.password = password
    return url.href
  }
  return { owner, service, ownerUrl: urlOf(owner), serviceUrl: urlOf(service), asSuperuser: (sql) => run(name, sql) }
}

export async function rowsOf(client: pg.Client, sql: string): Promise<Record<string, unknown>[]> {
  const { rows } = await client.query<Record<string, unknown>>(sql)
  return rows
}

export async function withClient<T>(connectionString: string, use: (client: pg.Client) => Promise<T>): Promise<T> {
  const client = new pg.Client({ connectionString })
  await client.connect()
  try {
    return await use(client)
  } finally {
    await client.end()
  }
}

function inDatabase(url: string, name: string): URL {
  const other = new URL(url)
  other.pathname = `/${name}`
  return other
}

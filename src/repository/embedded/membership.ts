import { createHmac } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import type pg from 'pg'
import { createDirectClient } from '../client.js'
import { superuser } from './cluster.js'
import { EmbeddedServerError, codeOf, textOf } from './error.js'

/** Every user of the server holds this lock shared, in the database `postgres`; who can take it alone may stop the server. */
const lockKey = 7_377_235_001

const serviceRole = 'tessera'
const answerMs = 2_000

/** The service is not a superuser: its password is another one. */
const servicePassword = (secret: string) => createHmac('sha256', secret).update(serviceRole).digest('base64url')

export function connectionStringFor(port: number, secret: string, database: string): string {
  return urlOf(port, { user: serviceRole, password: servicePassword(secret), database })
}

const urlOf = (port: number, { user, password, database }: Readonly<Record<'user' | 'password' | 'database', string>>): string =>
  `postgres://${user}:${encodeURIComponent(password)}@127.0.0.1:${port}/${encodeURIComponent(database)}?sslmode=disable`

/** Another program may have taken the port of a server that died: nothing but SCRAM is answered there. */
export const onlyByScram = (url: string): string => `${url}&require_auth=scram-sha-256`

/** Why one has to look again. */
export interface Obstacle {
  readonly obstacle: string
}

/** One user's place at the server. */
export interface Membership {
  /** Settles when the connection ends, for whatever reason. */
  readonly ended: Promise<void>
  /** Makes the service's role and the database, where they are missing. */
  provideDatabase(secret: string, database: string): Promise<void>
  /** Gives the place up; when it was the last one, `stop` runs while nobody else can come in. */
  leave(stop: () => Promise<void>): Promise<void>
}

/**
 * @returns a place, or what stood in the way and passes: there is nobody to talk to, or the server is about to stop
 * @throws EmbeddedServerError when the server does not know our password
 */
export async function enter(port: number, secret: string): Promise<Membership | Obstacle> {
  const client = createDirectClient({
    connectionString: onlyByScram(urlOf(port, { user: superuser, password: secret, database: 'postgres' })),
    keepAlive: true,
    application_name: 'tessera member',
    connectionTimeoutMillis: 5_000,
    query_timeout: 30_000,
  })
  const ended = new Promise<void>((resolve) => client.once('end', () => { resolve() }))
  client.on('error', () => undefined) // `ended` tells it
  try {
    await client.connect()
    const { rows } = await client.query<{ taken: boolean }>('select pg_try_advisory_lock_shared($1) as taken', [lockKey])
    if (rows[0]?.taken) return membershipOf(client, ended)
    await close(client)
    return { obstacle: 'it is being stopped' }
  } catch (error) {
    await close(client)
    if (codeOf(error) === '28P01') {
      throw new EmbeddedServerError(
        `The server on port ${port} refuses the password of this data directory: put back the file postgres-password that belongs to it.`,
        { cause: error },
      )
    }
    return { obstacle: textOf(error) }
  }
}

function membershipOf(client: pg.Client, ended: Promise<void>): Membership {
  return {
    ended,
    provideDatabase: (secret, database) => provideDatabase(client, secret, database),
    async leave(stop) {
      const isLast = await within(answerMs, isLastToLeave(client), false)
      try {
        if (isLast) await stop()
      } finally {
        await close(client)
      }
    },
  }
}

/** A server that is gone, or does not answer, is not stopped by us. */
async function isLastToLeave(client: pg.Client): Promise<boolean> {
  try {
    await client.query('select pg_advisory_unlock_shared($1)', [lockKey])
    const { rows } = await client.query<{ taken: boolean }>('select pg_try_advisory_lock($1) as taken', [lockKey])
    return rows[0]?.taken ?? false
  } catch {
    return false
  }
}

async function close(client: pg.Client): Promise<void> {
  await within(answerMs, client.end().catch(() => undefined), undefined)
}

/** A paused server answers nothing, and must not hold up a process that wants to end. */
export const within = <T>(milliseconds: number, answer: Promise<T>, otherwise: T): Promise<T> =>
  Promise.race([answer, sleep(milliseconds, otherwise, { ref: false })])

async function provideDatabase(client: pg.Client, secret: string, database: string): Promise<void> {
  const { rows } = await client.query<{ role: boolean; database: boolean }>(
    `select exists (select from pg_roles where rolname = $1) as role,
            exists (select from pg_database where datname = $2) as database`,
    [serviceRole, database],
  )
  const [found] = rows
  const role = client.escapeIdentifier(serviceRole)
  if (!found?.role) {
    await unlessThere(client, `create role ${role} login createdb password ${client.escapeLiteral(servicePassword(secret))}`)
  }
  await closeToStrangers(client, role)
  if (!found?.database) {
    await unlessThere(client, `create database ${client.escapeIdentifier(database)} owner ${role}`)
  }
}

/**
 * The lock of the members is an advisory one: it is ours because no other role can connect to its database. Members that come at
 * once do this one after the other, since two changes of one row of a catalog do not wait for each other.
 */
async function closeToStrangers(client: pg.Client, role: string): Promise<void> {
  const isOpen = async (): Promise<boolean> => {
    const { rows } = await client.query<{ open: boolean }>(`select has_database_privilege('public', 'postgres', 'connect') or not has_database_privilege($1, 'postgres', 'connect') as open`, [serviceRole])
    return rows[0]?.open ?? true
  }
  if (!(await isOpen())) return
  await client.query('begin')
  try {
    await client.query('lock table pg_database in share row exclusive mode')
    if (await isOpen()) await client.query(`revoke connect on database postgres from public; grant connect on database postgres to ${role}`)
    await client.query('commit')
  } catch (error) {
    await client.query('rollback')
    throw error
  }
}

/** duplicate_object, duplicate_database, unique_violation: another process made it in the same moment. */
const alreadyThere = ['42710', '42P04', '23505']

async function unlessThere(client: pg.Client, statement: string): Promise<void> {
  try {
    await client.query(statement)
  } catch (error) {
    if (!alreadyThere.includes(codeOf(error))) throw error
  }
}

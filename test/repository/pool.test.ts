import { createServer } from 'node:net'
import { once } from 'node:events'
import type pg from 'pg'
import t from 'tap'
import { AuthError } from '../../src/domain/errors.js'
import { createPool, createRepository } from '../../src/repository/index.js'
import { createDatabase } from '../../src/repository/transaction.js'
import { createTestDatabase } from '../support/database.js'
import { insertUser, newUser, openSession, repeat, times, untilSomebodyWaits } from '../support/repository.js'
import { patiently } from '../support/patience.js'
import { createTcpProxy } from '../support/tcp-proxy.js'

type Test = Parameters<typeof createTestDatabase>[0]

function poolFor(t: Test, connectionString: string, options: { max?: number; log?: (message: string, error: Error) => void } = {}) {
  const pool = createPool({ connectionString, max: 4, ...options })
  t.teardown(() => pool.end())
  return { pool, database: createDatabase(pool), repository: createRepository(pool) }
}

/** What a call throws, and after how long. */
async function failureOf(call: () => Promise<unknown>): Promise<{ error: unknown; ms: number }> {
  const startedAt = performance.now()
  const error: unknown = await call().then(() => null, (reason: unknown) => reason)
  return { error, ms: performance.now() - startedAt }
}

/** Opens so many connections, so that no test measures how long that takes. */
const warmUp = (pool: pg.Pool, count: number) =>
  patiently(async () => {
    const settled = await Promise.allSettled(times(count, () => pool.connect()))
    for (const one of settled) if (one.status === 'fulfilled') one.value.release()
    if (settled.some((one) => one.status === 'rejected')) throw new Error('not all connections were opened')
  })

const isUnavailable = { code: 'unavailable', retryAfterSeconds: 1 }

/** Everything that a log would show of an error. */
function textOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  return [error.message, error.stack, JSON.stringify(error), JSON.stringify(Object.getOwnPropertyDescriptors(error)), textOf(error.cause)].join('\n')
}

await t.test('no server: unavailable, try again in a second', async (t) => {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  server.close()
  const { repository } = poolFor(t, `postgres://u:secret-password@127.0.0.1:${address && typeof address === 'object' ? address.port : 1}/d`)
  const { error } = await failureOf(() => repository.users.isEmpty())
  t.type(error, AuthError)
  t.match(error, { ...isUnavailable, cause: { code: 'ECONNREFUSED' } })
  t.notMatch(textOf(error), /secret-password/)
  t.match((await failureOf(() => repository.transaction((inside) => inside.users.isEmpty()))).error, isUnavailable)
})

await t.test('all connections taken: unavailable within a second, and served again when one comes back', async (t) => {
  const { connectionString } = await createTestDatabase(t)
  const { pool, repository } = poolFor(t, connectionString, { max: 1 })
  const holder = await patiently(() => pool.connect())
  const failures = await Promise.all(times(5, () => failureOf(() => repository.users.isEmpty())))
  for (const { error, ms } of failures) {
    t.match(error, isUnavailable)
    t.ok(ms < 1000, `${ms} ms`)
  }
  holder.release()
  t.equal(await patiently(() => repository.users.isEmpty()), true)
})

await t.test('what the steps of one request wait for connections adds up', async (t) => {
  const { connectionString } = await createTestDatabase(t)
  const { pool, repository } = poolFor(t, connectionString, { max: 1 })
  const request = repository.forOneRequest()
  const holder = await patiently(() => pool.connect())
  const first = failureOf(() => request.users.isEmpty())
  const nextHolder = pool.connect()
  await new Promise((resolve) => setTimeout(resolve, 500))
  holder.release()
  t.equal((await first).error, null)
  const held = await nextHolder
  const [{ error, ms }, other] = await Promise.all([failureOf(() => request.users.isEmpty()), failureOf(() => repository.users.isEmpty())])
  t.match(error, isUnavailable)
  t.match(other.error, isUnavailable)
  t.ok(ms < other.ms - 200, `${ms} ms, and ${other.ms} ms for a request that has not waited yet`)
  held.release()
})

await t.test('a table that somebody else has locked: unavailable within a second, for the last in the queue too', async (t) => {
  const testDatabase = await createTestDatabase(t)
  const { repository, pool } = poolFor(t, testDatabase.connectionString, { max: 2 })
  await warmUp(pool, 2)
  const user = await insertUser(repository, 'jane')
  const { session } = await openSession(repository, user)
  const other = await testDatabase.client()
  await other.query('BEGIN; LOCK TABLE sessions')
  const first = times(2, () => failureOf(() => repository.sessions.advance(session.id, 0, 'pin', null)))
  await new Promise((resolve) => setTimeout(resolve, 300)) // the next ones come when the lock has been waited for a while
  const second = times(6, () => failureOf(() => repository.sessions.advance(session.id, 0, 'pin', null)))
  for (const { error, ms } of await Promise.all([...first, ...second])) {
    t.match(error, isUnavailable)
    t.ok(ms < 1000, `${ms} ms`)
  }
  await other.query('ROLLBACK')
  // Of a rotation that was given up nobody knows whether it happened; the next one decides, as after any lost answer.
  const generation = (await patiently(() => repository.sessions.find(session.id)))?.session.generation ?? -1
  t.ok(generation === 0 || generation === 1)
  t.ok(pool.totalCount <= 2)
})

await t.test('a statement that takes too long is ended by the server, and its connection lives on', async (t) => {
  const { connectionString } = await createTestDatabase(t)
  const { database, pool } = poolFor(t, connectionString, { max: 1 })
  await warmUp(pool, 1)
  const pid = async () => (await database.query<{ pid: number }>(null, 'SELECT pg_backend_pid() AS pid', [])).rows[0]?.pid
  const before = await pid()
  const { error, ms } = await failureOf(() => database.query('slow', 'SELECT pg_sleep(10)', []))
  t.match(error, { ...isUnavailable, cause: { code: '57014', statement: 'slow' } })
  t.ok(ms > 1400 && ms < 1750, `${ms} ms`)
  t.equal(await pid(), before)
})

await t.test('a server that says nothing: unavailable within two seconds, and no connection of that time is used again', async (t) => {
  const { connectionString } = await createTestDatabase(t)
  const proxy = await createTcpProxy(t, connectionString)
  const { repository, pool } = poolFor(t, proxy.connectionString, { max: 2 })
  await warmUp(pool, 2)
  proxy.silence()
  proxy.silenceNewOnes(true)
  const calls = [
    ...times(4, () => () => repository.users.isEmpty()),
    () => repository.transaction(({ users }) => users.insert(newUser('jane'))),
  ]
  for (const { error, ms } of await Promise.all(calls.map(failureOf))) {
    t.match(error, isUnavailable)
    t.ok(ms < 2000, `${ms} ms`)
  }
  proxy.silenceNewOnes(false)
  t.equal(await patiently(() => repository.users.isEmpty()), true)
  t.equal(pool.totalCount, 1, 'only the new connection is left')
})

await t.test('an idle connection that the server ends is reported, and nothing else happens', async (t) => {
  const testDatabase = await createTestDatabase(t)
  const reports: { message: string; error: Error }[] = []
  const { repository, pool } = poolFor(t, testDatabase.connectionString, { log: (message, error) => reports.push({ message, error }) })
  await warmUp(pool, 1)
  const removed = new Promise((resolve) => pool.once('remove', resolve))
  const other = await testDatabase.client()
  await other.query('SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = $1', ['tessera'])
  await removed
  t.match(reports, [{ message: /idle/, error: { code: '57P01' } }])
  t.notOk(reports.some(({ error }) => 'client' in error), 'the connection, which knows the password, is not handed on')
  t.equal(await patiently(() => repository.users.isEmpty()), true)
})

await t.test('a connection that is lost in the middle of a statement: unavailable, and the next call is served', async (t) => {
  const testDatabase = await createTestDatabase(t)
  const proxy = await createTcpProxy(t, testDatabase.connectionString)
  const { repository, pool } = poolFor(t, proxy.connectionString)
  await warmUp(pool, 4)
  const user = await insertUser(repository, 'jane')
  const other = await testDatabase.client()
  await other.query('BEGIN; LOCK TABLE users')
  const cut = failureOf(() => repository.users.raiseEpoch(user.id))
  await untilSomebodyWaits(pool)
  proxy.cut()
  t.match((await cut).error, isUnavailable)

  await warmUp(pool, 4)
  const terminated = failureOf(() => repository.users.raiseEpoch(user.id))
  await untilSomebodyWaits(pool)
  await other.query("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'tessera' AND wait_event_type = 'Lock'")
  t.match((await terminated).error, isUnavailable)
  await other.query('ROLLBACK')
  t.equal(await patiently(() => repository.users.raiseEpoch(user.id)), 1)
})

await t.test('a read-only server: unavailable, and its connection is given up for one to the primary', async (t) => {
  const { connectionString } = await createTestDatabase(t)
  const { database, repository, pool } = poolFor(t, connectionString, { max: 1 })
  await warmUp(pool, 1)
  await database.query(null, 'SET default_transaction_read_only = on', [])
  t.match((await failureOf(() => repository.users.insert(newUser('jane')))).error, { ...isUnavailable, cause: { code: '25006' } })
  t.equal(await patiently(() => repository.users.insert(newUser('jane'))), true)
})

await t.test('a migration under a prepared statement costs one call, not the connection for ever', async (t) => {
  const { connectionString } = await createTestDatabase(t)
  const { database, pool } = poolFor(t, connectionString, { max: 1 })
  await warmUp(pool, 1)
  const ask = () => database.query<{ username: unknown }>('probe', 'SELECT username FROM users', [])
  await ask()
  await database.query(null, 'ALTER TABLE users ALTER COLUMN username TYPE varchar(300)', [])
  t.match((await failureOf(ask)).error, isUnavailable)
  t.same((await patiently(ask)).rows, [])
})

await t.test('what went wrong is told without the values it went wrong with', async (t) => {
  const { connectionString } = await createTestDatabase(t)
  const { database, repository, pool } = poolFor(t, connectionString)
  await warmUp(pool, 1)
  const user = newUser('topsecret')
  await repository.users.insert(user)
  const mistakes: [string, () => Promise<unknown>][] = [
    ['23505', () => database.query('twice', 'INSERT INTO users (id, username, username_canonical) VALUES ($1, $2, $3)', [user.id, 'topsecret', 'topsecret'])],
    ['23514', () => database.query(null, 'INSERT INTO users (id, username, username_canonical) VALUES (gen_random_uuid(), $1, $2)', ['topsecret', 'topsecret@x'])],
    ['22P02', () => database.query(null, 'SELECT $1::uuid', ['topsecret'])],
    ['22P02', () => database.query(null, 'SELECT $1::jsonb', ['{"topsecret":']),],
    ['22021', () => database.query(null, 'SELECT $1::text', ['topsecret\0'])],
    ['22003', () => database.query(null, 'SELECT $1::int', ['99999999999'])],
  ]
  for (const [code, mistake] of mistakes) {
    const { error } = await failureOf(mistake)
    t.match(error, { name: 'DatabaseFailure', code })
    t.notMatch(textOf(error), /topsecret|99999999999/, code)
    t.notOk(error instanceof AuthError)
  }
  t.match((await failureOf(() => database.query('lost', 'SELECT 1 FROM nowhere', []))).error, { statement: 'lost', message: /nowhere/ })
})

await t.test('a mistake in a statement does not cost its connection', async (t) => {
  const { connectionString } = await createTestDatabase(t)
  const { database, pool } = poolFor(t, connectionString, { max: 1 })
  let opened = 0
  await warmUp(pool, 1)
  pool.on('connect', () => (opened += 1))
  await repeat(3, () => failureOf(() => database.query(null, 'SELECT 1/0', [])))
  t.equal((await database.query(null, 'SELECT 1', [])).count, 1)
  t.equal(opened, 0)
})

await t.test('epochs and sequence numbers are numbers here, and nowhere else', async (t) => {
  const testDatabase = await createTestDatabase(t)
  const { database } = poolFor(t, testDatabase.connectionString)
  const text = 'SELECT 4294967297::bigint AS big'
  t.same((await database.query<object>(null, text, [])).rows, [{ big: 4294967297 }])
  t.same((await (await testDatabase.client()).query<object>(text)).rows, [{ big: '4294967297' }])
})

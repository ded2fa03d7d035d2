import pg from 'pg'
import t, { type Test } from 'tap'
import { sealAudit } from '../../src/domain/audit-chain.js'
import { setStatus } from '../../src/domain/operators.js'
import { createPool, createRepository, sweep } from '../../src/repository/index.js'
import { migrate } from '../../src/repository/migrate.js'
import { logIn, password, send, somebody } from '../support/account.js'
import type { TestApp } from '../support/app.js'
import { createTestDatabase } from '../support/database.js'
import { join, privateFolder } from '../support/embedded.js'
import { startFleet, untilAnswer, verifyStatus } from '../support/fleet.js'
import { createTestRepository, times } from '../support/repository.js'
import { createStranger } from '../support/stranger.js'

const operator = { kind: 'operator', id: 'test' } as const

/** Every advisory lock that any version has ever taken, by session and by transaction. */
const everyLock = `BEGIN;
  SELECT pg_advisory_lock(1952805747, n), pg_advisory_xact_lock(1952805747, n) FROM generate_series(0, 9) AS n;
  SELECT pg_advisory_lock(n), pg_advisory_xact_lock(n) FROM generate_series(7377235000, 7377235009) AS n`

/** @returns how long it took, in milliseconds */
async function timed(act: () => Promise<unknown>): Promise<number> {
  const startedAt = performance.now()
  await act()
  return performance.now() - startedAt
}

async function everythingWorks(t: Test, a: TestApp, b: TestApp): Promise<void> {
  for (const round of [1, 2, 3]) {
    const jane = await somebody(a)
    t.equal(await verifyStatus(b, jane.token), 200)
    const loggedOutMs = await timed(async () => {
      t.equal((await send(a, { method: 'POST', path: '/api/v1/auth/logout', token: jane.token })).status, 200, `logout ${round}`)
    })
    t.ok(loggedOutMs < 1000, `logout answers within a second (${Math.round(loggedOutMs)} ms)`)
    const obeyedMs = await untilAnswer(() => verifyStatus(b, jane.token), 401)
    t.ok(obeyedMs < 1000, `the other node obeys within a second (${Math.round(obeyedMs)} ms)`)
  }
  const joe = await somebody(a)
  t.equal((await send(a, { method: 'POST', path: '/users/me/password', token: joe.token, body: { current: password, new: `${password}!` } })).status, 204)
  await setStatus(a.core.service, joe.id, 'suspended', operator)
  t.ok((await untilAnswer(() => verifyStatus(b, joe.token), 401)) < 1000, 'a suspension is obeyed')
  // The sealer of a node may be faster, and then there is nothing left to seal.
  await sealAudit(a.core.service)
  t.ok((await untilAnswer(() => a.core.service.repository.auditChain.countUnsealed(1), 0)) < 2000, 'the trail is sealed')
  await sweep(a.core.pool)
  t.ok(await a.app.signingKeys.rotate(operator), 'the signing key is rotated')
}

await t.test('a role that may only connect holds every advisory lock: logout, suspension, sealing and rotation go on [attack:advisory-locks-of-a-stranger]', async (t) => {
  const [a, b] = await startFleet(t, 2)
  const stranger = await createStranger(t, a.database)
  await (await stranger.connect()).query(everyLock)
  await everythingWorks(t, a, b ?? a)
})

await t.test('a role that may only connect holds every advisory lock: an administrator is still demoted by another [attack:advisory-locks-of-a-stranger]', async (t) => {
  const [a] = await startFleet(t, 1)
  const stranger = await createStranger(t, a.database)
  await (await stranger.connect()).query(everyLock)
  const first = await a.createUser({ username: 'first', password, role: 'admin' })
  const second = await a.createUser({ username: 'second', role: 'admin' })
  const { accessToken: token } = await logIn(a, first.username ?? '')
  const tookMs = await timed(async () => {
    t.equal((await send(a, { method: 'PATCH', path: `/admin/users/${second.id}`, token, body: { role: 'user' } })).status, 200)
  })
  t.ok(tookMs < 1000)
})

await t.test('a role that may only connect holds the migration lock: a new database is migrated all the same [attack:migration-lock-of-a-stranger]', async (t) => {
  const database = await createTestDatabase(t)
  await (await database.client()).query('drop schema public cascade; create schema public')
  const stranger = await createStranger(t, database)
  await (await stranger.connect()).query(everyLock)
  t.ok((await migrate(database.connectionString)).applied.length > 0)
})

await t.test('a role that may only connect cannot lock our tables, rows or sequence, read our channel, or use our triggers', async (t) => {
  const { database } = await createTestRepository(t)
  const stranger = await (await createStranger(t, database)).connect()
  for (const statement of [
    'BEGIN; LOCK TABLE service_locks IN ACCESS SHARE MODE',
    'BEGIN; LOCK TABLE revocations IN ACCESS SHARE MODE',
    'BEGIN; LOCK TABLE schema_migrations IN SHARE ROW EXCLUSIVE MODE',
    'SELECT FROM service_locks FOR UPDATE',
    'SELECT name FROM notification_channel',
    "SELECT tessera_lock('keys')",
    "SELECT nextval('revocations_seq')",
    "SELECT tessera_announce('x')",
  ]) {
    await t.rejects(stranger.query(statement), { code: '42501' }, statement)
    await stranger.query('ROLLBACK')
  }
  await stranger.query('CREATE TEMP TABLE mine (seq bigint); CREATE TRIGGER mine BEFORE INSERT ON mine FOR EACH ROW EXECUTE FUNCTION tessera_number_revocation()')
  await t.rejects(stranger.query('INSERT INTO mine VALUES (1)'), { code: '42501' }, 'a trigger runs with the rights of whoever sets it off')
})

await t.test('a role that may only connect floods the channels: two nodes look no more often, and a logout is obeyed at once [attack:notifications-of-a-stranger]', async (t) => {
  const [a, b] = await startFleet(t, 2)
  const stranger = await createStranger(t, a.database)
  const stops = await Promise.all([
    `SELECT pg_notify('tessera', '{"keys":true}') FROM generate_series(1, 100)`,
    `SELECT pg_notify('tessera', json_build_object('revocation', n)::text) FROM generate_series(9007199254740000, 9007199254740990) AS n`,
    `SELECT pg_notify('tessera', repeat('[', 7900) || n) FROM generate_series(1, 20) AS n`,
    `SELECT pg_notify('tessera', '')`,
  ].map((statement) => stranger.keepSaying(statement)))
  await everythingWorks(t, a, b ?? a)
  const said = await Promise.all(stops.map((stop) => stop()))
  t.ok(said.every((count) => count > 10), `the flood was one (${said.join(', ')})`)
})

await t.test('whoever knows the channel and floods it costs one look in ten milliseconds, and no node reads its keys more often', async (t) => {
  const [a] = await startFleet(t, 1)
  const insider = await a.database.client()
  const { rows: [channel] } = await insider.query<{ name: string }>('SELECT name FROM notification_channel')
  const statement = `SELECT pg_notify('${channel?.name ?? ''}', '{"keys":true}')`
  const newsRead = async () => Number((await insider.query<{ n: string }>('SELECT seq_scan + idx_scan AS n FROM pg_stat_user_tables WHERE relname = $1', ['revocations'])).rows[0]?.n)
  await insider.query('SELECT pg_stat_force_next_flush()')
  const before = await newsRead()
  const tookMs = await timed(async () => {
    for (let i = 0; i < 2000; i += 1) await insider.query(statement)
  })
  await new Promise((resolve) => setTimeout(resolve, 1200))
  const looks = (await newsRead()) - before
  t.ok(looks <= 3 * (tookMs + 1200) / 10, `${looks} scans in ${Math.round(tookMs)} ms`)
})

await t.test('a role that may only connect fills the queue of notifications: a logout is written without one, and found all the same [attack:notification-queue-full]', async (t) => {
  const server = await join(privateFolder(t), {}, { serverSettings: { fsync: 'off', max_notify_queue_pages: '64' } })
  await migrate(server.connectionString)
  const pool = createPool({ connectionString: server.connectionString, max: 4 })
  t.teardown(() => pool.end())
  const revoked: string[] = []
  const { revocations } = createRepository(pool, { onRevoked: ({ subject }) => { revoked.push(subject) } })

  // Who listens and does not end a transaction keeps what was said since then in the queue.
  const listener = new pg.Client({ connectionString: server.connectionString })
  t.teardown(() => listener.end())
  await listener.connect()
  await listener.query('LISTEN mine; BEGIN; SELECT 1')
  await listener.query('SET LOCAL idle_in_transaction_session_timeout = 0')
  const fill = pool.query("SELECT pg_notify('mine', repeat('x', 7900) || n) FROM generate_series(1, 100) AS n")
  await t.rejects(fill, { code: '54000' }, 'the queue is full')
  for (const subject of ['a', 'b']) await revocations.announce({ kind: 'session', subject })
  t.match(await revocations.after(0), [{ subject: 'a' }, { subject: 'b' }])
  t.same(revoked, ['a', 'b'], 'and this node was told, once each')

  await listener.query('ROLLBACK; UNLISTEN *')
  t.match((await pool.query("SELECT coalesce(current_setting('tessera.announce', true), '') AS now")).rows, [{ now: '' }], 'the next transaction speaks again')
})

await t.test('nodes of this version and of 0.1 write at once: numbers become visible in their order, and each hears the other [fault:two-versions-number-revocations]', async (t) => {
  const { repository, database } = await createTestRepository(t)
  const previous = await Promise.all(times(3, () => database.client()))
  const previousWrites = async (index: number, subject: string): Promise<void> => {
    const client = previous[index]
    await client?.query('BEGIN; SELECT pg_advisory_xact_lock(1952805747, 1)')
    await client?.query(`
      WITH written AS (INSERT INTO revocations (seq, kind, subject, expires_at)
        VALUES (nextval('revocations_seq'), 'session', $1, tessera_now() + interval '1 hour') RETURNING seq)
      SELECT seq, pg_notify('tessera', json_build_object('revocation', seq)::text) FROM written`, [subject])
    await client?.query(Math.random() < 0.2 ? 'ROLLBACK' : 'COMMIT')
  }
  const reader = await database.client()
  const seen: number[] = []
  const over = new AbortController()
  const reading = (async () => {
    while (!over.signal.aborted) {
      const { rows } = await reader.query<{ seq: string }>('SELECT seq FROM revocations WHERE seq > $1 ORDER BY seq', [seen.at(-1) ?? 0])
      seen.push(...rows.map(({ seq }) => Number(seq)))
    }
  })()
  await Promise.all([
    ...times(3, async (index) => { for (let i = 0; i < 50; i += 1) await previousWrites(index, `previous ${index}`) }),
    ...times(3, async (index) => { for (let i = 0; i < 50; i += 1) await repository.revocations.announce({ kind: 'session', subject: `this ${index}` }) }),
  ])
  await repository.revocations.announce({ kind: 'session', subject: 'last' })
  const all = (await repository.revocations.after(0)).map(({ seq }) => seq)
  while (seen.at(-1) !== all.at(-1)) await new Promise((resolve) => setTimeout(resolve, 5))
  over.abort()
  await reading
  t.same(seen, all, 'a reader that follows the numbers has missed none')
})

await t.test('a node of this version waits for one of 0.1 that holds the lock of keys', async (t) => {
  const { repository, database } = await createTestRepository(t)
  const previous = await database.client()
  await previous.query('BEGIN; SELECT pg_advisory_xact_lock(1952805747, 2)')
  let isHeld = false
  const holding = repository.transaction(async (tx) => {
    await tx.keys.lock()
    isHeld = true
  })
  await new Promise((resolve) => setTimeout(resolve, 200))
  t.equal(isHeld, false)
  await previous.query('COMMIT')
  await holding
  t.equal(isHeld, true)
})

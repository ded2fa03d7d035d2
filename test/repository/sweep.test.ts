import t from 'tap'
import { sweep, type SweepCounts } from '../../src/repository/index.js'
import { createTestRepository, insertUser, longestTokenSeconds, openSession } from '../support/repository.js'

const day = 86_400
const nothing: SweepCounts = {
  sessions: 0, revocations: 0, attempts: 0, known_origins: 0, totp_enrolments: 0, api_keys: 0, client_assertions: 0,
}
const policy = { freeFailures: 5, firstWaitSeconds: 30, longestWaitSeconds: 900, pinFailures: 10, reservationSeconds: 10 }

await t.test('everything is kept as long as it is of use, and not much longer', async (t) => {
  const { repository, pool, clock } = await createTestRepository(t)
  const user = await insertUser(repository, 'jane')
  const long = await openSession(repository, user, { lifetimeSeconds: 400 * day })
  const short = await openSession(repository, user, { lifetimeSeconds: 10 })
  await repository.credentials.saveTotpEnrolment(long.session.id, Buffer.from('s'), 600)
  await repository.credentials.saveTotpEnrolment(short.session.id, Buffer.from('s'), 400 * day)
  await repository.revocations.announce({ kind: 'session', subject: 'a' })
  await repository.attempts.reserve({ subject: 'unknown:abc', origin: 'unknown' }, 'pin', policy)
  await repository.attempts.reserve({ subject: user.id, origin: 'unknown' }, 'pin', policy)
  await repository.users.rememberNetwork(user.id, '203.0.113.7')
  const key = (name: string, expiresAt: Date | null) =>
    ({ id: long.session.id.replace(/.$/, name), userId: user.id, name, hash: Buffer.from(name), hint: name, scopes: null, expiresAt })
  await repository.apiKeys.insert(key('a', new Date(Date.now() + 1000)), 5)
  await repository.apiKeys.insert(key('b', null), 5)

  t.same(await sweep(pool), nothing)
  await clock.advance(601)
  t.same(await sweep(pool), { ...nothing, totp_enrolments: 1 })
  await clock.advance(longestTokenSeconds)
  t.same(await sweep(pool), { ...nothing, revocations: 1 })
  await clock.advance(day - longestTokenSeconds - 606)
  t.same(await sweep(pool), nothing)
  await clock.advance(17)
  t.same(await sweep(pool), { ...nothing, sessions: 1, attempts: 1 })
  t.equal(await repository.sessions.find(short.session.id), null)
  await clock.advance(29 * day - 60)
  t.same(await sweep(pool), nothing)
  await clock.advance(60)
  t.same(await sweep(pool), { ...nothing, known_origins: 1, api_keys: 1 })
  t.match(await repository.sessions.find(long.session.id), { alive: true })
  t.match(await repository.apiKeys.list(user.id), [{ name: 'b' }])
  t.equal((await pool.query("SELECT 1 FROM attempts WHERE subject NOT LIKE 'unknown:%'")).rowCount, 1)
})

await t.test('more than a batch goes too, but no row that somebody holds', async (t) => {
  const { repository, pool, clock, database } = await createTestRepository(t)
  const user = await insertUser(repository, 'jane')
  await pool.query(
    `INSERT INTO sessions (id, user_id, dialect, amr, auth_time, epoch, expires_at)
     SELECT gen_random_uuid(), $1, 'pin', '{pin}', now(), 0, now() FROM generate_series(1, 2500)`,
    [user.id],
  )
  await clock.advance(day + 1)
  const holder = await database.client()
  await holder.query('BEGIN; SELECT 1 FROM sessions LIMIT 3 FOR UPDATE')
  t.equal((await sweep(pool)).sessions, 2497)
  await holder.query('ROLLBACK')
  t.equal((await sweep(pool)).sessions, 3)
})

await t.test('one node sweeps at a time', async (t) => {
  const { repository, pool, clock, database } = await createTestRepository(t)
  await repository.revocations.announce({ kind: 'session', subject: 'a' })
  await clock.advance(longestTokenSeconds + 61)
  const other = await database.client()
  await other.query('BEGIN')
  await other.query("SELECT FROM service_locks WHERE name = 'sweep' FOR UPDATE")
  t.same(await sweep(pool), nothing)
  await other.query('ROLLBACK')
  t.same(await sweep(pool), { ...nothing, revocations: 1 })
})

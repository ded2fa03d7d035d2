import t from 'tap'
import type { Revocation } from '../../src/domain/model.js'
import { createRevocationFeed, sweep, type RevocationFeedOptions } from '../../src/repository/index.js'
import { createTestRepository, longestTokenSeconds, repeat, times } from '../support/repository.js'
import { createTcpProxy } from '../support/tcp-proxy.js'

type Test = Parameters<typeof createTestRepository>[0]

/** What somebody was told, and a way to wait for more of it. */
function createRecord<T>() {
  const items: T[] = []
  const waiting = new Set<() => void>()
  return {
    items,
    add(item: T) {
      items.push(item)
      for (const look of waiting) look()
    },
    /** Resolves once there are that many. */
    count: (wanted: number) =>
      new Promise<T[]>((resolve) => {
        const look = () => {
          if (items.length < wanted) return
          waiting.delete(look)
          resolve([...items])
        }
        waiting.add(look)
        look()
      }),
  }
}

function createFeed(t: Test, connectionString: string, changes: Partial<RevocationFeedOptions> = {}) {
  const told = createRecord<Revocation>()
  const keyChanges = createRecord<true>()
  const logged = createRecord<string>()
  const feed = createRevocationFeed({
    connectionString,
    applicationName: 'feed',
    maxLagMs: 2000,
    onRevocation: (revocation) => { told.add(revocation) },
    onKeysChanged: () => { keyChanges.add(true) },
    log: (message) => { logged.add(message) },
    ...changes,
  })
  t.teardown(() => feed.stop())
  return { feed, told, keyChanges, logged }
}

const session = (subject: string) => ({ kind: 'session', subject }) as const
const subjects = (revocations: readonly Revocation[]) => revocations.map(({ subject }) => subject)
/** For what shows as a change of state only. */
async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 5))
}

await t.test('whoever starts is told everything that is revoked, and from then on what is new', async (t) => {
  const { repository: { revocations }, database } = await createTestRepository(t)
  await revocations.announce(session('a'))
  await revocations.announce({ kind: 'user', subject: 'b', epoch: 2 ** 32, survivor: null })
  const { feed, told, keyChanges } = createFeed(t, database.connectionString)
  t.equal(feed.isFresh(), false)
  t.equal(feed.lagMs(), Infinity)
  await feed.start()
  t.same(told.items, await revocations.after(0))
  t.equal(feed.isFresh(), true)

  await revocations.announce(session('c'))
  t.same(subjects(await told.count(3)), ['a', 'b', 'c'])
  t.same(keyChanges.items, [])
})

await t.test('news arrives by announcement, long before the next heartbeat', async (t) => {
  const { repository: { revocations }, database } = await createTestRepository(t)
  const { feed, told } = createFeed(t, database.connectionString, { maxLagMs: 4 * 3_600_000 })
  await feed.start()
  await revocations.announce(session('a'))
  t.same(subjects(await told.count(1)), ['a'])
})

await t.test('without any announcement the heartbeat brings the news, and keeps the feed fresh', async (t) => {
  const { database, pool } = await createTestRepository(t)
  const { feed, told } = createFeed(t, database.connectionString, { maxLagMs: 200 })
  await feed.start()
  await pool.query(`
    SET tessera.announce = off;
    INSERT INTO revocations (kind, subject, expires_at) VALUES ('session', 'a', now() + interval '1 hour');
    RESET tessera.announce`)
  t.same(subjects(await told.count(1)), ['a'])
  const lags: number[] = []
  await repeat(20, async () => {
    await new Promise((resolve) => setTimeout(resolve, 20))
    lags.push(feed.lagMs())
  })
  t.ok(lags.some((lag, index) => index > 0 && lag < (lags[index - 1] ?? 0)), 'confirmed again and again')
})

await t.test('every node is told that the signing keys have changed', async (t) => {
  const { repository: { keys }, database } = await createTestRepository(t)
  const { feed, keyChanges } = createFeed(t, database.connectionString)
  await feed.start()
  await keys.notifyChange()
  await keyChanges.count(1)
  t.equal(keyChanges.items.length, 1)
})

await t.test('many writers at once: each revocation once, in order', async (t) => {
  const { repository, database } = await createTestRepository(t)
  const { feed, told } = createFeed(t, database.connectionString)
  await feed.start()
  const writer = (name: number) =>
    repeat(20, () =>
      repository.transaction(async ({ revocations, users }) => {
        await revocations.announce(session(`${name}`))
        await users.isEmpty()
        if (Math.random() < 0.2) throw new Error('rolled back')
      }).catch(() => undefined))
  await Promise.all(times(5, writer))
  await repository.revocations.announce(session('last'))
  const all = await repository.revocations.after(0)
  t.same((await told.count(all.length)).map(({ seq }) => seq), all.map(({ seq }) => seq))
})

await t.test('when the server ends the connection, what was missed is read on the next one', async (t) => {
  const { repository: { revocations }, database, pool } = await createTestRepository(t)
  const { feed, told, keyChanges, logged } = createFeed(t, database.connectionString)
  await feed.start()
  await revocations.announce(session('before'))
  await told.count(1)
  await pool.query("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'feed'")
  await revocations.announce(session('missed'))
  t.same(subjects(await told.count(2)), ['before', 'missed'])
  await keyChanges.count(1)
  await logged.count(2)
  t.match(logged.items, [/lost/, /back/])
  await revocations.announce(session('after'))
  t.same(subjects(await told.count(3)), ['before', 'missed', 'after'])
})

await t.test('a connection that goes silent is noticed, replaced, and what was missed is read', async (t) => {
  const { repository: { revocations }, database } = await createTestRepository(t)
  const proxy = await createTcpProxy(t, database.connectionString)
  const { feed, told, keyChanges } = createFeed(t, proxy.connectionString, { maxLagMs: 800 })
  await feed.start()
  proxy.silence()
  await revocations.announce(session('missed'))
  t.same(subjects(await told.count(1)), ['missed'])
  await keyChanges.count(1)
})

await t.test('while nothing answers the feed is stale, and it recovers by itself', async (t) => {
  const { repository: { revocations }, database } = await createTestRepository(t)
  const proxy = await createTcpProxy(t, database.connectionString)
  const { feed, told, logged } = createFeed(t, proxy.connectionString, { maxLagMs: 400 })
  await feed.start()
  proxy.silenceNewOnes(true)
  proxy.silence()
  await until(() => !feed.isFresh())
  await logged.count(1)
  await revocations.announce(session('meanwhile'))
  t.same(told.items, [])
  proxy.silenceNewOnes(false)
  proxy.cut()
  t.same(subjects(await told.count(1)), ['meanwhile'])
  await until(() => feed.isFresh())
  t.match(logged.items, [/lost/, /back/], 'two lines, however long it took')
})

await t.test('a start waits for a database that is not there yet', async (t) => {
  const { repository: { revocations }, database } = await createTestRepository(t)
  const proxy = await createTcpProxy(t, database.connectionString)
  proxy.silenceNewOnes(true)
  const { feed, told, logged } = createFeed(t, proxy.connectionString, { maxLagMs: 200 })
  await revocations.announce(session('a'))
  const started = feed.start()
  await logged.count(1)
  t.equal(feed.isFresh(), false)
  proxy.silenceNewOnes(false)
  await started
  t.same(subjects(told.items), ['a'])
})

await t.test('a start that is stopped says so, and a stopped feed leaves no connection behind', async (t) => {
  const { database, pool } = await createTestRepository(t)
  const proxy = await createTcpProxy(t, database.connectionString)
  proxy.silenceNewOnes(true)
  const waiting = createFeed(t, proxy.connectionString, { maxLagMs: 200 })
  const started = waiting.feed.start()
  const [rejected] = await Promise.all([started.catch((error: unknown) => error), waiting.feed.stop()])
  t.match(rejected, { message: /stopped/ })

  const { feed } = createFeed(t, database.connectionString)
  await feed.start()
  const connections = async () => (await pool.query("SELECT 1 FROM pg_stat_activity WHERE application_name = 'feed'")).rowCount
  t.equal(await connections(), 1)
  await feed.stop()
  for (let looks = 0; (await connections()) !== 0 && looks < 200; looks += 1);
  t.equal(await connections(), 0)
})

await t.test('numbers that were rolled back or have expired hold nothing up', async (t) => {
  const { repository, database, pool } = await createTestRepository(t)
  const { feed, told } = createFeed(t, database.connectionString)
  await feed.start()
  await t.rejects(repository.transaction(async ({ revocations }) => {
    await revocations.announce(session('rolled back'))
    throw new Error('no')
  }))
  await repository.revocations.announce(session('short'))
  await told.count(1)
  await pool.query("UPDATE revocations SET expires_at = now() - interval '1 second'")
  t.equal((await sweep(pool)).revocations, 1)
  await repository.revocations.announce(session('next'))
  t.same((await told.count(2)).map(({ seq, subject }) => [seq, subject]), [[2, 'short'], [3, 'next']])
})

await t.test('after a backup was restored everything that lives is told again', async (t) => {
  const { repository: { revocations }, database, pool } = await createTestRepository(t)
  const { feed, told } = createFeed(t, database.connectionString, { maxLagMs: 400 })
  await feed.start()
  for (const subject of ['a', 'b', 'c']) await revocations.announce(session(subject))
  await told.count(3)
  // The backup knew a alone; when the feed is back, what was revoked since then has the numbers of b and c, and of more.
  const insert = (subject: string) => `
    INSERT INTO revocations (seq, kind, subject, expires_at)
    VALUES (nextval('revocations_seq'), 'session', '${subject}', now() + interval '1 hour')`
  await pool.query(`
    BEGIN; DELETE FROM revocations WHERE seq > 1; SELECT setval('revocations_seq', 1);
    ${['d', 'e', 'f', 'g'].map(insert).join(';')}; COMMIT`)
  await until(() => told.items.at(-1)?.subject === 'g')
  t.same(subjects(told.items), ['a', 'b', 'c', 'a', 'd', 'e', 'f', 'g'])
  await revocations.announce(session('h'))
  await until(() => told.items.at(-1)?.subject === 'h')
  t.equal(told.items.length, 9, 'once, and not with every heartbeat')
})

await t.test('a reader that fails is given the same revocation again, and nothing counts as confirmed meanwhile', async (t) => {
  const { repository: { revocations }, database } = await createTestRepository(t)
  let failures = 2
  const told: string[] = []
  const { feed } = createFeed(t, database.connectionString, {
    onRevocation: ({ subject }) => {
      if (subject === 'b' && failures-- > 0) throw new Error('no room')
      told.push(subject)
    },
  })
  for (const subject of ['a', 'b', 'c']) await revocations.announce(session(subject))
  await feed.start()
  t.same(told, ['a', 'b', 'c'])
})

await t.test('what expires is not told to who starts later', async (t) => {
  const { repository: { revocations }, database, pool } = await createTestRepository(t)
  await revocations.announce(session('old'))
  await pool.query(`UPDATE revocations SET expires_at = expires_at - interval '${longestTokenSeconds + 61} seconds'`)
  await revocations.announce(session('new'))
  const { feed, told } = createFeed(t, database.connectionString)
  await feed.start()
  t.same(subjects(told.items), ['new'])
})

import t from 'tap'
import type { Repository } from '../../src/domain/ports.js'
import type { Revocation } from '../../src/domain/model.js'
import { createPool, createRepository } from '../../src/repository/index.js'
import { createDatabase } from '../../src/repository/transaction.js'
import { createTestDatabase } from '../support/database.js'
import { createTestRepository, insertUser, newUser, patience, times, unknownId } from '../support/repository.js'
import { createTcpProxy } from '../support/tcp-proxy.js'

await t.test('all of it happens, or nothing', async (t) => {
  const { repository } = await createTestRepository(t)
  const [kept, dropped] = [newUser('kept'), newUser('dropped')]
  const result = await repository.transaction(async ({ users }) => {
    await users.insert(kept)
    t.ok(await users.find(kept.id), 'it sees its own changes')
    t.equal(await repository.users.find(kept.id), null, 'nobody else does')
    return 'done'
  })
  t.equal(result, 'done')
  t.ok(await repository.users.find(kept.id))

  const reason = new Error('changed my mind')
  const failing = repository.transaction(async ({ users }) => {
    await users.insert(dropped)
    throw reason
  })
  t.equal(await failing.catch((error: unknown) => error), reason)
  t.equal(await repository.users.find(dropped.id), null)
})

await t.test('a transaction inside a transaction is the same one', async (t) => {
  const { repository, revoked } = await createTestRepository(t)
  const inner = newUser('inner')
  await t.rejects(repository.transaction(async (outside) => {
    await outside.transaction(async (inside) => {
      t.equal(inside, outside)
      await inside.users.insert(inner)
      await inside.revocations.announce({ kind: 'session', subject: unknownId })
    })
    t.ok(await outside.users.find(inner.id))
    throw new Error('the outer one fails')
  }))
  t.equal(await repository.users.find(inner.id), null)
  t.same(revoked, [])
})

await t.test('this node obeys a revocation when the commit is acknowledged, not before, and not without', async (t) => {
  const { repository, revoked } = await createTestRepository(t)
  await repository.transaction(async ({ revocations }) => {
    await revocations.announce({ kind: 'session', subject: 'a' })
    await revocations.announce({ kind: 'token', subject: 'b' })
    t.same(revoked, [])
  })
  t.match(revoked, [{ seq: 1, kind: 'session', subject: 'a' }, { seq: 2, kind: 'token', subject: 'b' }])
  await t.rejects(repository.transaction(async ({ revocations }) => {
    await revocations.announce({ kind: 'session', subject: 'c' })
    throw new Error('no')
  }))
  t.equal(revoked.length, 2)
  await repository.revocations.announce({ kind: 'session', subject: 'd' })
  t.match(revoked[2], { subject: 'd' })
})

await t.test('a transaction that another one got in the way of runs again', async (t) => {
  const { repository, pool } = await createTestRepository(t)
  const user = await insertUser(repository, 'jane')
  const database = createDatabase(pool)
  const runs: string[] = []
  const told: string[] = []
  const raise = (disturb: (run: number) => Promise<unknown>) =>
    database.transaction(async (transaction) => {
      const run = runs.push('run')
      await transaction.query(null, 'SET TRANSACTION ISOLATION LEVEL REPEATABLE READ', [])
      await transaction.query(null, 'SELECT 1 FROM users', [])
      await disturb(run)
      transaction.afterCommit(() => told.push(`run ${run}`))
      await transaction.query(null, 'UPDATE users SET epoch = epoch + 1', [])
    })
  await raise(async (run) => run === 1 && repository.users.raiseEpoch(user.id))
  t.same(told, ['run 2'], 'the run that failed announces nothing')
  t.match(await repository.users.find(user.id), { epoch: 2 })

  runs.length = 0
  await t.rejects(raise(() => repository.users.raiseEpoch(user.id)), { code: 'unavailable', cause: { code: '40001' } })
  t.equal(runs.length, 3, 'but not for ever')
})

await t.test('a commit whose answer is lost: unavailable, and this node does not pretend to know', async (t) => {
  const { connectionString } = await createTestDatabase(t)
  const proxy = await createTcpProxy(t, connectionString)
  const pool = createPool({ connectionString: proxy.connectionString, max: 2, limits: patience })
  t.teardown(() => pool.end())
  const revoked: Revocation[] = []
  const repository = createRepository(pool, { onRevoked: (revocation) => revoked.push(revocation) })
  const user = newUser('jane')
  proxy.cutAfterSending('COMMIT\0')
  await t.rejects(
    repository.transaction(async ({ users, revocations }) => {
      await users.insert(user)
      await revocations.announce({ kind: 'session', subject: 'a' })
    }),
    { code: 'unavailable', retryAfterSeconds: 1 },
  )
  t.same(revoked, [])
  proxy.cutAfterSending('never said')
  let found = await repository.users.find(user.id)
  for (let looks = 0; found === null && looks < 100; looks += 1) found = await repository.users.find(user.id)
  t.match(found, { id: user.id })
  t.match(await repository.revocations.after(0), [{ subject: 'a' }], 'it had happened, and the feed will tell')
})

await t.test('who hides a failed statement does not get a commit', async (t) => {
  const { repository, revoked } = await createTestRepository(t)
  const user = newUser('jane')
  const work = async ({ users, revocations, keys }: Repository) => {
    await users.insert(user)
    await revocations.announce({ kind: 'session', subject: 'a' })
    await keys.insertDataKey({ kid: 'a', purpose: 'x' })
    await keys.insertDataKey({ kid: 'a', purpose: 'x' }).catch(() => undefined)
  }
  await t.rejects(repository.transaction(work), { code: 'unavailable' })
  t.equal(await repository.users.find(user.id), null)
  t.same(revoked, [])
})

await t.test('statements that are asked in parallel inside a transaction wait for each other', async (t) => {
  const { repository } = await createTestRepository(t)
  const user = await insertUser(repository, 'jane')
  const epochs = await repository.transaction(({ users }) => Promise.all(times(10, () => users.raiseEpoch(user.id))))
  t.same(epochs, times(10, (index) => index + 1))
})

await t.test('a statement after the end of its transaction is refused', async (t) => {
  const { repository, pool } = await createTestRepository(t, { max: 1 })
  const kept = await repository.transaction(async (inside) => {
    await inside.users.isEmpty()
    return inside
  })
  await t.rejects(kept.users.isEmpty(), /after the end/)
  t.equal(pool.idleCount, 1)
  t.equal(await repository.users.isEmpty(), true)
})

import { randomBytes } from 'node:crypto'
import t from 'tap'
import { v7 as uuid } from 'uuid'
import type { ApiKey, User } from '../../src/domain/model.js'
import type { NewApiKey, Repository } from '../../src/domain/ports.js'
import { createTestRepository, insertUser, malformedIds, times, unknownId, untilSomebodyWaits } from '../support/repository.js'

const newKey = (owner: User, changes: Partial<NewApiKey> = {}): NewApiKey => ({
  id: uuid(), userId: owner.id, name: 'deploy', hash: randomBytes(32), hint: 'sk_live_…a1b2', scopes: null, expiresAt: null, ...changes,
})

async function insertKey({ apiKeys }: Repository, owner: User, changes: Partial<NewApiKey> = {}) {
  const given = newKey(owner, changes)
  const key = await apiKeys.insert(given, 100)
  if (!key) throw new Error('the key was not inserted')
  return { ...key, hash: given.hash }
}

await t.test('a key is found by its hash with its owner, as it was created', async (t) => {
  const { repository, clock } = await createTestRepository(t)
  const owner = await insertUser(repository, 'jane')
  const expiresAt = new Date(clock.now().getTime() + 60_000)
  const given = newKey(owner, { scopes: ['users:read', 'a "quoted", one'], expiresAt })
  const key = await repository.apiKeys.insert(given, 5)
  const expected = {
    id: given.id, userId: owner.id, name: 'deploy', hint: 'sk_live_…a1b2', scopes: ['users:read', 'a "quoted", one'], expiresAt, lastUsedAt: null,
  }
  t.match(key, expected)
  t.same(await repository.apiKeys.findByHash(given.hash), { key, owner })
  t.same(await repository.apiKeys.find(given.id, owner.id), key)
  t.equal(await repository.apiKeys.findByHash(randomBytes(32)), null)
  t.match(await insertKey(repository, owner), { scopes: null, expiresAt: null })
  t.match(await insertKey(repository, owner, { scopes: [] }), { scopes: [] }, 'no scope is not the same as none named')
})

await t.test('a key ends with its expiry, its deletion, and while its owner is suspended', async (t) => {
  const { repository, clock } = await createTestRepository(t)
  const { apiKeys, users } = repository
  const owner = await insertUser(repository, 'jane')
  const forAMinute = await insertKey(repository, owner, { expiresAt: new Date(clock.now().getTime() + 60_000) })
  const key = await insertKey(repository, owner)
  t.ok(await apiKeys.findByHash(forAMinute.hash))
  await clock.advance(61)
  t.equal(await apiKeys.findByHash(forAMinute.hash), null)

  await users.setStatus(owner.id, 'suspended')
  t.equal(await apiKeys.findByHash(key.hash), null)
  await users.setStatus(owner.id, 'active')
  t.ok(await apiKeys.findByHash(key.hash))
  await users.raiseEpoch(owner.id)
  t.ok(await apiKeys.findByHash(key.hash), 'a change of password does not end it')

  t.equal(await apiKeys.delete(key.id, owner.id), true)
  t.equal(await apiKeys.delete(key.id, owner.id), false)
  t.equal(await apiKeys.findByHash(key.hash), null)
})

await t.test('the quota holds when keys are created in parallel', async (t) => {
  const { repository } = await createTestRepository(t)
  const [jane, john] = [await insertUser(repository, 'jane'), await insertUser(repository, 'john')]
  const keys = await Promise.all(times(30, () => repository.apiKeys.insert(newKey(jane), 5)))
  t.equal(keys.filter((key) => key !== null).length, 5)
  t.equal((await repository.apiKeys.list(jane.id)).length, 5)
  t.ok(await repository.apiKeys.insert(newKey(john), 5), 'everybody has a quota of their own')
})

await t.test('a creation waits for another one of the same owner, and counts it', async (t) => {
  const { repository, pool } = await createTestRepository(t)
  const owner = await insertUser(repository, 'jane')
  let second: Promise<ApiKey | null> | undefined
  await repository.transaction(async ({ apiKeys }) => {
    t.ok(await apiKeys.insert(newKey(owner), 1))
    second = repository.apiKeys.insert(newKey(owner), 1)
    await untilSomebodyWaits(pool)
  })
  t.equal(await second, null)
})

await t.test('a key that has expired takes no place, and a deleted one gives it back', async (t) => {
  const { repository, clock } = await createTestRepository(t)
  const { apiKeys } = repository
  const owner = await insertUser(repository, 'jane')
  const short = await apiKeys.insert(newKey(owner, { expiresAt: new Date(clock.now().getTime() + 60_000) }), 2)
  const long = await apiKeys.insert(newKey(owner), 2)
  t.ok(short && long)
  t.equal(await apiKeys.insert(newKey(owner), 2), null)
  await clock.advance(61)
  t.ok(await apiKeys.insert(newKey(owner), 2))
  await apiKeys.delete(long?.id ?? '', owner.id)
  t.ok(await apiKeys.insert(newKey(owner), 2))
  t.equal(await apiKeys.insert(newKey(owner), 2), null)
})

await t.test('another user\'s key is like an unknown one, but an operator reaches every key', async (t) => {
  const { repository } = await createTestRepository(t)
  const { apiKeys } = repository
  const [jane, john] = [await insertUser(repository, 'jane'), await insertUser(repository, 'john')]
  const key = await insertKey(repository, jane)
  for (const id of [key.id, unknownId, ...malformedIds]) {
    t.equal(await apiKeys.find(id, john.id), null)
    t.equal(await apiKeys.retire(id, john.id, 0), null)
    t.equal(await apiKeys.delete(id, john.id), false)
  }
  for (const userId of [unknownId, ...malformedIds]) {
    t.equal(await apiKeys.find(key.id, userId), null)
    t.equal(await apiKeys.delete(key.id, userId), false)
    t.equal(await apiKeys.insert(newKey(jane, { userId }), 5), null)
    t.same(await apiKeys.list(userId), [])
  }
  t.ok(await apiKeys.findByHash(key.hash))
  t.equal(await apiKeys.delete(key.id, null), true)
})

await t.test('the end of a rolled key comes nearer, never later, and its own end is passed on', async (t) => {
  const { repository, clock } = await createTestRepository(t)
  const { apiKeys } = repository
  const owner = await insertUser(repository, 'jane')
  const expiresAt = new Date(clock.now().getTime() + 86_400_000)
  for (const ownEnd of [null, expiresAt]) {
    const key = await insertKey(repository, owner, { expiresAt: ownEnd })
    const endsIn = async () => {
      const end = (await apiKeys.find(key.id, owner.id))?.expiresAt
      return end ? Math.round((end.getTime() - clock.now().getTime()) / 1000) : null
    }
    for (const [seconds, expected] of [[3600, 3600], [7200, 3600], [60, 60]] as const) {
      t.match(await apiKeys.retire(key.id, owner.id, seconds), { id: key.id, name: 'deploy', expiresAt: ownEnd })
      t.equal(await endsIn(), expected)
      t.ok(await apiKeys.findByHash(key.hash))
    }
    t.match(await apiKeys.retire(key.id, owner.id, 0), { expiresAt: ownEnd })
    t.equal(await apiKeys.findByHash(key.hash), null)
    t.equal(await apiKeys.retire(key.id, owner.id, 0), null, 'what has ended is not rolled')
  }
})

await t.test('the time of the last use moves forward only, also when nodes report at once', async (t) => {
  const { repository } = await createTestRepository(t)
  const { apiKeys } = repository
  const owner = await insertUser(repository, 'jane')
  const keys = await Promise.all(times(20, () => insertKey(repository, owner)))
  const at = (second: number) => new Date(Date.UTC(2030, 0, 1, 0, 0, second))
  await apiKeys.touch(new Map())
  const report = (second: number, order: typeof keys) => apiKeys.touch(new Map(order.map((key) => [key.id, at(second)])))
  await Promise.all(times(12, (second) => report(second, second % 2 ? keys : keys.toReversed())))
  await report(3, keys)
  const listed = await apiKeys.list(owner.id)
  t.equal(listed.length, 20)
  for (const key of listed) t.same(key.lastUsedAt, at(11))
  await apiKeys.touch(new Map([...malformedIds, unknownId].map((id) => [id, at(1)])))
})

await t.test('nodes that report at once take the keys in one order, and never stand in a circle', async (t) => {
  const { repository, database, pool } = await createTestRepository(t)
  const owner = await insertUser(repository, 'jane')
  const [low = '', high = ''] = times(2, () => uuid()).sort()
  await insertKey(repository, owner, { id: high })
  await insertKey(repository, owner, { id: low })
  const other = await database.client()
  await other.query('BEGIN')
  await other.query('SELECT 1 FROM api_keys WHERE id = $1 FOR UPDATE', [low])
  const touched = repository.apiKeys.touch(new Map([[high, new Date()], [low, new Date()]]))
  await untilSomebodyWaits(pool)
  await other.query('SELECT 1 FROM api_keys WHERE id = $1 FOR UPDATE NOWAIT', [high])
  await other.query('COMMIT')
  await touched
  t.notOk((await repository.apiKeys.list(owner.id)).some((key) => key.lastUsedAt === null))
})

await t.test('keys are listed oldest first, everybody\'s page by page', async (t) => {
  const { repository } = await createTestRepository(t)
  const [jane, john] = [await insertUser(repository, 'jane'), await insertUser(repository, 'john')]
  const [a = '', b = '', c = ''] = times(3, () => uuid()).sort()
  await insertKey(repository, jane, { id: c })
  await insertKey(repository, john, { id: b })
  await insertKey(repository, jane, { id: a })
  t.same((await repository.apiKeys.list(jane.id)).map((key) => key.id), [a, c])
  const page = async (after: string | null) => (await repository.apiKeys.listAll({ after, limit: 2 })).map((key) => key.id)
  t.same(await page(null), [a, b])
  t.same(await page(b), [c])
})

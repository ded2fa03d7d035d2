import t from 'tap'
import type { Keys } from '../../src/domain/ports.js'
import { createTestRepository, untilSomebodyWaits } from '../support/repository.js'

const publish = (keys: Keys, kid: string, signsAfterSeconds = 0) =>
  keys.insertSigningKey({ kid, alg: 'ES256', publicJwk: { kty: 'EC', crv: 'P-256', x: kid, y: [1, null] }, signsAfterSeconds })

await t.test('data keys and wraps are read back as they were written', async (t) => {
  const { repository: { keys } } = await createTestRepository(t)
  await keys.insertDataKey({ kid: 'a', purpose: 'refresh' })
  await keys.insertDataKey({ kid: 'b', purpose: 'pepper' })
  t.match(await keys.dataKeys(), [{ kid: 'a', purpose: 'refresh', createdAt: Date }, { kid: 'b', purpose: 'pepper' }])
  await keys.insertWraps([])
  const wraps = [
    { kid: 'a', kekId: 'old', wrapped: Buffer.from([0, 1, 255]) },
    { kid: 'b', kekId: 'old', wrapped: Buffer.from('b') },
  ]
  await keys.insertWraps(wraps)
  await keys.insertWraps([{ kid: 'a', kekId: 'old', wrapped: Buffer.from('another node came second') }])
  t.same(await keys.wraps(), wraps)
})

await t.test('the wraps of an older master secret go once every key has one of the newer', async (t) => {
  const { repository: { keys }, clock } = await createTestRepository(t)
  const wrap = (kid: string, kekId: string) => ({ kid, kekId, wrapped: Buffer.from(`${kid} ${kekId}`) })
  const left = async () => (await keys.wraps()).map(({ kid, kekId }) => `${kid} ${kekId}`)
  await keys.insertWraps([wrap('a', 'old'), wrap('b', 'old')])
  await clock.advance(60)
  await keys.insertWraps([wrap('a', 'new')])
  await keys.deleteSupersededWraps('old')
  t.same(await left(), ['a new', 'a old', 'b old'], 'a node that still has the older secret takes nothing from the others')
  await keys.deleteSupersededWraps('new')
  t.same(await left(), ['a new', 'b old'], 'what only the older secret opens stays')
  await keys.insertWraps([wrap('b', 'new')])
  await keys.deleteSupersededWraps('new')
  t.same(await left(), ['a new', 'b new'])
  await keys.deleteSupersededWraps('never seen')
  t.same(await left(), ['a new', 'b new'])
})

await t.test('a signing key is published at once and signs when the time has come', async (t) => {
  const { repository: { keys } } = await createTestRepository(t)
  await publish(keys, 'one')
  await publish(keys, 'two', 30)
  const [one, two] = await keys.signingKeys()
  t.match(one, { kid: 'one', alg: 'ES256', publicJwk: { kty: 'EC', crv: 'P-256', x: 'one', y: [1, null] }, revokedAt: null })
  t.equal(one?.signsFrom.getTime(), one?.publishedAt.getTime())
  t.equal((two?.signsFrom.getTime() ?? 0) - (two?.publishedAt.getTime() ?? 0), 30_000)
})

await t.test('a key is withdrawn when the last token that it signed has expired', async (t) => {
  const { repository: { keys }, clock } = await createTestRepository(t)
  const kids = async () => (await keys.signingKeys()).map((key) => key.kid)
  await publish(keys, 'one')
  await clock.advance(10_000)
  t.same(await keys.retireSigningKeys(0), [], 'the only key stays')
  await publish(keys, 'two', 30)
  await clock.advance(3600 + 29)
  t.same(await keys.retireSigningKeys(0), [])
  await clock.advance(2)
  t.same(await keys.retireSigningKeys(0), ['one'])
  t.same(await kids(), ['two'])
  t.same(await keys.retireSigningKeys(0), [])
})

await t.test('a revoked key is shown as such, and succeeds nobody', async (t) => {
  const { repository: { keys }, clock } = await createTestRepository(t)
  await publish(keys, 'one')
  await clock.advance(60)
  await publish(keys, 'two')
  t.equal(await keys.revokeSigningKey('two'), true)
  t.equal(await keys.revokeSigningKey('two'), false)
  t.equal(await keys.revokeSigningKey('three'), false)
  await clock.advance(10_000)
  t.same(await keys.retireSigningKeys(0), [])
  t.match(await keys.signingKeys(), [{ kid: 'one', revokedAt: null }, { kid: 'two', revokedAt: Date }])
  await publish(keys, 'three')
  await clock.advance(3601)
  t.same((await keys.retireSigningKeys(0)).sort(), ['one', 'two'])
})

await t.test('one node at a time creates keys', async (t) => {
  const { repository, pool } = await createTestRepository(t)
  await t.rejects(repository.keys.lock(), /transaction/)
  let second: Promise<string[]> | undefined
  await repository.transaction(async ({ keys }) => {
    await keys.lock()
    second = repository.transaction(async (other) => {
      await other.keys.lock()
      return (await other.keys.dataKeys()).map((key) => key.kid)
    })
    await untilSomebodyWaits(pool)
    await keys.insertDataKey({ kid: 'a', purpose: 'refresh' })
  })
  t.same(await second, ['a'], 'the second one sees what the first has made')
})

await t.test('every node hears that the signing keys have changed', async (t) => {
  const { repository: { keys }, database } = await createTestRepository(t)
  const listener = await database.client()
  await listener.query('LISTEN tessera')
  const heard = new Promise((resolve) => listener.once('notification', ({ payload }) => { resolve(payload) }))
  await keys.notifyChange()
  t.equal(await heard, '{"keys":true}')
})

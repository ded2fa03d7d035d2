import { createHash } from 'node:crypto'
import t from 'tap'
import { v7 as uuid } from 'uuid'
import type { NewClient } from '../../src/domain/ports.js'
import { sweep } from '../../src/repository/index.js'
import { createTestRepository, malformedIds, times, unknownId } from '../support/repository.js'

const hashOf = (secret: string) => createHash('sha256').update(secret).digest()

const newClient = (name: string, changes: Partial<NewClient> = {}): NewClient => ({
  id: uuid(), name, secretHash: hashOf('first'), jwks: null, scopes: ['introspect'], accessSeconds: null, ...changes,
})

await t.test('a client is read back as it was made, and listed by its name', async (t) => {
  const { repository: { clients } } = await createTestRepository(t)
  const given = newClient('reports', { secretHash: null, jwks: { keys: [{ kty: 'OKP', crv: 'Ed25519', x: 'x' }] }, accessSeconds: 600 })
  const client = await clients.insert(given)
  t.match(client, {
    id: given.id, name: 'reports', scopes: ['introspect'], jwks: given.jwks, hasSecret: false, accessSeconds: 600, epoch: 0,
  })
  t.same(await clients.find(given.id), client)
  const other = await clients.insert(newClient('accounts', { scopes: [] }))
  t.match(other, { hasSecret: true, jwks: null, scopes: [], accessSeconds: null })
  t.same(await clients.list(), [other, client])
})

await t.test('after a rotation the secret before serves for the overlap and no longer', async (t) => {
  const { repository: { clients }, clock } = await createTestRepository(t)
  const { id } = await clients.insert(newClient('reports'))
  const opens = async (secret: string) => (await clients.findBySecret(id, hashOf(secret))) !== null
  t.equal(await opens('first'), true)
  t.equal(await opens('second'), false)

  t.equal(await clients.replaceSecret(id, hashOf('second'), 60), true)
  t.same([await opens('first'), await opens('second')], [true, true])
  await clock.advance(61)
  t.same([await opens('first'), await opens('second')], [false, true])
  t.equal(await clients.replaceSecret(id, hashOf('third'), 0), true)
  t.same([await opens('first'), await opens('second'), await opens('third')], [false, false, true])
})

await t.test('an assertion serves once, for its own client, and is forgotten when it has expired', async (t) => {
  const { repository: { clients }, clock, pool } = await createTestRepository(t)
  const [one, two] = [await clients.insert(newClient('one')), await clients.insert(newClient('two'))]
  const expiresAt = new Date(clock.now().getTime() + 60_000)
  const used = await Promise.all(times(20, () => clients.useAssertion(one.id, 'jti', expiresAt)))
  t.equal(used.filter(Boolean).length, 1)
  t.equal(await clients.useAssertion(two.id, 'jti', expiresAt), true)
  await clock.advance(61)
  t.equal((await sweep(pool)).client_assertions, 2)
})

await t.test('the tokens of a client end by its epoch, and by the end of everything', async (t) => {
  const { repository: { clients, users } } = await createTestRepository(t)
  const { id } = await clients.insert(newClient('reports'))
  t.equal(await clients.raiseEpoch(id), 1)
  t.match(await clients.find(id), { epoch: 1 })
  const lowest = await users.raiseGlobalEpoch()
  t.match(await clients.find(id), { epoch: lowest + 1 })
})

await t.test('a client that does not exist is found by nothing', async (t) => {
  const { repository: { clients } } = await createTestRepository(t)
  const { id } = await clients.insert(newClient('reports'))
  t.equal(await clients.delete(id), true)
  for (const gone of [id, unknownId, ...malformedIds]) {
    t.equal(await clients.find(gone), null)
    t.equal(await clients.findBySecret(gone, hashOf('first')), null)
    t.equal(await clients.replaceSecret(gone, hashOf('x'), 60), false)
    t.equal(await clients.raiseEpoch(gone), null)
    t.equal(await clients.useAssertion(gone, 'jti', new Date(Date.now() + 60_000)), false)
    t.equal(await clients.delete(gone), false)
  }
})

await t.test('keys take the place of a secret, which serves no more; a client without a secret is given none', async (t) => {
  const { repository: { clients } } = await createTestRepository(t)
  const { id } = await clients.insert(newClient('reports'))
  await clients.replaceSecret(id, hashOf('second'), 3600)
  const jwks = { keys: [{ kty: 'OKP', crv: 'Ed25519', x: 'x' }] }
  t.equal(await clients.replaceKeys(id, jwks), true)
  t.match(await clients.find(id), { jwks, hasSecret: false })
  for (const secret of ['first', 'second']) t.equal(await clients.findBySecret(id, hashOf(secret)), null)
  t.equal(await clients.replaceSecret(id, hashOf('third'), 0), false)
  for (const nobody of [unknownId, ...malformedIds]) t.equal(await clients.replaceKeys(nobody, jwks), false)
})

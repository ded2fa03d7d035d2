import fc from 'fast-check'
import t, { type Test } from 'tap'
import {
  createApiKey,
  createApiKeyVerifier,
  defaultOverlapSeconds,
  deleteApiKey,
  isWellFormedKey,
  keysPerUser,
  listApiKeys,
  newApiKeySecret,
  rollApiKey,
  type ApiKeyRequest,
} from '../../src/domain/api-keys.js'
import type { AuthenticationMethod, Role, SessionPrincipal, User } from '../../src/domain/model.js'
import type { Repository } from '../../src/domain/ports.js'
import { createTestRepository, insertUser, openSession, repeat, times, unknownId } from '../support/repository.js'

const origin = { ip: '203.0.113.7', userAgent: null, requestId: null }
const ordinary: ApiKeyRequest = { name: 'deploy', scopes: null, expiresAt: null }

/** A user and a node, which counts what it asks the database. */
async function setUp(t: Test, role: Role = 'user') {
  const { repository, clock, revoked } = await createTestRepository(t)
  const owner = await insertUser(repository, 'jane', { role })
  const memory = { isFresh: true }
  let queries = 0
  const apiKeys = { ...repository.apiKeys, findByHash: (hash: Buffer) => ((queries += 1), repository.apiKeys.findByHash(hash)) }
  const revocations = { isFresh: () => memory.isFresh, isTokenDead: () => Promise.resolve(false) }
  const verifier = createApiKeyVerifier({ repository: { ...repository, apiKeys }, clock, revocations })
  const service = { repository, clock }
  const create = (request: Partial<ApiKeyRequest> = {}, user: User = owner) => createApiKey(service, user.id, { ...ordinary, ...request }, { origin })
  /** The word that the feed would bring. */
  const hearTheWord = () => {
    for (const revocation of revoked.splice(0)) verifier.forget(revocation)
  }
  return { service, repository, clock, owner, verifier, memory, create, hearTheWord, queries: () => queries }
}

/** Of a session that is open. */
async function principalOf(repository: Repository, user: User, amr: readonly AuthenticationMethod[] = ['pwd']): Promise<SessionPrincipal> {
  const { session } = await openSession(repository, user, { amr, lifetimeSeconds: 10 * 86_400 })
  return { kind: 'session', userId: user.id, username: user.username, email: null, sessionId: session.id, epoch: session.epoch, amr, tokenId: unknownId, expiresAt: session.expiresAt, scopes: ['profile'] }
}

await t.test('a key is sk_live_ and letters and digits, and no two are the same', (t) => {
  const secrets = times(200, newApiKeySecret)
  for (const secret of secrets) t.match(secret, /^sk_live_[0-9A-Za-z]{38}$/)
  t.ok(secrets.every(isWellFormedKey))
  t.equal(new Set(secrets).size, secrets.length)
  t.end()
})

await t.test('a mistyped key is told by its checksum', (t) => {
  const secret = newApiKeySecret()
  const mistyped = (place: number, letter: string) => secret.slice(0, place) + letter + secret.slice(place + 1)
  const letters = Array.from('0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz')
  fc.assert(
    fc.property(fc.nat(secret.length - 1), fc.constantFrom(...letters), (place, letter) => {
      fc.pre(mistyped(place, letter) !== secret)
      return !isWellFormedKey(mistyped(place, letter))
    }),
    { numRuns: 1000 },
  )
  for (let i = 0; i < secret.length - 1; i += 1) {
    const swapped = secret.slice(0, i) + secret.charAt(i + 1) + secret.charAt(i) + secret.slice(i + 2)
    if (swapped !== secret) t.notOk(isWellFormedKey(swapped), `letters ${i} and ${i + 1} swapped`)
  }
  t.end()
})

await t.test('no other text is a key, and none makes it throw', (t) => {
  fc.assert(fc.property(fc.string({ unit: 'binary', maxLength: 100 }), (text) => !isWellFormedKey(text)))
  fc.assert(fc.property(fc.uint8Array({ maxLength: 100 }), (bytes) => !isWellFormedKey(`sk_live_${Buffer.from(bytes).toString('latin1')}`)))
  const secret = newApiKeySecret()
  for (const text of [`${secret}\n`, ` ${secret}`, secret.toUpperCase(), secret.toLowerCase(), secret + secret, secret.slice(0, -1), '']) t.notOk(isWellFormedKey(text))
  t.end()
})

await t.test('case 51: a key with a wrong checksum is refused without a query, an unknown one after one', async (t) => {
  const { verifier, create, queries } = await setUp(t)
  const { secret } = await create()
  const wrong = secret.slice(0, -1) + (secret.endsWith('A') ? 'B' : 'A')
  await t.rejects(verifier.verify(wrong), { code: 'api_key_invalid' })
  t.equal(queries(), 0)
  await t.rejects(verifier.verify(newApiKeySecret()), { code: 'api_key_invalid' })
  t.equal(queries(), 1)
})

await t.test('a key that was seen is verified from memory, until the word comes that it changed', async (t) => {
  const { service, verifier, create, owner, hearTheWord, queries } = await setUp(t)
  const { key, secret } = await create()
  t.match(await verifier.verify(secret), { kind: 'api_key', userId: owner.id, username: 'jane', apiKeyId: key.id, scopes: ['profile'] })
  await verifier.verify(secret)
  t.equal(queries(), 1)
  await deleteApiKey(service, key.id, owner.id, { origin })
  hearTheWord()
  await t.rejects(verifier.verify(secret), { code: 'api_key_invalid' })
  t.equal(queries(), 2)
})

await t.test('memory that may be stale is not believed', async (t) => {
  const { service, verifier, memory, create, owner, queries } = await setUp(t)
  const { key, secret } = await create()
  await verifier.verify(secret)
  await deleteApiKey(service, key.id, owner.id, { origin })
  memory.isFresh = false
  await t.rejects(verifier.verify(secret), { code: 'api_key_invalid' })
  t.equal(queries(), 2)
})

await t.test('what was read before the word came is not kept', async (t) => {
  const { service, repository, owner, create, clock } = await setUp(t)
  const { key, secret } = await create()
  let meanwhile = () => Promise.resolve()
  const slow = { ...repository.apiKeys, findByHash: async (hash: Buffer) => {
    const state = await repository.apiKeys.findByHash(hash)
    await meanwhile()
    return state
  } }
  const verifier = createApiKeyVerifier({ repository: { ...repository, apiKeys: slow }, clock, revocations: { isFresh: () => true, isTokenDead: () => Promise.resolve(false) } })
  meanwhile = async () => {
    await deleteApiKey(service, key.id, owner.id, { origin })
    verifier.forget({ seq: 1, kind: 'api_key', subject: key.id, epoch: null, survivor: null, createdAt: new Date(), expiresAt: new Date() })
  }
  await verifier.verify(secret)
  meanwhile = () => Promise.resolve()
  await t.rejects(verifier.verify(secret), { code: 'api_key_invalid' })
})

await t.test('a key ends with its time, from memory too', async (t) => {
  const { verifier, create, clock } = await setUp(t)
  const { secret } = await create({ expiresAt: new Date(clock.now().getTime() + 60_000) })
  await verifier.verify(secret)
  await clock.advance(61)
  await t.rejects(verifier.verify(secret), { code: 'api_key_invalid' })
})

await t.test('a key has its scopes as far as its owner has them now', async (t) => {
  const { verifier, create, repository, owner, hearTheWord } = await setUp(t, 'admin')
  const plain = await create()
  const operator = await create({ scopes: ['admin', 'introspect'] })
  t.match(await verifier.verify(plain.secret), { scopes: ['profile'] }, 'never admin unless it was asked for')
  t.same([...(await verifier.verify(operator.secret)).scopes].sort(), ['admin', 'introspect'])
  await repository.transaction(async (tx) => {
    await tx.users.setRole(owner.id, 'user')
    await tx.revocations.announce({ kind: 'user', subject: owner.id, epoch: 1, survivor: null })
  })
  hearTheWord()
  t.same((await verifier.verify(operator.secret)).scopes, [])
})

await t.test('a key is not made with an unknown scope, one that the owner lacks, a bad name, or an end in the past', async (t) => {
  const { service, create, owner, clock } = await setUp(t)
  const refused: [Partial<ApiKeyRequest>, string][] = [
    [{ scopes: ['profile', 'fly'] }, 'malformed'],
    [{ scopes: ['__proto__'] }, 'malformed'],
    [{ scopes: ['admin'] }, 'forbidden'],
    [{ scopes: ['profile', 'introspect'] }, 'forbidden'],
    [{ name: '' }, 'malformed'],
    [{ name: 'x'.repeat(101) }, 'malformed'],
    [{ expiresAt: clock.now() }, 'malformed'],
    [{ expiresAt: new Date(NaN) }, 'malformed'],
  ]
  for (const [request, code] of refused) await t.rejects(create(request), { code }, JSON.stringify(request))
  t.same(await listApiKeys(service, owner.id), [])
  t.match((await create({ name: '🔑'.repeat(100), scopes: ['profile'] })).key, { scopes: ['profile'] })
})

await t.test('case 56: the quota holds when keys are made at once, and what has ended does not count', async (t) => {
  const { service, create, owner, clock } = await setUp(t)
  await create({ expiresAt: new Date(clock.now().getTime() + 60_000) })
  await clock.advance(61)
  await repeat(keysPerUser - 7, create)
  const outcomes = await Promise.allSettled(times(20, () => create()))
  t.equal(outcomes.filter(({ status }) => status === 'fulfilled').length, 7)
  for (const outcome of outcomes) if (outcome.status === 'rejected') t.match(outcome.reason, { code: 'conflict', reason: 'you have 100 API keys already: delete one first' })
  t.equal((await listApiKeys(service, owner.id)).length, keysPerUser + 1)
})

await t.test('case 56: who has all keys that one may have can roll one, and not have more by rolling', async (t) => {
  const { service, create, owner, clock } = await setUp(t)
  const { key: first } = await create()
  await repeat(keysPerUser - 1, create)
  const principal = await principalOf(service.repository, owner)
  const roll = (id: string) => rollApiKey(service, id, principal, 3600, origin)
  let { key: last } = await roll(first.id)
  await t.rejects(create(), { code: 'conflict' }, 'the successor counts')
  await t.rejects(roll(first.id), { code: 'conflict' }, 'who lost the answer has to delete the successor first')
  for (let i = 1; i < keysPerUser; i += 1) last = (await roll(last.id)).key
  await t.rejects(roll(last.id), { code: 'conflict' }, 'as many again are in their overlap: that is all')
  await clock.advance(3601)
  t.equal((await roll(last.id)).key.userId, owner.id, 'until it is over')
})

await t.test('a list holds a hint and no key', async (t) => {
  const { service, create, owner } = await setUp(t)
  const { key, secret } = await create()
  const list = await listApiKeys(service, owner.id)
  t.same(list, [key])
  t.equal(key.hint, `sk_live_…${secret.slice(-4)}`)
  t.notMatch(JSON.stringify(list), secret.slice(8, -4))
})

await t.test('another user’s key is as unknown as one that never was', async (t) => {
  const { service, repository, create, owner } = await setUp(t)
  const stranger = await insertUser(repository, 'mallory')
  const { key } = await create()
  for (const id of [key.id, unknownId]) {
    await t.rejects(deleteApiKey(service, id, stranger.id, { origin }), { code: 'api_key_not_found' })
    await t.rejects(rollApiKey(service, id, await principalOf(service.repository, stranger), 0, origin), { code: 'api_key_not_found' })
  }
  t.same(await listApiKeys(service, owner.id), [key], 'and nothing happened to it')
})

await t.test('a rolled key lives on for the overlap, its successor has its name, scopes and end', async (t) => {
  const { service, verifier, create, owner, clock, hearTheWord } = await setUp(t)
  const expiresAt = new Date(clock.now().getTime() + 90 * 86_400_000)
  const old = await create({ name: 'nightly', scopes: ['profile'], expiresAt })
  await verifier.verify(old.secret)
  const next = await rollApiKey(service, old.key.id, await principalOf(service.repository, owner), defaultOverlapSeconds, origin)
  hearTheWord()
  t.match(next.key, { name: 'nightly', scopes: ['profile'], expiresAt })
  t.not(next.secret, old.secret)
  await verifier.verify(next.secret)
  await clock.advance(defaultOverlapSeconds - 60)
  await verifier.verify(old.secret)
  await clock.advance(61)
  await t.rejects(verifier.verify(old.secret), { code: 'api_key_invalid' })
  await verifier.verify(next.secret)
})

await t.test('who lost the answer rolls again, and gets a key that is no worse', async (t) => {
  const { service, create, owner, clock } = await setUp(t)
  const expiresAt = new Date(clock.now().getTime() + 90 * 86_400_000)
  for (const end of [null, expiresAt]) {
    const { key } = await create({ expiresAt: end })
    for (let i = 0; i < 3; i += 1) t.same((await rollApiKey(service, key.id, await principalOf(service.repository, owner), 3600, origin)).key.expiresAt, end)
  }
})

await t.test('an overlap never prolongs a key, none ends it at once, and a key that has ended is not rolled', async (t) => {
  const { service, verifier, create, owner, clock, hearTheWord } = await setUp(t)
  const short = await create({ expiresAt: new Date(clock.now().getTime() + 60_000) })
  await rollApiKey(service, short.key.id, await principalOf(service.repository, owner), 3600, origin)
  const leaked = await create()
  await verifier.verify(leaked.secret)
  await rollApiKey(service, leaked.key.id, await principalOf(service.repository, owner), 0, origin)
  hearTheWord()
  await t.rejects(verifier.verify(leaked.secret), { code: 'api_key_invalid' })
  await clock.advance(61)
  await t.rejects(verifier.verify(short.secret), { code: 'api_key_invalid' })
  await t.rejects(rollApiKey(service, short.key.id, await principalOf(service.repository, owner), 0, origin), { code: 'api_key_not_found' }, 'its successor would be dead as well')
})

await t.test('the last use is gathered in memory and taken once', async (t) => {
  const { service, repository, verifier, create, owner, clock } = await setUp(t)
  const { key, secret } = await create()
  t.equal(verifier.takeLastUsed().size, 0)
  await verifier.verify(secret)
  await clock.advance(10)
  await verifier.verify(secret)
  const taken = verifier.takeLastUsed()
  t.same([...taken.keys()], [key.id])
  t.equal(verifier.takeLastUsed().size, 0)
  t.match(await listApiKeys(service, owner.id), [{ lastUsedAt: null }], 'nothing is written on the path of a request')
  await repository.apiKeys.touch(taken)
  t.match(await listApiKeys(service, owner.id), [{ lastUsedAt: taken.get(key.id) }])
})

await t.test('making, rolling and deleting a key is remembered, the key itself is not', async (t) => {
  const { service, repository, create, owner } = await setUp(t)
  const made = await create()
  const rolled = await rollApiKey(service, made.key.id, await principalOf(service.repository, owner), 60, origin)
  await deleteApiKey(service, rolled.key.id, owner.id, { origin })
  const events = await repository.audit.list({ before: null, limit: 10 })
  t.same(events.map(({ type }) => type), ['api_key_deleted', 'api_key_rolled', 'api_key_created'])
  t.match(events[1]?.detail, { key: made.key.id, successor: rolled.key.id, overlap_seconds: 60 })
  t.notMatch(JSON.stringify(events), /sk_live_/)
})

import { setTimeout as pause } from 'node:timers/promises'
import t from 'tap'
import { createApiKey, deleteApiKey, keysPerUser, listApiKeys } from '../../src/domain/api-keys.js'
import { revokeUser, setStatus } from '../../src/domain/operators.js'
import { scopes } from '../../src/domain/scopes.js'
import { startTestApp, type TestApp } from '../support/app.js'
import { ask, faultOf, protectedCalls, type Headers, type Prepared } from '../support/attacks.js'
import { call, footprint } from '../support/auth-client.js'
import { enter, newPerson } from '../support/dialect-clients.js'
import { times } from '../support/repository.js'

const operator = { kind: 'operator', id: 'test' } as const
const node = await startTestApp(t)
const other = await startTestApp(t, { database: node.database, clock: node.clock })
const { service } = node.core
const calls = await protectedCalls(node)

const newKey = (userId: string, changes: { scopes?: readonly string[]; expiresAt?: Date } = {}) =>
  createApiKey(service, userId, { name: 'k', scopes: null, expiresAt: null, ...changes }, { origin: null })

const ways = (key: string): Headers[] => [{ authorization: `Bearer ${key}` }, { 'x-api-key': key }]

await t.test('case 51: a key with a wrong checksum is 401 everywhere, and the database is not asked', async (t) => {
  const person = await newPerson(node)
  const { secret } = await newKey(person.id)
  const last = secret.endsWith('0') ? '1' : '0'
  const wrong = [secret.slice(0, -1) + last, secret.slice(0, 8) + last.repeat(38), secret.slice(0, -1), `${secret}0`, secret.toUpperCase(), 'sk_live_', `sk_live_${'A'.repeat(38)}`, `sk_live_${'A'.repeat(15_000)}`, 'sk_test_0123456789012345678901234567890123456789', `sk_live_${"' OR 1=1 --".padEnd(38, 'x')}`]
  let queries = 0
  const count = (): void => {
    queries += 1
  }
  const before = await footprint(node)
  node.core.pool.on('acquire', count)
  let asked = 0
  for (const key of wrong) {
    for (const one of calls) {
      for (const headers of ways(key)) {
        asked += 1
        const heard = await ask(node, one, headers)
        const isAccessToken = 'authorization' in headers && !key.startsWith('sk_live_')
        const due = isAccessToken && one.path.startsWith('/users/') ? 403 : 401
        // Two words after Bearer are no token.
        const isUnusable = key.includes(' ') && 'authorization' in headers && one.path.startsWith('/users/')
        if (heard.status !== (isUnusable ? 403 : due) || faultOf(heard) !== null) t.fail(`${one.method} ${one.path}: ${heard.status} ${heard.text}`)
      }
    }
  }
  node.core.pool.off('acquire', count)
  t.ok(queries * 10 <= asked, `${queries} queries in ${asked} calls`)
  t.equal(await footprint(node), before)
})

const me: Prepared = { method: 'GET', path: '/users/me' }
const statusWith = async (on: TestApp, key: string): Promise<number> => (await ask(on, me, { 'x-api-key': key })).status

/** @returns after how long the node refused the key. Milliseconds. */
async function refusedAfter(on: TestApp, key: string): Promise<number> {
  const startedAt = performance.now()
  while ((await statusWith(on, key)) !== 401) {
    if (performance.now() - startedAt > 10_000) throw new Error('the key lives on')
    await pause(5)
  }
  return performance.now() - startedAt
}

await t.test('case 52: a key that is deleted, expired or silenced is 401 everywhere, on every node, within a second', async (t) => {
  const ends: Record<string, (userId: string, keyId: string) => Promise<unknown>> = {
    deleted: (userId, keyId) => deleteApiKey(service, keyId, userId, { origin: null }),
    'its owner suspended': (userId) => setStatus(service, userId, 'suspended', operator),
    'its owner revoked': (userId) => revokeUser(service, userId, operator),
    expired: () => node.clock.advance(61),
  }
  for (const [what, end] of Object.entries(ends)) {
    const person = await newPerson(node)
    const { key, secret } = await newKey(person.id, { expiresAt: new Date(node.clock.now().getTime() + 60_000) })
    t.same([await statusWith(node, secret), await statusWith(other, secret)], [200, 200])
    await end(person.id, key.id)
    t.equal(await statusWith(node, secret), 401, `${what}: at once where it happened`)
    const elsewhereMs = await refusedAfter(other, secret)
    t.ok(elsewhereMs < 1000, `${what}: after ${elsewhereMs.toFixed(0)} ms on the other node`)
    for (const on of [node, other]) {
      for (const one of calls) {
        for (const headers of ways(secret)) {
          const heard = await ask(on, one, headers)
          if (heard.status !== 401 || faultOf(heard) !== null) t.fail(`${what}: ${one.method} ${one.path}: ${heard.status} ${heard.text}`)
        }
      }
    }
  }
})

await t.test('case 53: the id of another user’s key is the same 404 as one that nobody has', async (t) => {
  const [mine, theirs] = [await newPerson(node), await newPerson(node)]
  const { key, secret } = await newKey(theirs.id)
  const headers = { authorization: `Bearer ${(await enter(node, 'bearer', mine)).accessToken}` }
  for (const [method, tail] of [['DELETE', ''], ['POST', '/roll']] as const) {
    const [of, none] = [await call(node, `/api/v1/auth/keys/key_${key.id}${tail}`, { method, headers }), await call(node, `/api/v1/auth/keys/key_01890000-0000-7000-8000-000000000000${tail}`, { method, headers })]
    t.same([of.status, of.text], [404, '{"error":"API key not found"}'])
    t.same([of.status, of.text], [none.status, none.text])
  }
  t.equal(await statusWith(node, secret), 200)
})

await t.test('case 54: the list shows a hint of a key and never the key', async (t) => {
  const person = await newPerson(node)
  const keys = [await newKey(person.id), await newKey(person.id)]
  const { text, json } = await call(node, '/api/v1/auth/keys', { method: 'GET', headers: { authorization: `Bearer ${(await enter(node, 'bearer', person)).accessToken}` } })
  t.equal((json as unknown[]).length, 2)
  for (const { secret, key } of keys) {
    // Four letters more than every key begins with.
    t.equal(key.hint.length, 'sk_live_…'.length + 4)
    t.notOk(text.includes(secret.slice(8, 16)) || text.includes(secret.slice(-8)))
  }
})

await t.test('case 55: no key, whatever its scopes, mints, rolls or deletes keys, logs out, ends sessions or changes credentials', async (t) => {
  const person = await newPerson(node, { role: 'admin' })
  const { key, secret } = await newKey(person.id, { scopes: Object.keys(scopes) })
  const tokens = await enter(node, 'pin', person)
  const before = await footprint(node)
  const forbidden = calls
    // Source 003 lets whoever is authenticated list the keys of the account; with one of them too.
    .filter(({ method, path }) => (path.startsWith('/api/v1/') && method !== 'GET') || path === '/auth/logout' || (path.startsWith('/users/me') && !(method === 'GET' && path === '/users/me')))
    .map((one) => ({ ...one, path: one.path.replace(/key_[0-9a-f-]{36}/, `key_${key.id}`) }))
  t.ok(forbidden.length >= 13)
  for (const one of forbidden) {
    for (const headers of ways(secret)) {
      const heard = await ask(node, one, { ...headers, cookie: `accessToken=${tokens.accessToken}; refreshToken=${tokens.refreshToken}` })
      t.equal(heard.status, 403, `${one.method} ${one.path}`)
      t.equal(faultOf(heard), null)
    }
  }
  t.equal(await footprint(node), before)
  t.equal((await listApiKeys(service, person.id)).length, 1)
})

await t.test('case 56: the quota of keys holds when they are made at once, on two nodes', async (t) => {
  const person = await newPerson(node)
  // One after the other: a hundred at once would be about the pool of connections.
  for (let i = 0; i < keysPerUser - 3; i += 1) await newKey(person.id)
  const headers = { authorization: `Bearer ${(await enter(node, 'bearer', person)).accessToken}` }
  const answers = await Promise.all(times(20, (i) => call(i % 2 === 0 ? node : other, '/api/v1/auth/keys', { headers })))
  t.equal(answers.filter(({ status }) => status === 201).length, 3)
  t.equal(answers.filter(({ status }) => status === 409).length, 17)
  t.equal((await listApiKeys(service, person.id)).length, keysPerUser)
  const [first] = await listApiKeys(service, person.id)
  const rolled = await Promise.all(times(4, () => call(node, `/api/v1/auth/keys/key_${first?.id ?? ''}/roll`, { headers })))
  t.same(rolled.map(({ status }) => status).sort(), [201, 409, 409, 409], 'the key that is about to end makes room for its successor, once')
})

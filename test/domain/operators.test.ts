import argon2 from 'argon2'
import t from 'tap'
import { createApiKey } from '../../src/domain/api-keys.js'
import type { Actor, User } from '../../src/domain/model.js'
import * as operators from '../../src/domain/operators.js'
import { startTestApp, type TestApp } from '../support/app.js'
import { clientOf, fateOf, keyFate, lastEvent } from '../support/clients.js'
import { logIn } from '../support/log-in.js'
import { untilSomebodyWaits } from '../support/repository.js'

const actor: Actor = { kind: 'operator', id: 'cli:ada' }
const password = 'a password of enough length'

const newKey = async ({ core }: TestApp, user: User) =>
  (await createApiKey(core.service, user.id, { name: 'a key', scopes: null, expiresAt: null }, { origin: null, operator: actor.id })).secret

let people = 0
/** Somebody with a username, an email, a password and a PIN. */
async function somebody(node: TestApp): Promise<User & { username: string; email: string }> {
  people += 1
  const names = { username: `user${people}`, email: `user${people}@example.com` }
  return { ...(await node.createUser({ ...names, password, pin: '1234' })), ...names }
}

const nobody = { username: null, email: null, password: null, pin: null, role: 'user' } as const

void t.test('operators', async (t) => {
  const node = await startTestApp(t)
  const { service } = node.core

  await t.test('a created user logs in by every name and secret', async (t) => {
    const user = await operators.createUser(service, { username: 'Ada.Lovelace', email: 'Ada@Example.com', password, pin: '4711', role: 'admin' }, actor)
    t.match(user, { username: 'Ada.Lovelace', email: 'Ada@Example.com', role: 'admin', status: 'active', emailVerified: false })
    t.match(await lastEvent(node), { type: 'user_created', actor, userId: user.id, detail: { role: 'admin' } })
    t.equal(await fateOf(logIn(node, 'ada.lovelace', password)), 'alive')
    t.equal(await fateOf(logIn(node, 'ADA@example.COM', password)), 'alive')
    t.equal(await fateOf(logIn(node, 'ada.lovelace', '4711', 'pin')), 'alive')
    t.equal(await fateOf(logIn(node, 'ada.lovelace', '4712', 'pin')), 'invalid_credentials')
  })

  await t.test('a new account is judged before anything is written', async (t) => {
    const hash = await argon2.hash(password, { memoryCost: 1024, timeCost: 1 })
    const refusals: [Partial<operators.NewAccount>, RegExp][] = [
      [{ username: null }, /a user needs a username, an email or both/],
      [{ username: null, email: 'grace@example.com', pin: '1234' }, /a PIN is used with a username/],
      [{ username: 'grace@example.com' }, /username must not contain @/],
      [{ username: 'grace\u200b' }, /username may have letters/],
      [{ username: 'gr\u0430ce' }, /scripts that look alike/],
      [{ email: 'nowhere' }, /email must be an address/],
      [{ password: '7 chars' }, /password must have 8 to 128 characters/],
      [{ password: '\u{1f511}'.repeat(129) }, /password must have 8 to 128/],
      [{ pin: '123' }, /pin must have 4 to 12 digits/],
      [{ pin: '１２３４' }, /pin must have 4 to 12 digits/],
      [{ password, passwordHash: hash }, /a password or the hash of one, not both/],
      [{ passwordHash: hash.replace('argon2id', 'argon2i') }, /password_hash must be an argon2id hash/],
      [{ passwordHash: hash.replace('v=19', 'v=16') }, /password_hash must be an argon2id hash/],
      [{ passwordHash: `${hash}=` }, /password_hash must be an argon2id hash/],
      [{ passwordHash: hash.replace('m=1024', 'm=1') }, /password_hash must be an argon2id hash/],
      [{ passwordHash: '$2b$10$abcdefghijklmnopqrstuv' }, /password_hash must be an argon2id hash/],
      [{ passwordHash: hash.replace('m=1024', 'm=1048576') }, /password_hash costs too much/],
      [{ passwordHash: hash.replace('t=1', 't=1000') }, /password_hash costs too much/],
    ]
    for (const [changes, reason] of refusals) {
      await t.rejects(operators.createUser(service, { ...nobody, username: 'grace', ...changes }, actor), { code: 'malformed', message: reason })
    }
    t.equal(await fateOf(operators.findUser(service, { username: 'grace' })), 'not_found')
  })

  await t.test('a name that is taken, in whatever spelling, is a conflict', async (t) => {
    const { id } = await operators.createUser(service, { ...nobody, username: 'Taken', email: 'taken@example.com' }, actor)
    t.equal(await fateOf(operators.createUser(service, { ...nobody, username: 'ＴＡＫＥＮ' }, actor)), 'conflict')
    t.equal(await fateOf(operators.createUser(service, { ...nobody, username: 'other', email: 'TAKEN@example.com' }, actor)), 'conflict')
    t.equal(await fateOf(operators.findUser(service, { username: 'other' })), 'not_found', 'and nothing is left of the attempt')
    for (const reference of [{ id }, { username: 'tAKEN' }, { email: 'Taken@EXAMPLE.com' }]) {
      t.equal((await operators.findUser(service, reference)).id, id)
    }
    for (const reference of [{ id: 'taken' }, { username: 'taken@example.com' }, { email: 'taken' }, { username: '' }]) {
      t.equal(await fateOf(operators.findUser(service, reference)), 'not_found')
    }
  })

  await t.test('suspension ends sessions and silences keys at once; activation gives back the keys alone', async (t) => {
    const user = await somebody(node)
    const key = await newKey(node, user)
    const client = await clientOf(node, user.username, password)
    t.equal(await client.access(), 'alive')
    t.equal(await keyFate(node, key), 'alive')

    await operators.setStatus(service, user.id, 'suspended', actor)
    t.match(await lastEvent(node), { type: 'user_suspended', userId: user.id, actor })
    t.equal(await client.access(), 'access_token_invalid')
    t.equal(await client.refresh(), 'refresh_invalid')
    t.equal(await keyFate(node, key), 'api_key_invalid')
    t.equal(await fateOf(logIn(node, user.username, password)), 'invalid_credentials')

    await operators.setStatus(service, user.id, 'active', actor)
    t.match(await lastEvent(node), { type: 'user_activated', userId: user.id, actor })
    t.equal(await client.access(), 'access_token_invalid')
    t.equal(await client.refresh(), 'refresh_invalid')
    t.equal(await keyFate(node, key), 'alive')
    t.equal(await fateOf(logIn(node, user.username, password)), 'alive')
  })

  await t.test('a deleted user is gone with sessions and keys, and the name is free again', async (t) => {
    const user = await somebody(node)
    const key = await newKey(node, user)
    const client = await clientOf(node, user.username, password)
    t.equal(await keyFate(node, key), 'alive')
    await operators.deleteUser(service, user.id, actor)
    t.match(await lastEvent(node), { type: 'user_deleted', userId: user.id, actor })
    t.equal(await client.access(), 'access_token_invalid')
    t.equal(await client.refresh(), 'refresh_invalid')
    t.equal(await keyFate(node, key), 'api_key_invalid')
    t.not(await fateOf(logIn(node, user.username, password)), 'alive')
    t.equal(await fateOf(operators.deleteUser(service, user.id, actor)), 'not_found')
    t.not((await node.createUser({ username: user.username })).id, user.id)
  })

  await t.test('a deletion waits for a login that is under way, and does not stand in its way', async (t) => {
    const user = await somebody(node)
    await logIn(node, user.username, password)
    const [login, probe] = [await node.database.client(), await node.database.client()]
    await login.query('BEGIN')
    await login.query('UPDATE attempts SET failures = 0 WHERE subject = $1', [user.id]) // as a login that succeeds begins
    const deleted = fateOf(operators.deleteUser(service, user.id, actor))
    await untilSomebodyWaits(node.core.pool)
    await t.resolves(probe.query('SELECT 1 FROM users WHERE id = $1 FOR UPDATE NOWAIT', [user.id]), 'as it goes on')
    await login.query('COMMIT')
    t.equal(await deleted, 'alive')
    t.same((await probe.query('SELECT 1 FROM attempts WHERE subject = $1', [user.id])).rows, [])
  })

  await t.test('revoke ends sessions and deletes keys; the user may log in again', async (t) => {
    const user = await somebody(node)
    const keys = [await newKey(node, user), await newKey(node, user)]
    const client = await clientOf(node, user.username, password)
    await operators.revokeUser(service, user.id, actor)
    t.match(await lastEvent(node), { type: 'user_revoked', userId: user.id, actor })
    t.equal(await client.access(), 'access_token_invalid')
    t.equal(await client.refresh(), 'refresh_invalid')
    for (const key of keys) t.equal(await keyFate(node, key), 'api_key_invalid')
    t.strictSame(await service.repository.apiKeys.list(user.id), [])
    t.equal(await fateOf(logIn(node, user.username, password)), 'alive')
  })

  await t.test('a new role ends access tokens and leaves sessions', async (t) => {
    const user = await somebody(node)
    const client = await clientOf(node, user.username, password)
    await operators.setRole(service, user, 'admin', actor)
    t.match(await lastEvent(node), { type: 'user_role_changed', userId: user.id, actor })
    t.equal(await client.access(), 'access_token_invalid')
    t.equal(await client.refresh(), 'alive')
    const { accessToken: token } = await logIn(node, user.username, password)
    const principal = await node.app.identity.authenticate({ kind: 'access_token', token, via: 'header' })
    t.ok(principal.scopes.includes('admin'))
  })

  await t.test('a password that an operator sets replaces the old one and ends the sessions', async (t) => {
    const user = await somebody(node)
    const client = await clientOf(node, user.username, password)
    t.equal(await fateOf(operators.setPassword(service, user.id, 'short', actor)), 'malformed')
    t.equal(await client.access(), 'alive', 'a refused one changes nothing')
    await operators.setPassword(service, user.id, 'another good password', actor)
    t.match(await lastEvent(node), { type: 'password_changed', userId: user.id, actor })
    t.equal(await client.access(), 'access_token_invalid')
    t.equal(await client.refresh(), 'refresh_invalid')
    t.equal(await fateOf(logIn(node, user.username, password)), 'invalid_credentials')
    t.equal(await fateOf(logIn(node, user.username, 'another good password')), 'alive')
  })

  await t.test('a locked account opens when an operator unlocks it', async (t) => {
    const user = await somebody(node)
    for (let failures = 0; failures < 6; failures += 1) await fateOf(logIn(node, user.username, 'wrong password'))
    t.equal(await fateOf(logIn(node, user.username, password)), 'invalid_credentials', 'it is locked')
    await operators.unlockUser(service, user.id, actor)
    t.match(await lastEvent(node), { type: 'user_unlocked', userId: user.id, actor })
    t.equal(await fateOf(logIn(node, user.username, password)), 'alive')
  })

  await t.test('a PIN that was closed by guessing opens with a new PIN, not with an unlock', async (t) => {
    const user = await somebody(node)
    for (let failures = 0; failures < 10; failures += 1) {
      await fateOf(logIn(node, user.username, '9999', 'pin'))
      await operators.unlockUser(service, user.id, actor)
    }
    t.equal(await fateOf(logIn(node, user.username, '1234', 'pin')), 'invalid_credentials', 'it is closed')
    t.equal(await fateOf(logIn(node, user.username, password)), 'alive', 'the password is not')
    t.equal(await fateOf(operators.setPinOf(service, user, '12a4', actor)), 'malformed')
    await operators.setPinOf(service, user, '2345', actor)
    t.match(await lastEvent(node), { type: 'pin_changed', userId: user.id, actor })
    t.equal(await fateOf(logIn(node, user.username, '2345', 'pin')), 'alive')
    const nameless = await node.createUser({ email: 'nameless@example.com' })
    t.equal(await fateOf(operators.setPinOf(service, nameless, '1234', actor)), 'malformed')
  })

  await t.test('a second factor that is lost can be taken away', async (t) => {
    const user = await somebody(node)
    t.equal(await operators.resetTotp(service, user.id, actor), false, 'there was none')
    await service.repository.credentials.enableTotp(user.id, service.keyring.seal('totp', Buffer.alloc(20), user.id), 0, [])
    t.equal(await fateOf(logIn(node, user.username, password)), 'invalid_otp')
    t.equal(await operators.resetTotp(service, user.id, actor), true)
    t.match(await lastEvent(node), { type: 'totp_disabled', userId: user.id, actor })
    t.equal(await fateOf(logIn(node, user.username, password)), 'alive')
  })

  await t.test('one session is ended, once', async (t) => {
    const user = await somebody(node)
    const client = await clientOf(node, user.username, password)
    const other = await clientOf(node, user.username, password)
    const [, session] = await service.repository.sessions.listAlive(user.id)
    await operators.endSessionOf(service, session?.id ?? '', actor)
    t.match(await lastEvent(node), { type: 'session_ended', userId: user.id, sessionId: session?.id, actor, detail: { because: 'ended_by_operator' } })
    t.equal(await client.access(), 'access_token_invalid')
    t.equal(await other.access(), 'alive')
    t.equal(await fateOf(operators.endSessionOf(service, session?.id ?? '', actor)), 'not_found')
    t.equal(await fateOf(operators.endSessionOf(service, 'no id', actor)), 'not_found')
  })

  await t.test('revoking everything ends every session of everybody, and no key', async (t) => {
    const [one, another] = [await somebody(node), await somebody(node)]
    const key = await newKey(node, one)
    const clients = [await clientOf(node, one.username, password), await clientOf(node, another.username, '1234', 'pin')]
    await operators.revokeEverything(service, actor)
    t.match(await lastEvent(node), { type: 'everything_revoked', actor })
    for (const client of clients) {
      t.equal(await client.access(), 'access_token_invalid')
      t.equal(await client.refresh(), 'refresh_invalid')
    }
    t.equal(await keyFate(node, key), 'alive')
    t.equal(await (await clientOf(node, one.username, password)).access(), 'alive', 'who logs in again is in')
  })

  await t.test('what cannot be recorded is not done', async (t) => {
    const user = await somebody(node)
    const client = await clientOf(node, user.username, password)
    const refused = new Error('no audit, no change')
    const { repository } = service
    const transaction: typeof repository.transaction = (work) =>
      repository.transaction((tx) => work({ ...tx, audit: { ...tx.audit, append: () => Promise.reject(refused) } }))
    const unrecorded = { ...service, repository: { ...repository, transaction } }
    await t.rejects(operators.setStatus(unrecorded, user.id, 'suspended', actor), refused)
    await t.rejects(operators.setPassword(unrecorded, user.id, 'another good password', actor), refused)
    await t.rejects(operators.createUser(unrecorded, { ...nobody, username: 'halfway' }, actor), refused)
    t.equal(await fateOf(operators.findUser(service, { username: 'halfway' })), 'not_found')
    t.equal(await client.access(), 'alive')
    t.equal(await client.refresh(), 'alive')
    t.equal(await fateOf(logIn(node, user.username, password)), 'alive')
  })

  await t.test('a hash from elsewhere opens the account, and is made anew at the first login', async (t) => {
    const passwordHash = await argon2.hash(password, { memoryCost: 2048, timeCost: 2, parallelism: 2 })
    const user = await operators.createUser(service, { ...nobody, username: 'imported', passwordHash, status: 'suspended' }, actor)
    t.equal(user.status, 'suspended')
    t.equal(await fateOf(logIn(node, 'imported', password)), 'invalid_credentials')
    await operators.setStatus(service, user.id, 'active', actor)
    t.equal(await fateOf(logIn(node, 'imported', 'wrong password')), 'invalid_credentials')
    t.equal(await fateOf(logIn(node, 'imported', password)), 'alive')
    const record = await service.repository.users.findForReauthentication(user.id, '')
    t.match(record?.passwordHash, /\$m=1024,t=1,p=1\$/)
    t.equal(await fateOf(logIn(node, 'imported', password)), 'alive')
  })
})

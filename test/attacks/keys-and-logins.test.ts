import t, { type Test } from 'tap'
import { logIn, newApiKey, password, send, somebody, type Answer } from '../support/account.js'
import { startTestApp, type TestApp } from '../support/app.js'
import { enableTotp } from '../support/auth-client.js'
import { lastEvent } from '../support/clients.js'
import { clients, enter, newPerson } from '../support/dialect-clients.js'

const node = await startTestApp(t)
const { apiKeys } = node.core.service.repository

const byPinAlone = { error: 'a login by PIN alone makes no API keys: log in with your password, or with your PIN and a second factor' }

const mint = (on: TestApp, headers: Readonly<Record<string, string>>) => send(on, { method: 'POST', path: '/api/v1/auth/keys', headers })
const roll = (on: TestApp, keyId: string, headers: Readonly<Record<string, string>>) => send(on, { method: 'POST', path: `/api/v1/auth/keys/key_${keyId}/roll`, headers })

async function keyIdOf(userId: string): Promise<string> {
  await newApiKey(node, userId)
  return (await apiKeys.list(userId))[0]?.id ?? ''
}

await t.test('a session that was opened by a PIN alone makes and rolls no API keys, by cookie or by Bearer [attack:key-by-pin-alone]', async (t) => {
  const person = await newPerson(node)
  const keyId = await keyIdOf(person.id)
  const { accessToken, refreshToken } = await enter(node, 'pin', person)
  const refreshed = clients.pin.tokensOf(await clients.pin.refresh(node, refreshToken)).accessToken
  for (const token of [accessToken, refreshed]) {
    const ways: Readonly<Record<string, string>>[] = [{ cookie: `accessToken=${token}` }, { authorization: `Bearer ${token}` }]
    for (const headers of ways) {
      t.match(await mint(node, headers), { status: 403, body: byPinAlone })
      t.match(await roll(node, keyId, headers), { status: 403, body: byPinAlone })
    }
  }
  t.equal((await apiKeys.list(person.id)).length, 1, 'there is the one of before')
  t.equal((await apiKeys.list(person.id))[0]?.expiresAt, null, 'and it does not end')
})

await t.test('what takes nothing but a session, a PIN alone still does', async (t) => {
  const person = await newPerson(node)
  const keyId = await keyIdOf(person.id)
  const headers = { cookie: `accessToken=${(await enter(node, 'pin', person)).accessToken}` }
  t.equal((await send(node, { path: '/api/v1/auth/keys', headers })).status, 200)
  t.equal((await send(node, { method: 'DELETE', path: `/api/v1/auth/keys/key_${keyId}`, headers })).status, 204)
  t.equal((await send(node, { method: 'DELETE', path: '/users/me/sessions', headers })).status, 204)
})

await t.test('a PIN with a second factor, and a password in every dialect, make and roll keys', async (t) => {
  const strong = await newPerson(node)
  const code = await enableTotp(node, strong.id)
  const { accessToken } = clients.pin.tokensOf(await clients.pin.login(node, strong, code()))
  t.equal((await mint(node, { cookie: `accessToken=${accessToken}` })).status, 201, 'a PIN and a code')
  for (const dialect of ['directus', 'bearer', 'tokenset'] as const) {
    const person = await newPerson(node)
    const headers = { authorization: `Bearer ${(await enter(node, dialect, person)).accessToken}` }
    t.equal((await mint(node, headers)).status, 201, dialect)
    t.equal((await roll(node, await keyIdOf(person.id), headers)).status, 201, dialect)
  }
})

await t.test('API_KEY_MAX_AGE asks for a recent login, which a refresh is not [attack:key-after-an-old-login]', async (t) => {
  const own = await startTestApp(t, { environment: { API_KEY_MAX_AGE: '10m' } })
  const tooOld = { error: 'your last login is more than 10 minutes ago: log in again to make API keys' }
  const person = await newPerson(own)
  let tokens = await enter(own, 'bearer', person)
  const bearer = () => ({ authorization: `Bearer ${tokens.accessToken}` })
  t.equal((await mint(own, bearer())).status, 201)
  const keyId = (await own.core.service.repository.apiKeys.list(person.id))[0]?.id ?? ''
  await own.clock.advance(590)
  t.equal((await roll(own, keyId, bearer())).status, 201, 'just in time')
  await own.clock.advance(20)
  tokens = clients.bearer.tokensOf(await clients.bearer.refresh(own, tokens.refreshToken))
  t.match(await mint(own, bearer()), { status: 403, body: tooOld })
  t.match(await roll(own, keyId, bearer()), { status: 403, body: tooOld })
  t.equal((await send(own, { path: '/api/v1/auth/keys', headers: bearer() })).status, 200, 'the list does not ask for it')
  t.equal((await send(own, { method: 'DELETE', path: `/api/v1/auth/keys/key_${keyId}`, headers: bearer() })).status, 204, 'nor does a deletion')
  tokens = await enter(own, 'bearer', person)
  t.equal((await mint(own, bearer())).status, 201, 'after a new login')
})

await t.test('without API_KEY_MAX_AGE any session that lives makes keys, as source 003 has it', async (t) => {
  const own = await startTestApp(t)
  let tokens = await enter(own, 'bearer', await newPerson(own))
  await own.clock.advance(20 * 86_400)
  tokens = clients.bearer.tokensOf(await clients.bearer.refresh(own, tokens.refreshToken))
  t.equal((await mint(own, { authorization: `Bearer ${tokens.accessToken}` })).status, 201)
})

const remaining = ({ headers }: Answer) => headers.get('x-api-keys-remaining')

/** All that ends the other sessions of a user, and can end the API keys. */
const enders: Record<string, (token: string, endKeys?: boolean) => Promise<Answer>> = {
  password_changed: (token, endKeys) => send(node, { method: 'POST', path: '/users/me/password', token, body: { current: password, new: 'another good password', end_keys: endKeys } }),
  pin_changed: (token, endKeys) => send(node, { method: 'POST', path: '/users/me/pin', token, body: { password, pin: '471100', end_keys: endKeys } }),
  sessions_ended: (token, endKeys) => send(node, { method: 'DELETE', path: `/users/me/sessions${endKeys === undefined ? '' : `?end_keys=${endKeys}`}`, token }),
}

/** A user with two keys that live and one that has expired. */
async function withKeys() {
  const person = await somebody(node)
  const secrets = [await newApiKey(node, person.id), await newApiKey(node, person.id)]
  await newApiKey(node, person.id)
  await node.core.pool.query(`UPDATE api_keys SET expires_at = now() - interval '1 day' WHERE id = (SELECT max(id::text)::uuid FROM api_keys WHERE user_id = $1)`, [person.id])
  return { ...person, secrets }
}

const statusesOf = (on: TestApp, secrets: readonly string[]) => Promise.all(secrets.map(async (key) => (await send(on, { path: '/users/me', headers: { 'x-api-key': key } })).status))

for (const [event, end] of Object.entries(enders)) {
  await t.test(`${event}: keys live on unless end_keys is true; answer and audit event say how many [attack:keys-that-outlive-a-new-password]`, async (t) => {
    for (const endKeys of [undefined, false]) {
      const { token, secrets } = await withKeys()
      const answer = await end(token, endKeys)
      t.strictSame([answer.status, answer.text, remaining(answer)], [204, '', '2'])
      t.strictSame(await statusesOf(node, secrets), [200, 200])
      t.match(await lastEvent(node), { type: event, detail: { api_keys_ended: 0, api_keys_remaining: 2 } })
    }
    const { id, token, secrets } = await withKeys()
    const bystander = await newApiKey(node, (await somebody(node)).id)
    t.strictSame(await statusesOf(node, secrets), [200, 200], 'they are in memory')
    const answer = await end(token, true)
    t.strictSame([answer.status, answer.text, remaining(answer)], [204, '', '0'])
    t.strictSame(await statusesOf(node, secrets), [401, 401])
    t.equal((await apiKeys.list(id)).length, 0)
    t.match(await lastEvent(node), { type: event, userId: id, detail: { api_keys_ended: 2, api_keys_remaining: 0 } })
    t.strictSame(await statusesOf(node, [bystander]), [200], 'the key of somebody else lives')
    t.equal((await send(node, { path: '/users/me', token })).status, 200, 'the session that asked lives on')
  })
}

await t.test('end_keys comes in a body of DELETE too; twice, or as no boolean, it is refused and nothing ends', async (t) => {
  const { username, token, secrets } = await withKeys()
  const second = await logIn(node, username)
  const ask = (query: string, body?: unknown) => send(node, { method: 'DELETE', path: `/users/me/sessions${query}`, token, body })
  const refusals: [query: string, body?: unknown][] = [['?end_keys=true', { end_keys: true }], ['?end_keys=perhaps'], ['?end_keys=true&end_keys=false'], ['', { end_keys: 'true' }], ['', { end_keys: 1 }], ['', '{broken'], ['', '[]']]
  for (const [query, body] of refusals) t.equal((await ask(query, body)).status, 400, `${query} ${JSON.stringify(body)}`)
  t.equal((await send(node, { method: 'POST', path: '/users/me/password', token, body: { current: password, new: 'another good password', end_keys: 'yes' } })).status, 400)
  t.strictSame(await statusesOf(node, secrets), [200, 200])
  t.equal((await send(node, { path: '/users/me', token: second.accessToken })).status, 200, 'the other session lives')
  const done = await ask('', { end_keys: true })
  t.strictSame([done.status, remaining(done)], [204, '0'])
  t.strictSame(await statusesOf(node, secrets), [401, 401])
})

await t.test('a wrong password ends no key', async (t: Test) => {
  const { token, secrets } = await withKeys()
  const answer = await send(node, { method: 'POST', path: '/users/me/password', token, body: { current: 'wrong', new: 'another good password', end_keys: true } })
  t.strictSame([answer.status, remaining(answer)], [401, null])
  t.strictSame(await statusesOf(node, secrets), [200, 200])
})

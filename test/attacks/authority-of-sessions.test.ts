import t from 'tap'
import { deleteUser, endSessionOf, revokeEverything, revokeUser, setNames, setRole, setStatus } from '../../src/domain/operators.js'
import { logIn, newApiKey, password, send, somebody, type Call, type Person } from '../support/account.js'
import { startTestApp } from '../support/app.js'
import { postForm } from '../support/oauth.js'
import { askWhileEnding, beUnhurried, holdBy } from '../support/standstill.js'

const operator = { kind: 'operator', id: 'test' } as const
const node = await startTestApp(t)
const other = await startTestApp(t, { database: node.database, clock: node.clock })
for (const one of [node, other]) beUnhurried(one)
const { service } = node.core

type End = () => Promise<unknown>

/** All that ends the word of a session, got ready, through another node than the one that is asked. */
const ends = {
  'a suspension': ({ id }) => () => setStatus(service, id, 'suspended', operator),
  'the revocation of the user': ({ id }) => () => revokeUser(service, id, operator),
  'the deletion of the user': ({ id }) => () => deleteUser(service, id, operator),
  'a change of role': async ({ id }) => {
    const user = await find(id)
    return () => setRole(service, user, 'admin', operator)
  },
  'a change of names': async ({ id }) => {
    const user = await find(id)
    return () => setNames(service, user, { emailVerified: true }, operator)
  },
  'the end of the session by an operator': ({ grant }) => () => endSessionOf(service, grant.state.session.id, operator),
  'a logout': ({ grant }) => () => send(node, { method: 'POST', path: '/auth/logout', body: { refresh_token: grant.refreshToken } }),
  'the end of all others by another session': async ({ username }) => {
    const { accessToken: token } = await logIn(node, username)
    return () => send(node, { method: 'DELETE', path: '/users/me/sessions', token })
  },
  'a change of password by another session': async ({ username }) => {
    const { accessToken: token } = await logIn(node, username)
    return () => send(node, { method: 'POST', path: '/users/me/password', token, body: { current: password, new: 'another good password' } })
  },
  'the end of the access token alone': async ({ token }) => {
    const admin = await node.createUser({ username: `revoker.${(revokers += 1)}`, password, role: 'admin' })
    const key = await newApiKey(node, admin.id, ['revoke'])
    return () => postForm(node, '/oauth/revoke', { form: { token }, headers: { 'x-api-key': key } })
  },
  'the end of everything': () => () => revokeEverything(service, operator),
} satisfies Record<string, (person: Person) => End | Promise<End>>

let revokers = 0

async function find(id: string) {
  const user = await service.repository.users.find(id)
  if (user === null) throw new Error('the user is gone')
  return user
}

/** What a session may change, and how each is told that it has ended. */
const changes: Record<string, { call: (person: Person) => Call | Promise<Call>; status: number }> = {
  'an API key is made': { call: () => ({ method: 'POST', path: '/api/v1/auth/keys' }), status: 401 },
  'an API key is rolled': { call: async ({ id }) => ({ method: 'POST', path: `/api/v1/auth/keys/key_${await keyOf(id)}/roll` }), status: 401 },
  'an API key is deleted': { call: async ({ id }) => ({ method: 'DELETE', path: `/api/v1/auth/keys/key_${await keyOf(id)}` }), status: 401 },
  'another session is ended': { call: async ({ username }) => ({ method: 'DELETE', path: `/users/me/sessions/${(await logIn(node, username)).state.session.id}` }), status: 403 },
  'all others are ended': { call: () => ({ method: 'DELETE', path: '/users/me/sessions?end_keys=true' }), status: 403 },
  'the PIN is set': { call: () => ({ method: 'POST', path: '/users/me/pin', body: { password, pin: '471100' } }), status: 403 },
  'a second factor is generated': { call: () => ({ method: 'POST', path: '/users/me/tfa/generate', body: { password } }), status: 403 },
}

async function keyOf(userId: string): Promise<string> {
  await newApiKey(node, userId)
  const [key] = await service.repository.apiKeys.list(userId)
  return key?.id ?? ''
}

/** What a session of the user could have changed. */
async function belongings(userId: string): Promise<unknown> {
  const { rows } = await node.core.pool.query(`
    SELECT (SELECT json_agg(k ORDER BY id) FROM api_keys k WHERE user_id = $1) AS keys, (SELECT json_agg(p) FROM pins p WHERE user_id = $1) AS pin,
      (SELECT count(*) FROM totp_enrolments e JOIN sessions s ON s.id = e.session_id WHERE s.user_id = $1) AS enrolments`, [userId])
  return rows[0]
}

for (const [end, prepare] of Object.entries(ends)) {
  await t.test(`an API key that is asked for while ${end} is under way is not made [attack:key-minted-after-revocation]`, async (t) => {
    const person = await somebody(node)
    const answer = await askWhileEnding(node, await prepare(person), () => send(other, { method: 'POST', path: '/api/v1/auth/keys', token: person.token }))
    t.match(answer, { status: 401, body: { error: 'Authentication required' } })
    t.equal((await service.repository.apiKeys.list(person.id)).length, 0, 'there is no key')
  })
}

for (const [what, { call, status }] of Object.entries(changes)) {
  for (const end of ['a suspension', 'a logout'] as const) {
    await t.test(`nothing changes when ${what} during ${end} [attack:change-after-the-session-ended]`, async (t) => {
      const person = await somebody(node)
      const asked = await call(person)
      const before = await belongings(person.id)
      const answer = await askWhileEnding(node, ends[end](person), () => send(other, { ...asked, token: person.token }))
      t.ok([status, 401].includes(answer.status), `${answer.status} ${answer.text}`)
      t.strictSame(await belongings(person.id), before)
    })
  }
}

await t.test('a request that waits for something else keeps the end of its own session from nothing, and changes nothing after it', async (t) => {
  const person = await somebody(node)
  const keys = await holdBy(node, 'LOCK TABLE api_keys IN SHARE ROW EXCLUSIVE MODE')
  const asked = send(other, { method: 'POST', path: '/api/v1/auth/keys', token: person.token })
  await keys.until(1)
  t.equal((await send(node, { method: 'POST', path: '/auth/logout', body: { refresh_token: person.grant.refreshToken } })).status, 204, 'the logout does not wait')
  await keys.release()
  t.equal((await asked).status, 401)
  t.equal((await service.repository.apiKeys.list(person.id)).length, 0)
})

await t.test('a session that lives changes what it may, while others of the user end', async (t) => {
  const person = await somebody(node)
  const second = await logIn(node, person.username)
  const answer = await askWhileEnding(node, () => send(node, { method: 'DELETE', path: `/users/me/sessions/${second.state.session.id}`, token: person.token }), () => send(other, { method: 'POST', path: '/api/v1/auth/keys', token: person.token }))
  t.equal(answer.status, 201)
  t.equal((await service.repository.apiKeys.list(person.id)).length, 1)
})

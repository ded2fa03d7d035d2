import t from 'tap'
import { deleteApiKey } from '../../src/domain/api-keys.js'
import { createClient, deleteClient, rotateClient } from '../../src/domain/clients.js'
import { usernameIdentifier } from '../../src/domain/identifiers.js'
import { deleteUser, endSessionOf, revokeEverything, revokeUser, setRole, setStatus } from '../../src/domain/operators.js'
import { logIn, newApiKey, password, send, somebody, type Call } from '../support/account.js'
import { newAdmin, type Admin } from '../support/admin.js'
import { startTestApp } from '../support/app.js'
import { call } from '../support/auth-client.js'
import { clientOf, postForm, tokenOf } from '../support/oauth.js'
import { askWhileEnding, beUnhurried, holdBy } from '../support/standstill.js'

const operator = { kind: 'operator', id: 'test' } as const
const node = await startTestApp(t)
const other = await startTestApp(t, { database: node.database, clock: node.clock })
for (const one of [node, other]) beUnhurried(one)
const { service } = node.core
const { repository } = service

type Way = 'token' | 'key'

/** What ends the word of an operator, however the operator shows who it is. */
const ends: readonly (readonly [what: string, ways: readonly Way[], end: (admin: Admin) => Promise<unknown>])[] = [
  ['suspended', ['token', 'key'], ({ id }) => setStatus(service, id, 'suspended', operator)],
  ['demoted', ['token', 'key'], async ({ id }) => demote(id)],
  ['deleted', ['token', 'key'], ({ id }) => deleteUser(service, id, operator)],
  ['revoked', ['token', 'key'], ({ id }) => revokeUser(service, id, operator)],
  ['logged out', ['token'], async ({ id }) => endSessionOf(service, (await sessionOf(id)) ?? '', operator)],
  ['ended with everybody', ['token'], () => revokeEverything(service, operator)],
  ['without the API key any more', ['key'], async ({ id }) => deleteApiKey(service, (await repository.apiKeys.list(id))[0]?.id ?? '', null, { origin: null, actor: operator })],
]

async function demote(id: string): Promise<void> {
  const user = await repository.users.find(id)
  if (user !== null) await setRole(service, user, 'user', operator)
}

const sessionOf = async (userId: string) => (await repository.sessions.listAlive(userId))[0]?.id

interface Target {
  readonly id: string
  readonly sessionId: string
  readonly kid: string
}

let created = 0
/** Every change of the admin endpoints. */
const changes: Record<string, (target: Target) => Call> = {
  'creating an operator': () => ({ method: 'POST', path: '/admin/users', body: { username: `created.${(created += 1)}`, password, role: 'admin' } }),
  'changing names': ({ id }) => ({ method: 'PATCH', path: `/admin/users/${id}`, body: { email: `${id}@example.com` } }),
  'changing a role': ({ id }) => ({ method: 'PATCH', path: `/admin/users/${id}`, body: { role: 'admin' } }),
  'suspending': ({ id }) => ({ method: 'PATCH', path: `/admin/users/${id}`, body: { status: 'suspended' } }),
  'deleting a user': ({ id }) => ({ method: 'DELETE', path: `/admin/users/${id}` }),
  'setting a password': ({ id }) => ({ method: 'POST', path: `/admin/users/${id}/password`, body: { password: 'set by an operator' } }),
  'setting a PIN': ({ id }) => ({ method: 'POST', path: `/admin/users/${id}/pin`, body: { pin: '471199' } }),
  'switching off a second factor': ({ id }) => ({ method: 'POST', path: `/admin/users/${id}/reset-totp` }),
  'unlocking': ({ id }) => ({ method: 'POST', path: `/admin/users/${id}/unlock` }),
  'revoking a user': ({ id }) => ({ method: 'POST', path: `/admin/users/${id}/revoke` }),
  'ending a session': ({ sessionId }) => ({ method: 'DELETE', path: `/admin/sessions/${sessionId}` }),
  'rotating the signing keys': () => ({ method: 'POST', path: '/admin/keys/rotate' }),
  'revoking a signing key': ({ kid }) => ({ method: 'POST', path: `/admin/keys/${kid}/revoke` }),
}

/** All that the changes could change; nothing of the operator who ends. */
async function state(operatorId: string): Promise<unknown> {
  const { rows } = await node.core.pool.query<object>(`
    SELECT (SELECT json_agg(u ORDER BY id) FROM users u WHERE id <> $1) AS users, (SELECT json_agg(p ORDER BY user_id) FROM passwords p WHERE user_id <> $1) AS passwords,
      (SELECT json_agg(p ORDER BY user_id) FROM pins p) AS pins, (SELECT json_agg(p ORDER BY user_id) FROM totp p) AS totp, (SELECT json_agg(k ORDER BY kid) FROM signing_keys k) AS keys,
      (SELECT json_agg(k ORDER BY id) FROM api_keys k WHERE user_id <> $1) AS api_keys, (SELECT json_agg(s ORDER BY id) FROM sessions s WHERE user_id <> $1) AS sessions,
      (SELECT json_agg(a ORDER BY subject) FROM attempts a WHERE subject <> $1::text) AS attempts`, [operatorId])
  return rows[0]
}

async function newTarget(): Promise<Target> {
  const { id, grant } = await somebody(node, { pin: '471100' })
  await repository.credentials.enableTotp(id, service.keyring.seal('totp', Buffer.alloc(20, 1), id), 0, [])
  await node.core.pool.query(`INSERT INTO attempts (subject, origin, failures, locked_until, updated_at) VALUES ($1, 'unknown', 9, now() + interval '1 hour', now())
    ON CONFLICT (subject, origin) DO UPDATE SET failures = 9, locked_until = excluded.locked_until`, [id])
  const kid = (await repository.keys.signingKeys()).at(-1)?.kid ?? ''
  return { id, sessionId: grant.state.session.id, kid }
}

async function refusedMeanwhile(way: Way, end: (admin: Admin) => Promise<unknown>, callOf: (target: Target) => Call) {
  const admin = await newAdmin(node)
  const target = await newTarget()
  const before = await state(admin.id)
  const credential: Record<string, string> = way === 'token' ? { authorization: `Bearer ${admin.token}` } : { 'x-api-key': admin.key }
  const answer = await askWhileEnding(node, () => end(admin), () => send(other, { ...callOf(target), headers: credential }))
  return { answer, before, after: await state(admin.id) }
}

const [suspended] = ends
for (const [what, callOf] of Object.entries(changes)) {
  for (const way of ['token', 'key'] as const) {
    await t.test(`${what}, by ${way}, while the operator is suspended: refused, and nothing changed [attack:operator-ended-meanwhile]`, async (t) => {
      const { answer, before, after } = await refusedMeanwhile(way, suspended?.[2] ?? (() => Promise.reject(new Error('missing'))), callOf)
      t.ok([401, 403].includes(answer.status), `${answer.status} ${answer.text}`)
      t.strictSame(after, before)
    })
  }
}

for (const [what, ways, end] of ends) {
  for (const way of ways) {
    await t.test(`a new operator, asked for by ${way} of an operator who is ${what} meanwhile: refused [attack:operator-ended-meanwhile]`, async (t) => {
      const username = `backdoor.${what}.${way}`.replaceAll(' ', '.')
      const { answer } = await refusedMeanwhile(way, end, () => ({ method: 'POST', path: '/admin/users', body: { username, password, role: 'admin' } }))
      t.ok([401, 403].includes(answer.status), `${answer.status} ${answer.text}`)
      t.equal(await repository.users.findByIdentifier(usernameIdentifier(username)), null, 'there is no such user')
    })
  }
}

await t.test('a change that waits for somebody else’s lock does not keep the suspension of its operator waiting', async (t) => {
  const [admin, colleague] = [await newAdmin(node), await newAdmin(node)]
  const taken = await holdBy(node, 'INSERT INTO users (id, username, username_canonical) VALUES ($1, $2, $2)', ['01890000-0000-7000-8000-0000000000aa', 'contested'])
  const asked = send(other, { method: 'POST', path: '/admin/users', token: admin.token, body: { username: 'contested', password, role: 'admin' } })
  await taken.until(1)
  t.equal((await send(node, { method: 'PATCH', path: `/admin/users/${admin.id}`, token: colleague.token, body: { status: 'suspended' } })).status, 200)
  await taken.release()
  t.equal((await asked).status, 403)
  t.equal(await repository.users.findByIdentifier(usernameIdentifier('contested')), null)
})

await t.test('an operator may end the own session, and is told that it is done', async (t) => {
  const admin = await newAdmin(node)
  const own = await logIn(node, admin.username)
  t.equal((await send(other, { method: 'DELETE', path: `/admin/sessions/${own.state.session.id}`, token: own.accessToken })).status, 204)
  t.equal((await send(other, { path: '/users/me', token: own.accessToken })).status, 403)
})

/** Callers of /oauth/revoke, and what ends each of them. */
await t.test('a token is not revoked by a caller who ends meanwhile [attack:caller-ended-meanwhile]', async (t) => {
  const newClient = async () => {
    const { client, secret } = await createClient(service, { name: 'gateway', scopes: ['revoke'], accessSeconds: null, jwks: null }, operator, 3600)
    return { id: client.id, basic: clientOf(client.id, secret ?? '') }
  }
  const callers: Record<string, () => Promise<{ headers: Readonly<Record<string, string>>; end: () => Promise<unknown> }>> = {
    'a client whose secret is rotated': async () => {
      const { id, basic } = await newClient()
      return { headers: basic.headers ?? {}, end: () => rotateClient(service, id, 0, operator) }
    },
    'a client that is deleted': async () => {
      const { id, basic } = await newClient()
      return { headers: basic.headers ?? {}, end: () => deleteClient(service, id, operator) }
    },
    'the token of a client that is deleted': async () => {
      const { id, basic } = await newClient()
      const { accessToken } = await tokenOf(node, basic)
      return { headers: { authorization: `Bearer ${accessToken}` }, end: () => deleteClient(service, id, operator) }
    },
    'the key of an operator who is demoted': async () => {
      const admin = await newAdmin(node)
      return { headers: { 'x-api-key': await newApiKey(node, admin.id, ['revoke']) }, end: () => demote(admin.id) }
    },
  }
  for (const [who, prepare] of Object.entries(callers)) {
    const victim = await somebody(node)
    const victimsKey = await newApiKey(node, victim.id)
    for (const token of [victim.token, victim.grant.refreshToken, victimsKey]) {
      const { headers, end } = await prepare()
      const answer = await askWhileEnding(node, end, () => postForm(other, '/oauth/revoke', { form: { token }, headers }))
      t.ok([400, 401, 403].includes(answer.status), `${who}: ${answer.status} ${answer.text}`)
    }
    t.equal((await send(node, { path: '/users/me', token: victim.token })).status, 200, `${who}: the token lives`)
    t.equal((await call(node, '/users/me', { method: 'GET', headers: { 'x-api-key': victimsKey } })).status, 200, `${who}: the key lives`)
    t.equal((await send(node, { method: 'POST', path: '/auth/refresh', body: { refresh_token: victim.grant.refreshToken } })).status, 200, `${who}: the session lives`)
  }
})

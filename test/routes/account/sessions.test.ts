import t from 'tap'
import { startTestApp } from '../../support/app.js'
import { failure, invalidToken, logIn, refresh, send, somebody } from '../../support/account.js'

const node = await startTestApp(t)

interface Listed {
  id: string
  dialect: string
  current: boolean
  created_at: string
  expires_at: string
  idle_expires_at: string | null
}

const list = async (token: string) => ((await send(node, { path: '/users/me/sessions', token })).body as { data: Listed[] }).data
const end = (token: string, id: string) => send(node, { method: 'DELETE', path: `/users/me/sessions/${id}`, token })
const endOthers = (token: string) => send(node, { method: 'DELETE', path: '/users/me/sessions', token })

await t.test('the list shows every session that lives, the newest first, and marks the one that asks', async (t) => {
  const { username, token, grant } = await somebody(node, { userAgent: 'curl/8.0', ip: '203.0.113.5' })
  const other = await logIn(node, username, { dialect: 'tokenset', ip: '2001:db8::1' })
  await somebody(node)
  const sessions = await list(token)
  t.match(sessions, [
    { id: other.state.session.id, dialect: 'tokenset', amr: ['pwd'], ip: '2001:db8::1', user_agent: null, idle_expires_at: null, current: false },
    { id: grant.state.session.id, dialect: 'directus', amr: ['pwd'], ip: '203.0.113.5', user_agent: 'curl/8.0', current: true },
  ])
  t.equal(sessions.length, 2)
  const [theirs, own] = sessions
  const days = (from = '', to: string | null | undefined = '') => (Date.parse(to ?? '') - Date.parse(from)) / 86_400_000
  t.equal(days(own?.created_at, own?.expires_at), 30)
  t.equal(days(own?.created_at, own?.idle_expires_at), 7)
  t.equal(days(theirs?.created_at, theirs?.expires_at), 30)
  t.match((await list(other.accessToken)).map(({ current }) => current), [true, false])
})

await t.test('it shows no token, and neither generation nor epoch', async (t) => {
  const { token } = await somebody(node)
  const [session = {}] = await list(token)
  t.strictSame(Object.keys(session), ['id', 'dialect', 'amr', 'created_at', 'expires_at', 'idle_expires_at', 'ip', 'user_agent', 'current'])
})

await t.test('one session is ended, with all its tokens', async (t) => {
  const { username, token, grant } = await somebody(node)
  const other = await logIn(node, username)
  const answer = await end(token, other.state.session.id)
  t.strictSame([answer.status, answer.text], [204, ''])
  t.strictSame((await send(node, { path: '/users/me', token: other.accessToken })).body, invalidToken)
  await t.rejects(refresh(node, other), { code: 'refresh_invalid' })
  t.match(await list(token), [{ id: grant.state.session.id }])
  t.equal((await end(token, other.state.session.id)).status, 404, 'it has ended already')
})

await t.test('one’s own session can be ended as well', async (t) => {
  const { token, grant } = await somebody(node)
  t.equal((await end(token, grant.state.session.id)).status, 204)
  t.strictSame((await send(node, { path: '/users/me', token })).body, invalidToken)
  await t.rejects(refresh(node, grant), { code: 'refresh_invalid' })
})

await t.test('another user’s session, an unknown and a malformed id are the same 404, and nothing ends', async (t) => {
  const { token } = await somebody(node)
  const victim = await somebody(node)
  for (const id of [victim.grant.state.session.id, '01890000-0000-7000-8000-000000000000', 'x', "'%20OR%201=1", '%00', 'a~'.repeat(1000)]) {
    const answer = await end(token, id)
    t.equal(answer.status, 404, id.slice(0, 40))
    t.strictSame(answer.body, failure('ROUTE_NOT_FOUND', `Route /users/me/sessions/${id} doesn't exist.`))
  }
  t.equal((await send(node, { path: '/users/me', token: victim.token })).status, 200)
})

await t.test('all others are ended at once', async (t) => {
  const { username, token, grant } = await somebody(node)
  const others = await Promise.all([1, 2, 3].map(() => logIn(node, username)))
  const bystander = await somebody(node)
  t.equal((await endOthers(token)).status, 204)
  for (const other of others) {
    t.strictSame((await send(node, { path: '/users/me', token: other.accessToken })).body, invalidToken)
    await t.rejects(refresh(node, other), { code: 'refresh_invalid' })
  }
  t.match(await list(token), [{ id: grant.state.session.id }])
  t.equal((await list(token)).length, 1)
  await t.resolves(refresh(node, grant))
  t.equal((await send(node, { path: '/users/me', token: bystander.token })).status, 200)
  await t.resolves(logIn(node, username), 'a new login opens a session as ever')
  t.equal((await endOthers(token)).status, 204, 'and again')
})

await t.test('two sessions that end each other at once: exactly one is left', async (t) => {
  for (let round = 0; round < 10; round += 1) {
    const { username, token } = await somebody(node)
    const other = (await logIn(node, username)).accessToken
    const answers = await Promise.all([endOthers(token), endOthers(other)])
    const alive = await Promise.all([token, other].map(async (one) => (await send(node, { path: '/users/me', token: one })).status === 200))
    t.strictSame(answers.map(({ status }) => status === 204), alive, 'who was told so lives')
    t.equal(alive.filter(Boolean).length, 1)
  }
})

await t.test('sessions that are over are not listed', async (t) => {
  const own = await startTestApp(t, { environment: { DIRECTUS_REFRESH_IDLE_TTL: '100s', DIRECTUS_ACCESS_TTL: '60s' } })
  const { username } = await somebody(own)
  await own.clock.advance(101)
  const { accessToken: token } = await logIn(own, username)
  t.match(await send(own, { path: '/users/me/sessions', token }), { body: { data: { length: 1 } } })
})

await t.test('a body that comes along is not looked at', async (t) => {
  const { username, token } = await somebody(node)
  const { id } = (await logIn(node, username)).state.session
  t.equal((await send(node, { method: 'DELETE', path: `/users/me/sessions/${id}`, token, body: '{broken' })).status, 204)
  t.equal((await send(node, { method: 'DELETE', path: '/users/me/sessions', token, headers: { 'content-type': 'application/json' } })).status, 204)
})

import t from 'tap'
import { deleteUser } from '../../../src/domain/operators.js'
import { startTestApp } from '../../support/app.js'
import { invalidToken, logIn, newApiKey, password, send, somebody } from '../../support/account.js'

const node = await startTestApp(t)

await t.test('who I am, and nothing secret', async (t) => {
  const before = Date.now()
  const user = await node.createUser({ username: 'Jane.Doe', email: 'Jane@example.com', password, pin: '4711' })
  const { accessToken } = await logIn(node, 'jane.doe')
  const { status, body, headers } = await send(node, { path: '/users/me', token: accessToken })
  t.equal(status, 200)
  t.equal(headers.get('cache-control'), 'no-store')
  const { data } = body as { data: Record<string, unknown> }
  const { created_at: createdAt, ...rest } = data
  t.strictSame(rest, {
    id: user.id,
    username: 'Jane.Doe',
    email: 'Jane@example.com',
    email_verified: false,
    role: 'user',
    status: 'active',
    tfa_enabled: false,
  })
  t.match(createdAt, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/)
  t.ok(Math.abs(Date.parse(String(createdAt)) - before) < 60_000)
})

await t.test('a missing email or username is null', async (t) => {
  await node.createUser({ username: 'nomail', password })
  t.match((await send(node, { path: '/users/me', token: (await logIn(node, 'nomail')).accessToken })).body, { data: { username: 'nomail', email: null } })
  const { id } = await node.createUser({ email: 'only@example.com', password })
  t.match((await send(node, { path: '/users/me', token: await newApiKey(node, id) })).body, { data: { username: null, email: 'only@example.com' } })
})

await t.test('it tells the present state, not that of the login', async (t) => {
  const { id, token } = await somebody(node)
  const client = await node.database.client()
  await client.query('update users set email_verified = true, email = $2, email_canonical = $2 where id = $1', [id, 'new@example.com'])
  t.match((await send(node, { path: '/users/me', token })).body, { data: { email: 'new@example.com', email_verified: true } })
})

await t.test('a user who is deleted is a bad token', async (t) => {
  const { id, token } = await somebody(node)
  await deleteUser(node.core.service, id, { kind: 'service', id: 'test' })
  const answer = await send(node, { path: '/users/me', token })
  t.strictSame([answer.status, answer.body], [403, invalidToken])
})

await t.test('tokens of every dialect are read', async (t) => {
  for (const dialect of ['pin', 'directus', 'bearer', 'tokenset'] as const) {
    const { username, token } = await somebody(node, { dialect })
    t.match((await send(node, { path: '/users/me', token })).body, { data: { username } }, dialect)
  }
})

import t from 'tap'
import { startTestApp } from '../../support/app.js'
import { call, footprint } from '../../support/auth-client.js'
import { badBodies, hostileTexts, sendBad } from '../../support/bad-input.js'

const path = '/api/v1/auth/login'
const password = 'correct horse battery staple'
const good = { username: 'jane.doe', password, otp: '123456' }

const node = await startTestApp(t)
await node.createUser({ username: 'jane.doe', email: 'jane.doe@example.com', password })

await t.test('case 39: case 41: case 42: a body that is no login is refused before anybody looks for the user', async (t) => {
  const before = await footprint(node)
  for (const bad of badBodies(good, ['username', 'password'])) {
    const answer = await sendBad(node, path, bad)
    t.same([answer.status, answer.text], [bad.status, JSON.stringify({ error: bad.reason })], bad.what)
    t.equal(answer.headers.get('cache-control'), 'no-store')
  }
  t.equal(await footprint(node), before, 'no session, no attempt')
})

await t.test('case 35: lengths are limited from above, in code points, and nothing is truncated', async (t) => {
  for (const length of [64, 128]) {
    const username = `user${length}`
    const long = '🔑'.repeat(length - 1)
    await node.createUser({ username, password: `${long}a` })
    t.equal((await call(node, path, { body: { username, password: `${long}a` } })).status, 200, `${length} characters`)
    t.equal((await call(node, path, { body: { username, password: `${long}b` } })).status, 401, 'the last one counts')
  }
  const before = await footprint(node)
  for (const [member, length] of [['username', 254], ['password', 128], ['otp', 128]] as const) {
    const answer = await call(node, path, { body: { ...good, [member]: '🔑'.repeat(length + 1) } })
    t.same([answer.status, answer.text], [400, `{"error":"${member} must be at most ${length} characters"}`])
  }
  t.equal(await footprint(node), before)
})

await t.test('a short or empty secret is an ordinary wrong one', async (t) => {
  for (const secret of ['', 'x']) t.same(await call(node, path, { body: { username: 'jane.doe', password: secret } }).then(({ status, text }) => [status, text]), [401, '{"error":"Invalid credentials"}'])
})

await t.test('case 38: hostile texts are ordinary wrong names and passwords', async (t) => {
  for (const text of hostileTexts) {
    for (const body of [{ username: text, password }, { username: `nobody${text}`, password: text }, { username: 'nobody', password, otp: text }]) {
      const answer = await call(node, path, { body })
      t.same([answer.status, answer.text], [401, '{"error":"Invalid credentials"}'], JSON.stringify(body))
    }
  }
  t.equal((await call(node, path, { body: { username: 'jane.doe', password } })).status, 200, 'and everything is still there')
})

await t.test('case 40: members that nobody asked for are without effect', async (t) => {
  const answer = await call(node, path, { body: { username: 'jane.doe', password, role: 'admin', id: 'x', status: 'active', email: 'root@example.com', scope: 'admin', name: 'cooluser1', pin: '0000' } })
  t.equal(answer.status, 200)
  t.match(answer.json, { user: { username: 'jane.doe', email: 'jane.doe@example.com' } })
})

await t.test('no other method logs in, and a method override is not listened to', async (t) => {
  const before = await footprint(node)
  for (const method of ['GET', 'HEAD', 'PUT', 'PATCH', 'DELETE', 'OPTIONS']) {
    const answer = await call(node, `${path}?username=jane.doe&password=x`, { method })
    t.same([answer.status, answer.headers.get('allow')], [405, 'POST'], method)
  }
  const overridden = await call(node, path, { method: 'GET', headers: { 'x-http-method-override': 'POST' } })
  t.equal(overridden.status, 405)
  t.equal(await footprint(node), before)
})

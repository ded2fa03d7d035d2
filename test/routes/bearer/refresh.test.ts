import t from 'tap'
import { startTestApp } from '../../support/app.js'
import { call, footprint } from '../../support/auth-client.js'
import { badBodies, hostileTexts, sendBad } from '../../support/bad-input.js'
import { logIn } from '../../support/log-in.js'

const path = '/api/v1/auth/refresh'
const password = 'correct horse battery staple'

const node = await startTestApp(t)
await node.createUser({ username: 'jane.doe', password })
const { refreshToken } = await logIn(node, 'jane.doe', password)

await t.test('a body that is no refresh is refused, and the token in it is not used', async (t) => {
  const before = await footprint(node)
  for (const bad of badBodies({ refreshToken })) {
    const answer = await sendBad(node, path, bad)
    t.same([answer.status, answer.text], [bad.status, JSON.stringify({ error: bad.reason })], bad.what)
  }
  t.equal(await footprint(node), before)
})

await t.test('the token counts in the body only, under its own name', async (t) => {
  const before = await footprint(node)
  for (const body of [{ refreshtoken: refreshToken }, { refresh_token: refreshToken }, { token: refreshToken }, {}]) {
    const answer = await call(node, `${path}?refreshToken=${refreshToken}`, { body, headers: { cookie: `refreshToken=${refreshToken}; directus_refresh_token=${refreshToken}`, authorization: `Bearer ${refreshToken}` } })
    t.same([answer.status, answer.text], [400, '{"error":"refreshToken is required"}'])
  }
  t.equal(await footprint(node), before)
})

await t.test('hostile texts are ordinary invalid tokens', async (t) => {
  const before = await footprint(node)
  const [header = '', payload = '', signature = ''] = refreshToken.split('.')
  const edited = [`${header}.${payload}.`, `${header}..${signature}`, `.${payload}.${signature}`, `${refreshToken} `, ` ${refreshToken}`, `${refreshToken}\n`, `${refreshToken}=`, `Bearer ${refreshToken}`, refreshToken.toUpperCase(), 'x'.repeat(15_000)]
  for (const text of [...hostileTexts, ...edited]) {
    const answer = await call(node, path, { body: { refreshToken: text } })
    t.same([answer.status, answer.text], [401, '{"error":"Invalid or expired refresh token"}'], JSON.stringify(text.slice(0, 30)))
  }
  t.equal(await footprint(node), before, 'a forged token is no kill switch')
})

await t.test('no other method refreshes', async (t) => {
  for (const method of ['GET', 'HEAD', 'PUT', 'PATCH', 'DELETE', 'OPTIONS']) {
    const answer = await call(node, `${path}?refreshToken=${refreshToken}`, { method })
    t.same([answer.status, answer.headers.get('allow')], [405, 'POST'], method)
  }
})

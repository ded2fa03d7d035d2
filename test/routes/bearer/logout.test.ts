import t from 'tap'
import { startTestApp } from '../../support/app.js'
import { call, footprint } from '../../support/auth-client.js'
import { logIn } from '../../support/log-in.js'

const path = '/api/v1/auth/logout'
const password = 'correct horse battery staple'

const node = await startTestApp(t)
await node.createUser({ username: 'jane.doe', password })
const bearer = async () => ({ authorization: `Bearer ${(await logIn(node, 'jane.doe', password)).accessToken}` })

await t.test('a body is not looked at, whatever it is', async (t) => {
  const bodies: [string | undefined, Record<string, string>][] = [
    [undefined, { 'content-type': 'application/json' }],
    ['{', { 'content-type': 'application/json' }],
    ['a=b', { 'content-type': 'application/x-www-form-urlencoded' }],
    ['{"sid":"01890000-0000-7000-8000-000000000000","sid":1}', { 'content-type': 'application/json' }],
    ['x'.repeat(20_000), { 'content-type': 'text/plain' }],
  ]
  for (const [body, headers] of bodies) {
    const answer = await call(node, path, { body, headers: { ...(await bearer()), ...headers } })
    t.same([answer.status, answer.text], [200, '{"message":"Successfully logged out"}'], body?.slice(0, 10) ?? 'none')
  }
})

await t.test('the token counts in its header or cookie only', async (t) => {
  const { accessToken, refreshToken } = await logIn(node, 'jane.doe', password)
  const before = await footprint(node)
  for (const [target, body] of [[`${path}?access_token=${accessToken}`, undefined], [path, { token: accessToken }], [path, { refreshToken }]] as const) {
    t.equal((await call(node, target, { body })).status, 401)
  }
  t.equal((await call(node, path, { headers: { authorization: `Bearer ${refreshToken}` } })).status, 401)
  t.equal((await call(node, path, { headers: { authorization: `Token ${accessToken}` } })).status, 401)
  t.equal(await footprint(node), before)
})

await t.test('two credentials are refused, and neither is used', async (t) => {
  const headers = await bearer()
  const before = await footprint(node)
  t.equal((await call(node, path, { headers: { ...headers, 'x-api-key': 'x' } })).status, 400)
  t.equal((await call(node, `${path}?access_token=x`, { headers })).status, 400)
  t.equal(await footprint(node), before)
})

await t.test('a bad header beside a good cookie does not fall through', async (t) => {
  const { accessToken } = await logIn(node, 'jane.doe', password)
  const before = await footprint(node)
  for (const authorization of ['Bearer x', 'Basic x', 'Bearer']) {
    t.equal((await call(node, path, { headers: { authorization, cookie: `accessToken=${accessToken}` } })).status, 401)
  }
  t.equal((await call(node, path, { headers: { cookie: `accessToken=${accessToken}; accessToken=${accessToken}` } })).status, 401)
  t.equal(await footprint(node), before)
  t.equal((await call(node, path, { headers: { cookie: `accessToken=${accessToken}` } })).status, 200, 'alone, the cookie is good')
})

await t.test('two logouts at once are one', async (t) => {
  const headers = await bearer()
  const answers = await Promise.all([call(node, path, { headers }), call(node, path, { headers })])
  t.ok(answers.some(({ status }) => status === 200))
  t.ok(answers.every(({ status }) => status === 200 || status === 401))
})

await t.test('no other method logs out', async (t) => {
  const headers = await bearer()
  const before = await footprint(node)
  for (const method of ['GET', 'HEAD', 'PUT', 'PATCH', 'DELETE', 'OPTIONS']) {
    const answer = await call(node, path, { method, headers })
    t.same([answer.status, answer.headers.get('allow')], [405, 'POST'], method)
  }
  t.equal(await footprint(node), before)
})

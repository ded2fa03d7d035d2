import t from 'tap'
import { startTestApp } from '../../support/app.js'
import { call, footprint } from '../../support/auth-client.js'

const node = await startTestApp(t)
const good = { email: 'jane@example.com', password: 'correct horse battery staple' }
await node.createUser(good)

async function login(): Promise<string> {
  const { json } = await call(node, '/auth/login', { body: good })
  return (json as { refresh_token: string }).refresh_token
}

const invalidPayload = (reason: string): string => JSON.stringify({ errors: [{ message: `Invalid payload. ${reason}.`, extensions: { code: 'INVALID_PAYLOAD', reason } }] })

await t.test('bad input to a refresh or logout is 400, says why, and changes nothing', async (t) => {
  const refresh_token = await login()
  const before = await footprint(node)
  const wrongTypes = [null, 1, true, [], {}]
  for (const path of ['/auth/refresh', '/auth/logout']) {
    for (const [body, reason] of [
      ...wrongTypes.map((token) => [{ refresh_token: token }, 'refresh_token must be a string'] as const),
      ...wrongTypes.map((mode) => [{ refresh_token, mode }, 'mode must be one of json, cookie'] as const),
      [{ refresh_token, mode: 'session' }, 'mode must be one of json, cookie'],
      [{ mode: 'session' }, 'mode must be one of json, cookie'],
    ] as const) {
      const answer = await call(node, path, { body, headers: { cookie: `directus_refresh_token=${refresh_token}` } })
      t.same([answer.status, answer.text, answer.cookies], [400, invalidPayload(reason), {}], `${path} ${JSON.stringify(body).slice(0, 60)}`)
    }
  }
  t.equal(await footprint(node), before)
})

await t.test('hostile tokens are no tokens, and change nothing', async (t) => {
  const token = await login()
  const before = await footprint(node)
  const refusal = '{"errors":[{"message":"Invalid user credentials.","extensions":{"code":"INVALID_CREDENTIALS"}}]}'
  for (const refresh_token of ['x', '__proto__', '../../etc/passwd', "' OR 1=1 --", ' ', 'é', '😀', 'x'.repeat(10_000), `${token} `, `Bearer ${token}`, token.toUpperCase(), `${token}.x`]) {
    const refreshed = await call(node, '/auth/refresh', { body: { refresh_token } })
    t.same([refreshed.status, refreshed.text, refreshed.cookies], [401, refusal, {}], refresh_token.slice(0, 40))
    const left = await call(node, '/auth/logout', { body: { refresh_token } })
    t.same([left.status, left.text, left.cookies], [204, '', {}], refresh_token.slice(0, 40))
  }
  t.equal(await footprint(node), before)
})

await t.test('ten refreshes at once with one token give one successor', async (t) => {
  const refresh_token = await login()
  const answers = await Promise.all(Array.from({ length: 10 }, () => call(node, '/auth/refresh', { body: { refresh_token } })))
  t.same([...new Set(answers.map(({ status }) => status))], [200])
  t.equal(new Set(answers.map(({ json }) => (json as { refresh_token: string }).refresh_token)).size, 1)
})

await t.test('a refresh against a logout: whoever wins, nothing lives after the logout was answered', async (t) => {
  for (let i = 0; i < 10; i += 1) {
    const refresh_token = await login()
    const [refreshed, left] = await Promise.all([call(node, '/auth/refresh', { body: { refresh_token } }), call(node, '/auth/logout', { body: { refresh_token } })])
    t.equal(left.status, 204)
    const successor = refreshed.status === 200 ? (refreshed.json as { refresh_token: string }).refresh_token : refresh_token
    t.equal((await call(node, '/auth/refresh', { body: { refresh_token: successor } })).status, 401)
  }
})

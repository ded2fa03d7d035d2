import t from 'tap'
import { startTestApp } from '../../support/app.js'
import { call, cookieHeader, footprint } from '../../support/auth-client.js'

const node = await startTestApp(t)
await node.createUser({ username: 'jane', pin: '4711' })
const login = () => call(node, '/auth/login', { body: { name: 'jane', pin: '4711' } })

await t.test('hostile cookies are no tokens, and change nothing', async (t) => {
  const { cookies } = await login()
  const [access, refresh] = [cookies.accessToken?.value ?? '', cookies.refreshToken?.value ?? '']
  const before = await footprint(node)
  for (const hostile of ['x', '__proto__', '../../etc/passwd', "' OR 1=1 --", '%00', '"', '\\u0000', 'x'.repeat(8000), `${refresh}.x`, `.${refresh}`, refresh.toUpperCase(), `%${refresh}`]) {
    const refreshed = await call(node, '/auth/refresh', { headers: { cookie: `refreshToken=${hostile}` } })
    t.same([refreshed.status, refreshed.text, refreshed.cookies], [401, '{"message":"Invalid token"}', {}], `refresh with ${hostile.slice(0, 40)}`)
    const left = await call(node, '/auth/logout', { headers: { cookie: `accessToken=${hostile}; refreshToken=${refresh}` } })
    t.same([left.status, left.text, left.cookies], [401, '{"message":"Unauthorized API access"}', {}], `logout with ${hostile.slice(0, 40)}`)
  }
  t.equal(await footprint(node), before)
  t.equal((await call(node, '/auth/logout', { headers: { cookie: `accessToken=${access}; refreshToken=x` } })).status, 200, 'a bad refresh cookie beside a good access token does not hold up a logout')
})

await t.test('case 21: any bit flipped in a refresh token makes it no token, and costs the session nothing', async (t) => {
  const { cookies } = await login()
  const token = cookies.refreshToken?.value ?? ''
  const before = await footprint(node)
  for (let at = 0; at < token.length; at += 7) {
    const flipped = token.slice(0, at) + (token[at] === 'A' ? 'B' : 'A') + token.slice(at + 1)
    t.equal((await call(node, '/auth/refresh', { headers: { cookie: `refreshToken=${flipped}` } })).status, 401)
  }
  t.equal(await footprint(node), before)
  t.equal((await call(node, '/auth/refresh', { headers: { cookie: cookieHeader(cookies) } })).status, 200)
})

await t.test('quoted, padded and foreign cookies around it do not hide a good one', async (t) => {
  const { cookies } = await login()
  const token = cookies.refreshToken?.value ?? ''
  for (const cookie of [`refreshToken="${token}"`, ` a=b;refreshToken = ${token} ;c`, `refreshToken=; refreshToken=${token}`, `xrefreshToken=x; refreshToken=${token}; refreshTokenx=x`]) {
    t.equal((await call(node, '/auth/refresh', { headers: { cookie } })).status, 200, cookie.replace(token, '…'))
  }
})

await t.test('ten refreshes at once with one token give one successor', async (t) => {
  const { cookies } = await login()
  const answers = await Promise.all(Array.from({ length: 10 }, () => call(node, '/auth/refresh', { headers: { cookie: cookieHeader(cookies) } })))
  t.same([...new Set(answers.map(({ status }) => status))], [200])
  t.equal(new Set(answers.map((answer) => answer.cookies.refreshToken?.value)).size, 1)
})

await t.test('two logouts at once both succeed, or one finds the session ended; nothing lives on', async (t) => {
  const { cookies } = await login()
  const headers = { cookie: cookieHeader(cookies) }
  const statuses = (await Promise.all([1, 2, 3, 4].map(() => call(node, '/auth/logout', { headers })))).map(({ status }) => status)
  t.ok(statuses.includes(200))
  t.same(statuses.filter((status) => status !== 200 && status !== 401), [])
  t.equal((await call(node, '/auth/refresh', { headers })).status, 401)
})

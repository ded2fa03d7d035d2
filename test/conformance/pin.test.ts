import { execFile, execFileSync } from 'node:child_process'
import { promisify } from 'node:util'
import t, { type Test } from 'tap'
import { createApiKey } from '../../src/domain/api-keys.js'
import type { User } from '../../src/domain/model.js'
import { setStatus } from '../../src/domain/operators.js'
import { startTestApp, type TestApp, type TestAppOptions } from '../support/app.js'
import { auditCount, call, claimsOf, cookieHeader, enableTotp, footprint, type Answer } from '../support/auth-client.js'

const operator = { kind: 'operator', id: 'test' } as const
const day = 86_400

/** A node, and somebody who can log in there. */
interface Client extends TestApp {
  readonly good: { readonly name: string; readonly pin: string }
  readonly goodPassword: { readonly email: string; readonly password: string }
}

const shared = await startTestApp(t)
let people = 0

/** Somebody new, with the PIN of the source document, on a node of their own if it needs options. */
async function start(t: Test, options?: TestAppOptions): Promise<{ node: Client; user: User }> {
  const app = options === undefined ? shared : await startTestApp(t, options)
  people += 1
  const good = { name: `cooluser${people}`, pin: '0000' }
  const goodPassword = { email: `cooluser${people}@example.com`, password: 'correct horse battery staple' }
  const user = await app.createUser({ username: good.name, pin: good.pin, ...goodPassword })
  return { node: { ...app, good, goodPassword }, user }
}

const login = (node: Client, headers: Record<string, string> = {}) => call(node, '/auth/login', { body: node.good, headers })
const withCookies = (...answers: Answer[]) => ({ headers: { cookie: cookieHeader(...answers.map(({ cookies }) => cookies)) } })
const valueOf = (answer: Answer, name: string): string => answer.cookies[name]?.value ?? ''

const accessAttributes = { HttpOnly: true, SameSite: 'Lax', Path: '/' }
const refreshAttributes = { HttpOnly: true, SameSite: 'Strict', Path: '/auth' }

function isAnswer(t: Test, answer: Answer, status: number, text: string) {
  t.equal(answer.text, text)
  t.equal(answer.status, status)
  t.equal(answer.headers.get('content-type'), 'application/json; charset=utf-8')
  t.equal(answer.headers.get('cache-control'), 'no-store')
}

function isRefusal(t: Test, answer: Answer, status: number, message: string) {
  isAnswer(t, answer, status, JSON.stringify({ message }))
  t.same(answer.cookies, {}, 'no cookie is set or cleared')
}

await t.test('case 45: the source: a login answers with its message and sets both cookies', async (t) => {
  const { node, user } = await start(t)
  const answer = await login(node)
  isAnswer(t, answer, 200, '{"message":"Login successful"}')
  t.same(answer.cookies.accessToken?.attributes, { ...accessAttributes, 'Max-Age': '60' })
  t.same(answer.cookies.refreshToken?.attributes, { ...refreshAttributes, 'Max-Age': '2592000' })
  t.same(Object.keys(answer.cookies), ['accessToken', 'refreshToken'])
  const access = claimsOf(valueOf(answer, 'accessToken'))
  t.equal(Number(access.exp) - Number(access.iat), 60)
  t.match(access, { sub: user.id, amr: ['pin'], username: node.good.name })
  const refresh = claimsOf(valueOf(answer, 'refreshToken'))
  t.match(refresh, { aud: 'refresh:pin', gen: 0, sid: access.sid })
  t.ok(Math.abs(Number(refresh.exp) - Number(access.iat) - 30 * day) <= 1)
  t.notMatch(valueOf(answer, 'accessToken') + valueOf(answer, 'refreshToken'), /[^\w.-]/, 'nothing that `cut -d=` or a cookie parser would trip over')
})

await t.test('case 45: the source: a refresh answers with the access token, and updates both cookies', async (t) => {
  const { node } = await start(t)
  const first = await login(node)
  await node.clock.advance(10 * day)
  const answer = await call(node, '/auth/refresh', withCookies(first))
  isAnswer(t, answer, 200, `{"message":"Access token refreshed successfully","accessToken":"${valueOf(answer, 'accessToken')}"}`)
  t.same(answer.cookies.accessToken?.attributes, { ...accessAttributes, 'Max-Age': '60' })
  const { 'Max-Age': maxAge, ...attributes } = answer.cookies.refreshToken?.attributes ?? {}
  t.same(attributes, refreshAttributes)
  t.ok(Number(maxAge) <= 20 * day && Number(maxAge) > 20 * day - 60, `what remains of 30 days: ${String(maxAge)}`)
  t.match(claimsOf(valueOf(answer, 'refreshToken')), { gen: 1, exp: claimsOf(valueOf(first, 'refreshToken')).exp })
  t.not(valueOf(answer, 'accessToken'), valueOf(first, 'accessToken'))
})

await t.test('case 45: the source: a logout ends the session and deletes both cookies', async (t) => {
  const { node } = await start(t)
  const session = await login(node)
  const answer = await call(node, '/auth/logout', withCookies(session))
  isAnswer(t, answer, 200, '{"message":"Logout successful"}')
  const over = { 'Max-Age': '0', Expires: 'Thu, 01 Jan 1970 00:00:00 GMT' }
  t.same(answer.cookies, {
    accessToken: { value: '', attributes: { ...accessAttributes, ...over } },
    refreshToken: { value: '', attributes: { ...refreshAttributes, ...over } },
  })
  isRefusal(t, await call(node, '/auth/refresh', withCookies(session)), 401, 'Invalid token')
  isRefusal(t, await call(node, '/auth/logout', withCookies(session)), 401, 'Unauthorized API access')
})

/** From the source document, to the letter. */
const example = {
  login: `headers=$(curl -i -X POST http://127.0.0.1:9154/auth/login \\
-H 'Content-Type: application/json' \\
-d '{
"name": "cooluser1",
"pin": "0000"
}')

access_token=$(echo "$headers" | grep -o 'accessToken=[^;]*' | cut -s -d= -f2)
refresh_token=$(echo "$headers" | grep -o 'refreshToken=[^;]*' | cut -s -d= -f2)

export ACCESS_TOKEN="$access_token"
export REFRESH_TOKEN="$refresh_token"
`,
  refresh: `curl -v -X POST http://127.0.0.1:9154/auth/refresh \\
-H "Cookie: accessToken=$ACCESS_TOKEN" \\
-H "Cookie: refreshToken=$REFRESH_TOKEN"
`,
  logout: `curl -X POST http://127.0.0.1:9154/auth/logout \\
-H "Cookie: accessToken=$ACCESS_TOKEN" \\
-H "Cookie: refreshToken=$REFRESH_TOKEN"
`,
}

const run = promisify(execFile)

function missingPrograms(): string | false {
  const isMissing = (program: string): boolean => {
    try {
      execFileSync(program, ['--version'], { stdio: 'ignore' })
      return false
    } catch {
      return true
    }
  }
  const missing = ['bash', 'curl'].filter(isMissing)
  return missing.length > 0 && `needs ${missing.join(' and ')}`
}

await t.test('the shell example of the source runs as it stands', { skip: missingPrograms() }, async (t) => {
  const node = await startTestApp(t)
  await node.createUser({ username: 'cooluser1', pin: '0000' })
  const shell = async (script: string, variables: Record<string, string> = {}) => {
    const ours = script.replaceAll('127.0.0.1:9154', new URL(node.url).host)
    const { stdout } = await run('bash', ['-c', ours], { env: { PATH: process.env.PATH, ...variables } })
    return stdout
  }
  const variables = await shell(`${example.login}\nprintf '%s\\n' "$ACCESS_TOKEN" "$REFRESH_TOKEN"`)
  const [ACCESS_TOKEN = '', REFRESH_TOKEN = '', ...more] = variables.trim().split('\n')
  t.same(more, [], 'each cookie was found once')
  const refreshed = /^\{"message":"Access token refreshed successfully","accessToken":"[\w-]+\.[\w-]+\.[\w-]+"\}$/
  t.match(await shell(example.refresh, { ACCESS_TOKEN, REFRESH_TOKEN }), refreshed)
  t.match(await shell(example.refresh, { ACCESS_TOKEN, REFRESH_TOKEN }), refreshed, 'again, with the very same variables')
  t.equal(await shell(example.logout, { ACCESS_TOKEN, REFRESH_TOKEN }), '{"message":"Logout successful"}')
  t.equal(await shell(example.refresh, { ACCESS_TOKEN, REFRESH_TOKEN }), '{"message":"Invalid token"}')
  t.equal(await shell(example.logout, { ACCESS_TOKEN, REFRESH_TOKEN }), '{"message":"Unauthorized API access"}')
})

await t.test('a client that never takes up a successor refreshes with its first token for 30 days', async (t) => {
  const { node } = await start(t)
  const first = await login(node)
  const successors: string[] = []
  for (const days of [0, 1, 13, 15.9]) {
    await node.clock.advance(days * day)
    const answer = await call(node, '/auth/refresh', withCookies(first))
    t.equal(answer.status, 200)
    successors.push(valueOf(answer, 'refreshToken'))
  }
  t.equal(new Set(successors).size, 1, 'the same successor each time')
  await node.clock.advance(0.2 * day)
  isRefusal(t, await call(node, '/auth/refresh', withCookies(first)), 401, 'Invalid token')
})

await t.test('once a successor was used, the first token is taken for theft: the session is over', async (t) => {
  const { node } = await start(t)
  const reused = await auditCount(node, 'refresh_reused')
  const first = await login(node)
  const second = await call(node, '/auth/refresh', withCookies(first))
  const third = await call(node, '/auth/refresh', withCookies(second))
  t.equal(third.status, 200)
  isRefusal(t, await call(node, '/auth/refresh', withCookies(first)), 401, 'Invalid token')
  isRefusal(t, await call(node, '/auth/refresh', withCookies(third)), 401, 'Invalid token')
  t.equal(await auditCount(node, 'refresh_reused'), reused + 1)
})

/** Everything that tells one refusal from another, apart from what differs in any two answers. */
function visible({ status, text, headers }: Answer): unknown {
  const kept = [...headers].filter(([name]) => !['date', 'x-request-id'].includes(name))
  return { status, text, headers: kept }
}

await t.test('a wrong PIN, an unknown name, no PIN, a suspended user, a missing code and a locked account are one answer', async (t) => {
  const { node, user } = await start(t)
  await node.createUser({ username: 'no.pin', password: 'correct horse battery staple' })
  const suspended = await node.createUser({ username: 'suspended', pin: '1234' })
  await setStatus(node.core.service, suspended.id, 'suspended', operator)
  const guarded = await node.createUser({ username: 'guarded', pin: '1234' })
  const code = await enableTotp(node, guarded.id)

  const wrong = await call(node, '/auth/login', { body: { ...node.good, pin: '9999' } })
  isRefusal(t, wrong, 401, 'Invalid credentials')
  for (const body of [
    { name: 'nobody', pin: '0000' },
    { name: 'no.pin', pin: '0000' },
    { name: 'suspended', pin: '1234' },
    { name: 'guarded', pin: '1234' },
    { name: 'guarded', pin: '1234', otp: '' },
    { name: 'guarded', pin: '1234', otp: '000000' },
    { name: 'guarded', pin: '9999', otp: code() },
    { name: user.email, pin: '0000' },
    { name: '', pin: '' },
    { name: "' OR 1=1 --", pin: "'; DROP TABLE users; --" },
    { name: user.username, pin: 'correct horse battery staple' },
  ]) {
    t.same(visible(await call(node, '/auth/login', { body })), visible(wrong), JSON.stringify(body))
  }
  for (let i = 0; i < 5; i += 1) await call(node, '/auth/login', { body: { ...node.good, pin: '9999' } })
  t.same(visible(await login(node)), visible(wrong), 'locked, and the PIN was right')
  await node.clock.advance(31)
  t.equal((await login(node)).status, 200, 'the wait is over')
})

await t.test('a name is found in any case and form; a PIN and a code let the guarded in once', async (t) => {
  const { node, user } = await start(t)
  t.equal((await call(node, '/auth/login', { body: { ...node.good, name: node.good.name.replace('cool', 'ＣoOL') } })).status, 200)
  const code = await enableTotp(node, user.id)
  const body = { ...node.good, otp: code() }
  const answer = await call(node, '/auth/login', { body })
  isAnswer(t, answer, 200, '{"message":"Login successful"}')
  t.same(claimsOf(valueOf(answer, 'accessToken')).amr, ['pin', 'otp'])
  isRefusal(t, await call(node, '/auth/login', { body }), 401, 'Invalid credentials')
})

await t.test('case 40: role, id and status in a login body are without effect, and so is what no schema knows', async (t) => {
  const { node, user } = await start(t)
  const answer = await call(node, '/auth/login', { body: { ...node.good, role: 'admin', id: 'x', status: 'active', sub: [], mode: 5 } })
  t.equal(answer.status, 200)
  t.match(claimsOf(valueOf(answer, 'accessToken')), { sub: user.id, scope: /^(?!.*admin)/ })
})

await t.test('a refresh without a good refresh cookie is an invalid token, and nothing is changed or cleared', async (t) => {
  const { node } = await start(t)
  const session = await login(node)
  const token = valueOf(session, 'refreshToken')
  const directus = await call(node, '/auth/login', { body: node.goodPassword })
  const { refresh_token: foreign } = directus.json as { refresh_token: string }
  const [before, misdirected] = [await footprint(node), await auditCount(node, 'refresh_misdirected')]
  for (const cookie of [
    '',
    'refreshToken=',
    `accessToken=${valueOf(session, 'accessToken')}`,
    `refreshToken=${valueOf(session, 'accessToken')}`,
    `refreshToken=${token}; refreshToken=${token}`,
    `refreshToken=${token.slice(0, -1)}`,
    `refreshToken=${token}x`,
    `refreshToken=${'x'.repeat(4000)}`,
    `refreshToken=sk_live_0000000000000000000000000000`,
    `refreshToken=${foreign}`,
    `RefreshToken=${token}`,
  ]) {
    isRefusal(t, await call(node, '/auth/refresh', { headers: { cookie } }), 401, 'Invalid token')
  }
  t.equal(await footprint(node), before, 'no session was changed')
  t.equal(await auditCount(node, 'refresh_misdirected'), misdirected + 1)
  t.equal((await call(node, '/auth/refresh', withCookies(session))).status, 200)
})

await t.test('a refresh and a logout look at no body', async (t) => {
  const { node } = await start(t)
  const session = await login(node)
  const cookies = withCookies(session)
  t.equal((await call(node, '/auth/refresh', { ...cookies, body: { name: 1, accessToken: 'x' } })).status, 200)
  t.equal((await call(node, '/auth/refresh', { headers: { ...cookies.headers, 'content-type': 'text/plain' } })).status, 200, 'no body is none, whatever its type')
  t.equal((await call(node, '/auth/logout', { ...cookies, body: {} })).status, 200)
})

await t.test('a logout without a good access token is refused, and nothing is changed or cleared', async (t) => {
  const { node, user } = await start(t)
  const session = await login(node)
  const [access, refresh] = [valueOf(session, 'accessToken'), valueOf(session, 'refreshToken')]
  const { secret: key } = await createApiKey(node.core.service, user.id, { name: 'test', scopes: null, expiresAt: null }, { origin: null })
  const both = { cookie: `accessToken=${access}; refreshToken=${refresh}` }
  const before = await footprint(node)
  const refused: Record<string, string>[] = [
    {},
    { cookie: `refreshToken=${refresh}` },
    { cookie: `accessToken=; refreshToken=${refresh}` },
    { cookie: `accessToken=${refresh}; refreshToken=${refresh}` },
    { cookie: `accessToken=${access}; accessToken=${access}; refreshToken=${refresh}` },
    { cookie: `accessToken=${access.slice(0, -2)}` },
    { ...both, authorization: 'Bearer nonsense' },
    { ...both, authorization: `Basic ${access}` },
    { ...both, 'x-api-key': 'sk_live_nonsense' },
  ]
  for (const headers of refused) {
    isRefusal(t, await call(node, '/auth/logout', { headers }), 401, 'Unauthorized API access')
  }
  isRefusal(t, await call(node, `/auth/logout?access_token=${access}`), 401, 'Unauthorized API access')
  const withKey: Record<string, string>[] = [{ authorization: `Bearer ${key}` }, { ...both, 'x-api-key': key }]
  for (const headers of withKey) {
    const answer = await call(node, '/auth/logout', { headers })
    t.equal(answer.status, 403)
    t.match(answer.json, { message: String })
    t.same(answer.cookies, {})
  }
  const twice = await call(node, '/auth/logout', { headers: { authorization: `Bearer ${access}`, 'x-api-key': key } })
  isRefusal(t, twice, 400, 'Send one credential, once')
  t.equal(await footprint(node), before, 'no session was ended')
  await node.clock.advance(66)
  isRefusal(t, await call(node, '/auth/logout', withCookies(session)), 401, 'Unauthorized API access')
  t.equal((await call(node, '/auth/refresh', withCookies(session))).status, 200, 'and a refresh helps')
})

await t.test('an access token as Bearer logs out too', async (t) => {
  const { node } = await start(t)
  const session = await login(node)
  const answer = await call(node, '/auth/logout', { headers: { authorization: `Bearer ${valueOf(session, 'accessToken')}` } })
  isAnswer(t, answer, 200, '{"message":"Logout successful"}')
  t.equal((await call(node, '/auth/refresh', withCookies(session))).status, 401)
})

await t.test('the access token cookie authenticates every protected call, until the session ends', async (t) => {
  const { node, user } = await start(t)
  const session = await login(node)
  const cookie = `accessToken=${valueOf(session, 'accessToken')}`
  const me = await call(node, '/users/me', { method: 'GET', headers: { cookie } })
  t.match([me.status, me.json], [200, { data: { id: user.id } }])
  t.equal((await call(node, '/api/v1/auth/keys', { method: 'GET', headers: { cookie } })).status, 200)
  t.equal((await call(node, '/auth/logout', withCookies(session))).status, 200)
  t.equal((await call(node, '/users/me', { method: 'GET', headers: { cookie } })).status, 403)
  t.equal((await call(node, '/api/v1/auth/keys', { method: 'GET', headers: { cookie } })).status, 401)
})

await t.test('a logout ends the session of the refresh cookie as well if it is the same user’s', async (t) => {
  const { node } = await start(t)
  await node.createUser({ username: 'other', pin: '1234' })
  const [mine, mineToo] = [await login(node), await login(node)]
  const theirs = await call(node, '/auth/login', { body: { name: 'other', pin: '1234' } })
  const leave = (access: Answer, refresh: Answer) =>
    call(node, '/auth/logout', { headers: { cookie: `accessToken=${valueOf(access, 'accessToken')}; refreshToken=${valueOf(refresh, 'refreshToken')}` } })
  t.equal((await leave(mine, mineToo)).status, 200)
  for (const session of [mine, mineToo]) isRefusal(t, await call(node, '/auth/refresh', withCookies(session)), 401, 'Invalid token')
  const again = await login(node)
  t.equal((await leave(again, theirs)).status, 200)
  t.equal((await call(node, '/auth/refresh', withCookies(theirs))).status, 200, 'somebody else’s lives on')
})

await t.test('case 48: a login over a live session ends that one, once it has succeeded', async (t) => {
  const { node } = await start(t)
  const first = await login(node)
  const failed = await call(node, '/auth/login', { body: { ...node.good, pin: '9999' }, ...withCookies(first) })
  isRefusal(t, failed, 401, 'Invalid credentials')
  t.equal((await call(node, '/auth/refresh', withCookies(first))).status, 200, 'a failed login ends nothing')
  const second = await login(node, withCookies(first).headers)
  t.equal(second.status, 200)
  isRefusal(t, await call(node, '/auth/refresh', withCookies(first)), 401, 'Invalid token')
  isRefusal(t, await call(node, '/auth/logout', withCookies(first)), 401, 'Unauthorized API access')
  t.equal((await call(node, '/auth/refresh', withCookies(second))).status, 200)
})

await t.test('two refresh cookies at a login end nothing', async (t) => {
  const { node } = await start(t)
  const first = await login(node)
  const token = valueOf(first, 'refreshToken')
  t.equal((await login(node, { cookie: `refreshToken=${token}; refreshToken=${token}` })).status, 200)
  t.equal((await call(node, '/auth/refresh', withCookies(first))).status, 200)
})

await t.test('case 31: a refresh cookie of either dialect makes its holder a known origin, which strangers cannot lock out', async (t) => {
  const { node } = await start(t, { environment: { TRUST_PROXY: '127.0.0.1' } })
  const from = (ip: string, cookie = '') => ({ 'x-forwarded-for': ip, cookie })
  const byPin = await login(node, from('192.0.2.1'))
  const byPassword = await call(node, '/auth/login', {
    body: { ...node.goodPassword, mode: 'cookie' },
    headers: from('192.0.2.2'),
  })
  for (let i = 0; i < 6; i += 1) await call(node, '/auth/login', { body: { ...node.good, pin: '9999' }, headers: from('203.0.113.9') })
  t.equal((await login(node, from('203.0.113.10'))).status, 401, 'strangers are locked')
  t.equal((await login(node, from('203.0.113.11', cookieHeader(byPassword.cookies)))).status, 200)
  t.equal((await login(node, from('203.0.113.12', cookieHeader(byPin.cookies)))).status, 200)
})

await t.test('case 45: behind https and below a path: Secure, and only the path of refreshToken moves', async (t) => {
  const { node } = await start(t, { environment: { PUBLIC_URL: 'https://id.example.com/identity', COOKIE_DOMAIN: 'example.com' } })
  const answer = await login(node)
  const common = { Secure: true, HttpOnly: true, Domain: 'example.com' }
  t.same(answer.cookies.accessToken?.attributes, { ...common, SameSite: 'Lax', Path: '/', 'Max-Age': '60' })
  t.same(answer.cookies.refreshToken?.attributes, { ...common, SameSite: 'Strict', Path: '/identity/auth', 'Max-Age': '2592000' })
  const over = await call(node, '/auth/logout', withCookies(answer))
  t.match(over.cookies, {
    accessToken: { value: '', attributes: { ...common, Path: '/', 'Max-Age': '0' } },
    refreshToken: { value: '', attributes: { ...common, Path: '/identity/auth', 'Max-Age': '0' } },
  })
})

await t.test('COOKIE_SAMESITE and the lifetimes are settings', async (t) => {
  const { node } = await start(t, { environment: { PUBLIC_URL: 'https://id.example.com', COOKIE_SAMESITE: 'none', PIN_ACCESS_TTL: '5m', PIN_REFRESH_TTL: '7m' } })
  const answer = await login(node)
  t.match(answer.cookies.accessToken?.attributes, { SameSite: 'None', Secure: true, 'Max-Age': '300' })
  t.match(answer.cookies.refreshToken?.attributes, { SameSite: 'None', Secure: true, 'Max-Age': '420' })
  await node.clock.advance(300)
  const refreshed = await call(node, '/auth/refresh', withCookies(answer))
  const maxAge = Number(refreshed.cookies.accessToken?.attributes['Max-Age'])
  t.ok(maxAge > 100 && maxAge <= 120, `no access token outlives its session: ${maxAge}`)
})

await t.test('a trailing slash makes no difference', async (t) => {
  const { node } = await start(t)
  const session = await call(node, '/auth/login/', { body: node.good })
  t.equal(session.status, 200)
  t.equal((await call(node, '/auth/refresh/', withCookies(session))).status, 200)
  t.equal((await call(node, '/auth/logout/', withCookies(session))).status, 200)
})

await t.test('with directus off, every failure below /auth/ is in the shape of pin', async (t) => {
  const { node } = await start(t, { environment: { DIALECTS: 'pin', RATE_LIMIT: 'on', RATE_LIMIT_LOGIN: '9/min', RATE_LIMIT_REFRESH: '1/min' } })
  const json = { 'content-type': 'application/json' }
  isRefusal(t, await call(node, '/auth/login'), 400, 'name is required')
  isRefusal(t, await call(node, '/auth/login', { body: {} }), 400, 'name is required')
  isRefusal(t, await call(node, '/auth/login', { body: { email: 'x', password: 'y' } }), 400, 'name is required')
  isRefusal(t, await call(node, '/auth/login', { body: [] }), 400, 'The body must be an object')
  isRefusal(t, await call(node, '/auth/login', { body: '{', headers: json }), 400, 'The body is not valid JSON')
  isRefusal(t, await call(node, '/auth/login', { body: node.good, headers: { origin: 'https://evil.example' } }), 403, 'Cross-site request refused')
  isRefusal(t, await call(node, '/auth/login', { body: 'x'.repeat(17_000), headers: json }), 413, 'Request body too large')
  isRefusal(t, await call(node, '/auth/login', { body: 'a=b', headers: { 'content-type': 'text/plain' } }), 415, 'Unsupported media type')
  isRefusal(t, await call(node, '/auth/nothing'), 404, 'Not found')
  const get = await call(node, '/auth/login', { method: 'GET' })
  isRefusal(t, get, 405, 'Method not allowed')
  t.equal(get.headers.get('allow'), 'POST')
  t.equal((await call(node, '/auth/login', { body: node.good })).status, 200, 'the ninth')
  const tenth = await call(node, '/auth/login', { body: node.good })
  isRefusal(t, tenth, 429, 'Too many requests')
  t.match(tenth.headers.get('retry-after'), /^[1-9]\d*$/)
  isRefusal(t, await call(node, '/auth/refresh'), 401, 'Invalid token')
  isRefusal(t, await call(node, '/auth/refresh'), 429, 'Too many requests')
})

await t.test('case 50: a database that does not answer is a 503, which clears no cookie', async (t) => {
  const { node } = await start(t, {})
  const session = await login(node)
  const intruder = await node.database.client()
  await intruder.query('BEGIN; LOCK TABLE sessions, users IN ACCESS EXCLUSIVE MODE')
  for (const answer of await Promise.all([call(node, '/auth/refresh', withCookies(session)), call(node, '/auth/logout', withCookies(session)), login(node)])) {
    isRefusal(t, answer, 503, 'Service unavailable, try again')
    t.match(answer.headers.get('retry-after'), /^[1-9]\d*$/)
  }
  await intruder.query('ROLLBACK')
  t.equal((await call(node, '/auth/refresh', withCookies(session))).status, 200)
})

await t.test('what nobody foresaw is a 500 that tells nothing', async (t) => {
  const { node } = await start(t, {})
  const session = await login(node)
  const intruder = await node.database.client()
  await intruder.query('ALTER TABLE sessions RENAME TO elsewhere')
  isRefusal(t, await call(node, '/auth/refresh', withCookies(session)), 500, 'Internal server error')
})

await t.test('no PIN, code or token is written to the log', async (t) => {
  const { node, user } = await start(t)
  const code = await enableTotp(node, user.id)
  const otp = code()
  const session = await call(node, '/auth/login', { body: { ...node.good, otp } })
  await call(node, '/auth/login', { body: { ...node.good, pin: 'a very secret pin', otp: '135790' } })
  await call(node, '/auth/refresh', withCookies(session))
  await call(node, '/auth/logout', withCookies(session))
  const log = node.logLines.join('')
  t.match(log, '/auth/login')
  for (const secret of ['a very secret pin', '135790', valueOf(session, 'accessToken'), valueOf(session, 'refreshToken'), `"${otp}"`]) t.notOk(log.includes(secret))
})

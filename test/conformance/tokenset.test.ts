import { createRemoteJWKSet, jwtVerify } from 'jose'
import t, { type Test } from 'tap'
import { unavailable } from '../../src/domain/errors.js'
import { setStatus, type NewAccount } from '../../src/domain/operators.js'
import { startTestApp, type TestApp } from '../support/app.js'
import { auditCount, call, claimsOf, enableTotp, footprint, type Answer } from '../support/auth-client.js'

const operator = { kind: 'operator', id: 'test' } as const
const day = 86_400
const password = 'correct horse battery staple'

/** One service for all tests that need no other settings; its clock runs ahead as they go. */
const shared = await startTestApp(t)

interface Tokens {
  readonly idToken: string
  readonly accessToken: string
  readonly refreshToken: string
}

let people = 0

/** Somebody nobody has met. */
async function somebody(node: TestApp = shared, account: Partial<NewAccount> = {}) {
  people += 1
  const username = `jane.doe${people}`
  const user = await node.createUser({ username, email: `${username}@example.com`, password, ...account })
  return { user, good: { username, password } }
}

const tokensOf = (answer: Answer): Tokens => (answer.json as { tokens: Tokens }).tokens

async function logIn(body: object, node: TestApp = shared): Promise<Tokens> {
  const answer = await call(node, '/v1/auth', { body })
  if (answer.status !== 200) throw new Error(answer.text)
  return tokensOf(answer)
}

const refresh = (body: unknown, node: TestApp = shared): Promise<Answer> => call(node, '/v1/auth/refreshtoken', { body })

const verify = async (token: string): Promise<number> => (await call(shared, '/verify', { method: 'GET', headers: { authorization: `Bearer ${token}` } })).status

function isAnswer(t: Test, answer: Answer, status: number, text: string) {
  t.equal(answer.text, text)
  t.equal(answer.status, status)
  t.equal(answer.headers.get('content-type'), 'application/json; charset=utf-8')
  t.equal(answer.headers.get('cache-control'), 'no-store')
  t.ok(answer.headers.get('x-request-id'))
  t.same(answer.cookies, {}, 'this dialect knows no cookies')
}

function areTokens(t: Test, answer: Answer): Tokens {
  const { idToken, accessToken, refreshToken } = tokensOf(answer)
  isAnswer(t, answer, 200, `{"statusCode":200,"statusMessage":"OK","tokens":{"idToken":"${idToken}","accessToken":"${accessToken}","refreshToken":"${refreshToken}"}}`)
  for (const token of [idToken, accessToken, refreshToken]) t.ok(token.startsWith('eyJraWQi'), 'the header begins with kid')
  return { idToken, accessToken, refreshToken }
}

const isRefusal = (t: Test, answer: Answer, statusCode: number, statusMessage: string, error?: string) => {
  isAnswer(t, answer, statusCode, JSON.stringify({ statusCode, statusMessage, error }))
}

const isFailedLogin = (t: Test, answer: Answer) => { isRefusal(t, answer, 400, 'Login failed', 'Incorrect username or password.') }
const isFailedRefresh = (t: Test, answer: Answer) => { isRefusal(t, answer, 400, 'Failed to refresh token', 'Invalid Refresh Token') }

await t.test('the source: a login by username or by email answers with three tokens', async (t) => {
  const { user, good } = await somebody()
  for (const username of [good.username, good.username.toUpperCase(), user.email]) {
    areTokens(t, await call(shared, '/v1/auth', { body: { ...good, username } }))
  }
})

await t.test('the id token says who logged in and when, and is verified with the published keys', async (t) => {
  const { user, good } = await somebody()
  const { idToken, accessToken } = await logIn(good)
  const keys = createRemoteJWKSet(new URL(`${shared.url}/.well-known/jwks.json`))
  const currentDate = shared.clock.now()
  const { payload, protectedHeader } = await jwtVerify(idToken, keys, { issuer: 'http://127.0.0.1:9154', audience: 'tessera', algorithms: ['ES256'], typ: 'JWT', currentDate })
  const { iat = 0, jti, auth_time } = payload
  t.same(protectedHeader, { kid: protectedHeader.kid, alg: 'ES256', typ: 'JWT' })
  t.same(payload, {
    iss: 'http://127.0.0.1:9154', sub: user.id, aud: 'tessera', token_use: 'id', auth_time, iat, exp: iat + 3600, jti,
    email: user.email, email_verified: false, 'cognito:username': good.username,
  })
  t.ok(Math.abs(Number(auth_time) - iat) <= 5)
  t.not(jti, claimsOf(accessToken).jti)
})

await t.test('the access token says what it is for, to whom, and of which session', async (t) => {
  const { user, good } = await somebody()
  const { accessToken, refreshToken } = await logIn(good)
  const keys = createRemoteJWKSet(new URL(`${shared.url}/.well-known/jwks.json`))
  const { payload } = await jwtVerify(accessToken, keys, { issuer: 'http://127.0.0.1:9154', audience: 'http://127.0.0.1:9154', algorithms: ['ES256'], typ: 'at+jwt', currentDate: shared.clock.now() })
  const { iat = 0, exp, jti, sid, auth_time } = payload
  t.same(payload, {
    iss: 'http://127.0.0.1:9154', aud: 'http://127.0.0.1:9154', sub: user.id, sid, ep: 0, jti, iat, exp, scope: 'profile', amr: ['pwd'],
    username: good.username, email: user.email, token_use: 'access', client_id: 'tessera', auth_time,
  })
  t.ok(Math.abs(Number(auth_time) - iat) <= 5)
  t.equal(exp, iat + 3600)
  const rest = claimsOf(refreshToken)
  t.match(rest, { sid, gen: 0, aud: 'refresh:tokenset' })
  t.ok(Math.abs(Number(rest.exp) - iat - 30 * day) <= 5)
})

await t.test('a user without a username is named by the id, without an email it is null', async (t) => {
  const byEmail = await shared.createUser({ email: 'only.email@example.com', password })
  const first = await logIn({ username: 'Only.Email@example.com', password })
  t.match(claimsOf(first.idToken), { 'cognito:username': byEmail.id, email: 'only.email@example.com' })
  t.match(claimsOf(first.accessToken), { username: byEmail.id })
  const answer = await call(shared, '/verify', { method: 'GET', headers: { authorization: `Bearer ${first.accessToken}` } })
  t.match([answer.headers.get('x-auth-user'), answer.headers.get('x-auth-username')], [byEmail.id, ''], 'an id is no username anywhere else')
  const { good } = await somebody(shared, { email: null })
  t.match(claimsOf((await logIn(good)).idToken), { 'cognito:username': good.username, email: null, email_verified: false })
})

await t.test('an id token is never an access token, nor is a refresh token', async (t) => {
  const { good } = await somebody()
  const tokens = await logIn(good)
  t.same([await verify(tokens.accessToken), await verify(tokens.idToken), await verify(tokens.refreshToken)], [200, 401, 401])
})

await t.test('the source: whatever is wrong with the credentials, the same bytes', async (t) => {
  const { good } = await somebody()
  const pinOnly = await somebody(shared, { password: null, pin: '4711' })
  const suspended = await somebody()
  await setStatus(shared.core.service, suspended.user.id, 'suspended', operator)
  const wrong = { ...good, password: 'wrong' }
  for (const body of [wrong, { ...wrong, username: 'nobody' }, { ...wrong, username: 'nobody@example.com' }, suspended.good, pinOnly.good, wrong, wrong, wrong, wrong]) {
    isFailedLogin(t, await call(shared, '/v1/auth', { body }))
  }
  const before = await auditCount(shared, 'login_locked')
  isFailedLogin(t, await call(shared, '/v1/auth', { body: good }))
  t.equal(await auditCount(shared, 'login_locked'), before + 1)
  await shared.clock.advance(31)
  await logIn(good)
})

await t.test('a user with a second factor needs its code, and is told nothing of it', async (t) => {
  const { user, good } = await somebody()
  const code = await enableTotp(shared, user.id)
  isFailedLogin(t, await call(shared, '/v1/auth', { body: good }))
  isFailedLogin(t, await call(shared, '/v1/auth', { body: { ...good, otp: '000000' } }))
  const { accessToken } = await logIn({ ...good, otp: code() })
  t.match(claimsOf(accessToken), { amr: ['pwd', 'otp'] })
})

await t.test('the source: a refresh answers with all three tokens anew, by either spelling', async (t) => {
  const { user, good } = await somebody()
  const first = await logIn(good)
  await shared.clock.advance(3700)
  t.equal(await verify(first.accessToken), 401)
  const second = areTokens(t, await refresh({ refreshtoken: first.refreshToken }))
  const third = areTokens(t, await refresh({ refreshToken: second.refreshToken }))
  const fourth = areTokens(t, await refresh({ refreshtoken: third.refreshToken, refreshToken: third.refreshToken }))
  t.same([first, second, third, fourth].map(({ refreshToken }) => claimsOf(refreshToken).gen), [0, 1, 2, 3])
  t.match(claimsOf(fourth.idToken), { sub: user.id, token_use: 'id', auth_time: claimsOf(first.idToken).auth_time }, 'the login was when it was')
  t.match(claimsOf(fourth.accessToken), { sid: claimsOf(first.accessToken).sid, token_use: 'access', client_id: 'tessera' })
  t.ok(Number(claimsOf(fourth.idToken).iat) >= Number(claimsOf(first.idToken).iat) + 3700)
  t.equal(await verify(fourth.accessToken), 200)
})

await t.test('a client that keeps its first refresh token lives for 30 days, and no longer', async (t) => {
  const { good } = await somebody()
  const { refreshToken } = await logIn(good)
  for (let passed = 0; passed < 29; passed += 7) {
    t.equal(await verify(areTokens(t, await refresh({ refreshtoken: refreshToken })).accessToken), 200)
    await shared.clock.advance(7 * day)
  }
  isFailedRefresh(t, await refresh({ refreshtoken: refreshToken }))
})

await t.test('the source: what is no refresh token of this dialect is refused, and changes nothing', async (t) => {
  const { good } = await somebody()
  const own = await logIn(good)
  const other = (await call(shared, '/api/v1/auth/login', { body: good })).json as { refreshToken: string }
  const before = await footprint(shared)
  for (const refreshtoken of ['x', 'a.b.c', own.accessToken, own.idToken, other.refreshToken, `${own.refreshToken}x`, 'x'.repeat(9000)]) {
    isFailedRefresh(t, await refresh({ refreshtoken }))
  }
  t.equal(await footprint(shared), before)
})

await t.test('the source: a missing refresh token is said so, without error', async (t) => {
  for (const body of [undefined, '', {}, { refreshtoken: '' }, { refreshToken: '' }, { refreshtoken: '', refreshToken: '' }, { refresh_token: 'x' }]) {
    const answer = await refresh(body)
    isAnswer(t, answer, 400, '{"statusCode":400,"statusMessage":"Missing refresh token"}')
  }
})

await t.test('two refresh tokens that differ are refused, and neither is used', async (t) => {
  const { good } = await somebody()
  const [one, two] = [await logIn(good), await logIn(good)]
  const before = await footprint(shared)
  isRefusal(t, await refresh({ refreshtoken: one.refreshToken, refreshToken: two.refreshToken }), 400, 'Bad Request', 'refreshtoken and refreshToken differ: send one of them')
  t.equal(await footprint(shared), before)
})

await t.test('every other refusal has its row', async (t) => {
  const { good } = await somebody()
  isRefusal(t, await call(shared, '/v1/auth', { body: { password } }), 400, 'Login failed', 'username is required')
  isRefusal(t, await call(shared, '/v1/auth'), 400, 'Login failed', 'username is required')
  isRefusal(t, await call(shared, '/v1/auth', { body: '{' }), 400, 'Login failed', 'The body is not valid JSON')
  isRefusal(t, await refresh({ refreshtoken: 7 }), 400, 'Bad Request', 'refreshtoken must be a string')
  isRefusal(t, await refresh('{'), 400, 'Bad Request', 'The body is not valid JSON')
  for (const path of ['/v1', '/v1/', '/v1/nope', '/v1/auth/nope', '/v1/auth/refreshtoken/x?access_token=secret']) isRefusal(t, await call(shared, path), 404, 'Not Found', 'Not found')
  for (const path of ['/v1/auth', '/v1/auth/refreshtoken']) {
    const headers = { cookie: 'accessToken=x', origin: 'https://evil.example' }
    isRefusal(t, await call(shared, path, { body: good, headers }), 403, 'Forbidden', 'Cross-site request refused')
    for (const method of ['GET', 'PUT', 'DELETE']) {
      const answer = await call(shared, path, { method })
      isRefusal(t, answer, 405, 'Method Not Allowed', 'Method not allowed')
      t.equal(answer.headers.get('allow'), 'POST')
    }
    isRefusal(t, await call(shared, path, { body: { ...good, x: 'x'.repeat(16_384) } }), 413, 'Payload Too Large', 'Request body too large')
    isRefusal(t, await call(shared, path, { body: good, headers: { 'content-type': 'text/plain' } }), 415, 'Unsupported Media Type', 'Unsupported media type')
  }
})

await t.test('what fails inside is 500, or 503 when it may work in a moment', async (t) => {
  const { identity } = shared.app
  const kept = { ...identity }
  t.teardown(() => Object.assign(identity, kept))
  identity.login = () => Promise.reject(new Error('select secret from users'))
  isRefusal(t, await call(shared, '/v1/auth', { body: { username: 'jane', password } }), 500, 'Internal Server Error', 'Internal server error')
  identity.login = () => Promise.reject(unavailable('the database is away', 7))
  const answer = await call(shared, '/v1/auth', { body: { username: 'jane', password } })
  isRefusal(t, answer, 503, 'Service Unavailable', 'Service unavailable, try again')
  t.equal(answer.headers.get('retry-after'), '7')
})

await t.test('a trailing slash makes no difference, nor do stale credentials', async (t) => {
  const { good } = await somebody()
  const headers = { authorization: 'Bearer stale', 'x-api-key': 'stale', cookie: 'refreshToken=stale' }
  const { refreshToken } = areTokens(t, await call(shared, '/v1/auth/', { body: { ...good, role: 'admin' }, headers }))
  areTokens(t, await call(shared, '/v1/auth/refreshtoken/?access_token=stale', { body: { refreshtoken: refreshToken }, headers }))
})

await t.test('no secret reaches a log line', async (t) => {
  const { good } = await somebody()
  const tokens = await logIn(good)
  await call(shared, '/v1/auth', { body: { username: 'typed-my-password-here', password: 'wrong-password', otp: '123456' } })
  await refresh({ refreshtoken: `${tokens.refreshToken}x` })
  await refresh({ refreshtoken: tokens.refreshToken })
  const log = shared.logLines.join('\n')
  t.match(log, /\/v1\/auth\/refreshtoken/)
  for (const secret of [password, 'wrong-password', 'typed-my-password-here', tokens.idToken, tokens.accessToken, tokens.refreshToken]) t.notOk(log.includes(secret), secret.slice(0, 12))
})

await t.test('settings: the client’s name, lifetimes, and limits for each address', async (t) => {
  const environment = { TOKENSET_CLIENT_ID: 'shop', AUDIENCE: 'orders', TOKENSET_ACCESS_TTL: '5m', TOKENSET_REFRESH_TTL: '1h', RATE_LIMIT: 'on', RATE_LIMIT_LOGIN: '2/min', RATE_LIMIT_REFRESH: '1/min' }
  const node = await startTestApp(t, { environment })
  const { good } = await somebody(node)
  const { idToken, accessToken, refreshToken } = await logIn(good, node)
  t.match(claimsOf(idToken), { aud: 'shop' })
  t.match(claimsOf(accessToken), { aud: 'orders', client_id: 'shop' })
  for (const token of [idToken, accessToken]) t.equal(Number(claimsOf(token).exp) - Number(claimsOf(token).iat), 300)
  await node.clock.advance(3601)
  isFailedRefresh(t, await refresh({ refreshtoken: refreshToken }, node))

  t.equal((await call(node, '/v1/auth', { body: '{' })).status, 400)
  const answer = await call(node, '/v1/auth', { body: good })
  isRefusal(t, answer, 429, 'Too Many Requests', 'Too many requests')
  t.match(answer.headers.get('retry-after'), /^[1-9]\d?$/)
  isRefusal(t, await refresh({ refreshtoken: refreshToken }, node), 429, 'Too Many Requests', 'Too many requests')
})

await t.test('switched off, the dialect is not there', async (t) => {
  const node = await startTestApp(t, { environment: { DIALECTS: 'bearer' } })
  for (const path of ['/v1/auth', '/v1/auth/refreshtoken']) t.equal((await call(node, path, { body: {} })).status, 404)
})

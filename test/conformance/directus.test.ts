import t, { type Test } from 'tap'
import type { User } from '../../src/domain/model.js'
import { setStatus } from '../../src/domain/operators.js'
import { startTestApp, type TestApp, type TestAppOptions } from '../support/app.js'
import { auditCount, call, claimsOf, cookieHeader, enableTotp, footprint, type Answer } from '../support/auth-client.js'

const operator = { kind: 'operator', id: 'test' } as const
const day = 86_400

/** A node, and somebody who can log in there. */
interface Client extends TestApp {
  readonly good: { readonly email: string; readonly password: string }
  readonly goodPin: { readonly name: string; readonly pin: string }
}

const shared = await startTestApp(t)
let people = 0

/** Somebody new, with the password of the source document, on a node of their own if it needs options. */
async function start(t: Test, options?: TestAppOptions): Promise<{ node: Client; user: User }> {
  const app = options === undefined ? shared : await startTestApp(t, options)
  people += 1
  const good = { email: `admin${people}@example.com`, password: 'Z1Tu5' }
  const goodPin = { name: `boss${people}`, pin: '4711' }
  const user = await app.createUser({ ...good, username: goodPin.name, pin: goodPin.pin, demo: true })
  return { node: { ...app, good, goodPin }, user }
}

interface Tokens {
  readonly access_token: string
  readonly expires: number
  readonly refresh_token?: string
  readonly expires_at: string
}

const login = (node: Client, more: object = {}, headers: Record<string, string> = {}) => call(node, '/auth/login', { body: { ...node.good, ...more }, headers })
const refresh = (node: TestApp, body?: unknown, cookie = '') => call(node, '/auth/refresh', { body, headers: { cookie } })
const logout = (node: TestApp, body?: unknown, cookie = '') => call(node, '/auth/logout', { body, headers: { cookie } })

const tokensOf = (answer: Answer): Tokens => answer.json as Tokens
const refreshTokenOf = (answer: Answer): string => tokensOf(answer).refresh_token ?? answer.cookies.directus_refresh_token?.value ?? ''
const cookieOf = (answer: Answer): string => cookieHeader(answer.cookies)

const attributes = { HttpOnly: true, SameSite: 'Lax', Path: '/' }
const cleared = { directus_refresh_token: { value: '', attributes: { ...attributes, 'Max-Age': '0', Expires: 'Thu, 01 Jan 1970 00:00:00 GMT' } } }

function isJson(t: Test, answer: Answer, status: number, text: string) {
  t.equal(answer.text, text)
  t.equal(answer.status, status)
  t.equal(answer.headers.get('content-type'), 'application/json; charset=utf-8')
  t.equal(answer.headers.get('cache-control'), 'no-store')
}

function isRefusal(t: Test, answer: Answer, status: number, code: string, message: string, reason?: string) {
  isJson(t, answer, status, JSON.stringify({ errors: [{ message, extensions: { code, ...(reason === undefined ? {} : { reason }) } }] }))
  t.same(answer.cookies, {}, 'no cookie is set or cleared')
}

const isPayloadRefusal = (t: Test, answer: Answer, reason: string) => { isRefusal(t, answer, 400, 'INVALID_PAYLOAD', `Invalid payload. ${reason}.`, reason) }
const isCredentialRefusal = (t: Test, answer: Answer) => { isRefusal(t, answer, 401, 'INVALID_CREDENTIALS', 'Invalid user credentials.') }
const tokenIsMissing = 'The refresh token is required in either the payload or cookie'

/** The four attributes at the top level, and the same object under `data`; nothing else, in this order. */
function isGrant(t: Test, answer: Answer) {
  const { access_token, expires, refresh_token, expires_at } = tokensOf(answer)
  const tokens = { access_token, expires, ...(refresh_token === undefined ? {} : { refresh_token }), expires_at }
  isJson(t, answer, 200, JSON.stringify({ data: tokens, ...tokens }))
  const claims = claimsOf(access_token)
  t.equal(expires, 900_000)
  t.equal(Number(claims.exp) - Number(claims.iat), 900)
  t.match(expires_at, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.000Z$/)
  t.equal(Date.parse(expires_at) / 1000, claims.exp)
}

await t.test('the source: a login answers with the tokens', async (t) => {
  const { node, user } = await start(t)
  for (const more of [{}, { mode: 'json' }]) {
    const answer = await login(node, more)
    isGrant(t, answer)
    t.same(answer.cookies, {})
    t.match(claimsOf(tokensOf(answer).access_token), { sub: user.id, email: node.good.email, amr: ['pwd'] })
    const token = claimsOf(refreshTokenOf(answer))
    t.match(token, { aud: 'refresh:directus', gen: 0 })
    t.ok(Math.abs(Number(token.exp) - Date.parse(tokensOf(answer).expires_at) / 1000 + 900 - 30 * day) <= 1)
  }
})

await t.test('case 49: the source: in mode cookie the refresh token is in the cookie, and nowhere else', async (t) => {
  const { node } = await start(t)
  const answer = await login(node, { mode: 'cookie' })
  isGrant(t, answer)
  t.same(Object.keys(tokensOf(answer)), ['data', 'access_token', 'expires', 'expires_at'])
  t.same(Object.keys(answer.cookies), ['directus_refresh_token'])
  t.same(answer.cookies.directus_refresh_token?.attributes, { ...attributes, 'Max-Age': '604800' })
  t.notOk(answer.text.includes(refreshTokenOf(answer)))
})

await t.test('the source: a refresh in mode json answers with the tokens', async (t) => {
  const { node } = await start(t)
  const first = await login(node)
  const answer = await refresh(node, { refresh_token: refreshTokenOf(first), mode: 'json' })
  isGrant(t, answer)
  t.same(answer.cookies, {})
  t.match(claimsOf(refreshTokenOf(answer)), { gen: 1 })
  const again = await refresh(node, { refresh_token: refreshTokenOf(answer) })
  isGrant(t, again)
  t.match(claimsOf(refreshTokenOf(again)), { gen: 2 }, 'json without mode, as the token came in the body')
  t.same(again.cookies, {})
})

await t.test('the source: a refresh token that is a cookie need not be in the body', async (t) => {
  const { node } = await start(t)
  let cookie = cookieOf(await login(node, { mode: 'cookie' }))
  for (const body of [{ mode: 'cookie' }, {}, undefined]) {
    const answer = await refresh(node, body, cookie)
    isGrant(t, answer)
    t.equal(tokensOf(answer).refresh_token, undefined)
    t.same(answer.cookies.directus_refresh_token?.attributes, { ...attributes, 'Max-Age': '604800' })
    t.not(cookieOf(answer), cookie)
    cookie = cookieOf(answer)
  }
})

await t.test('mode json with the token from the cookie answers the successor in the body and clears the cookie', async (t) => {
  const { node } = await start(t)
  const cookie = cookieOf(await login(node, { mode: 'cookie' }))
  const answer = await refresh(node, { mode: 'json' }, cookie)
  isGrant(t, answer)
  t.match(claimsOf(refreshTokenOf(answer)), { gen: 1 })
  t.same(answer.cookies, cleared)
})

await t.test('case 49: mode cookie with the token from the body answers the successor in the cookie only', async (t) => {
  const { node } = await start(t)
  const answer = await refresh(node, { refresh_token: refreshTokenOf(await login(node)), mode: 'cookie' })
  isGrant(t, answer)
  t.equal(tokensOf(answer).refresh_token, undefined)
  t.match(claimsOf(answer.cookies.directus_refresh_token?.value ?? ''), { gen: 1 })
})

await t.test('a token in the body beats the cookie, even a bad one; an empty one is none', async (t) => {
  const { node } = await start(t)
  const [inBody, inCookie] = [await login(node), await login(node, { mode: 'cookie' })]
  const answer = await refresh(node, { refresh_token: refreshTokenOf(inBody) }, cookieOf(inCookie))
  isGrant(t, answer)
  t.equal(claimsOf(refreshTokenOf(answer)).sid, claimsOf(refreshTokenOf(inBody)).sid)
  t.same(answer.cookies, {}, 'the other session keeps its cookie')
  isCredentialRefusal(t, await refresh(node, { refresh_token: 'gmPd...8wuB' }, cookieOf(inCookie)))
  isGrant(t, await refresh(node, { refresh_token: '' }, cookieOf(inCookie)))
})

await t.test('DIRECTUS_ENVELOPE leaves one of the two places', async (t) => {
  const inData = await start(t, { environment: { DIRECTUS_ENVELOPE: 'data' } })
  const answer = await login(inData.node)
  t.same(Object.keys(answer.json as object), ['data'])
  t.same(Object.keys((answer.json as { data: object }).data), ['access_token', 'expires', 'refresh_token', 'expires_at'])
  const atTop = await start(t, { environment: { DIRECTUS_ENVELOPE: 'none' } })
  t.same(Object.keys((await login(atTop.node)).json as object), ['access_token', 'expires', 'refresh_token', 'expires_at'])
  t.same(Object.keys((await login(atTop.node, { mode: 'cookie' })).json as object), ['access_token', 'expires', 'expires_at'])
})

await t.test('case 45: a logout ends the session of the token, answers 204, and clears the cookie that it used', async (t) => {
  const { node } = await start(t)
  for (const mode of [undefined, 'json', 'cookie']) {
    const session = await login(node)
    const answer = await logout(node, { refresh_token: refreshTokenOf(session), mode })
    t.same([answer.status, answer.text, answer.cookies], [204, '', {}])
    isCredentialRefusal(t, await refresh(node, { refresh_token: refreshTokenOf(session) }))
    t.equal((await logout(node, { refresh_token: refreshTokenOf(session) })).status, 204, 'once more is success as well')
  }
  for (const body of [{ mode: 'cookie' }, { mode: 'json' }, {}, undefined]) {
    const session = await login(node, { mode: 'cookie' })
    const answer = await logout(node, body, cookieOf(session))
    t.same([answer.status, answer.text, answer.cookies], [204, '', cleared])
    t.equal(answer.headers.get('cache-control'), 'no-store')
    isCredentialRefusal(t, await refresh(node, {}, cookieOf(session)))
  }
})

await t.test('a logout kills the access token at once', async (t) => {
  const { node } = await start(t)
  const session = await login(node)
  const authorization = `Bearer ${tokensOf(session).access_token}`
  t.equal((await logout(node, { refresh_token: refreshTokenOf(session) })).status, 204)
  t.equal((await call(node, '/auth/logout', { headers: { authorization } })).status, 401, 'at the door of pin, which asks for one')
})

await t.test('a logout with an unknown token is 204 and ends nothing; with the token in the body another cookie stays', async (t) => {
  const { node } = await start(t)
  const session = await login(node, { mode: 'cookie' })
  const before = await footprint(node)
  const answer = await logout(node, { refresh_token: 'unknown' }, cookieOf(session))
  t.same([answer.status, answer.cookies], [204, {}])
  t.equal(await footprint(node), before)
  const stale = await logout(node, {}, 'directus_refresh_token=unknown')
  t.same([stale.status, stale.cookies], [204, cleared], 'a cookie that is good for nothing is cleared')
})

await t.test('a refresh and a logout without any token say what is required', async (t) => {
  const { node } = await start(t)
  for (const path of ['/auth/refresh', '/auth/logout']) {
    for (const [body, cookie] of [[{}, ''], [{ mode: 'cookie' }, ''], [{ mode: 'json' }, ''], [{ refresh_token: '' }, ''], [{}, 'directus_refresh_token=']] as const) {
      isPayloadRefusal(t, await call(node, path, { body, headers: { cookie } }), tokenIsMissing)
    }
  }
})

await t.test('a bad, misdirected or revoked refresh token is INVALID_CREDENTIALS, and nothing is changed', async (t) => {
  const { node } = await start(t)
  const session = await login(node)
  const token = refreshTokenOf(session)
  const pin = await call(node, '/auth/login', { body: node.goodPin })
  const foreign = pin.cookies.refreshToken?.value ?? ''
  const [before, misdirected] = [await footprint(node), await auditCount(node, 'refresh_misdirected')]
  for (const refresh_token of ['x', token.slice(0, -1), `${token}=`, tokensOf(session).access_token, 'x'.repeat(9000), foreign]) {
    isCredentialRefusal(t, await refresh(node, { refresh_token }))
  }
  isCredentialRefusal(t, await refresh(node, {}, `directus_refresh_token=${foreign}`))
  t.equal(await auditCount(node, 'refresh_misdirected'), misdirected + 1, 'one event, however often it is tried')
  t.equal((await logout(node, { refresh_token: foreign })).status, 204)
  t.equal(await auditCount(node, 'refresh_misdirected'), misdirected + 2)
  t.equal(await footprint(node), before)
})

await t.test('case 50: two refresh cookies open nothing: nothing is rotated, ended or cleared; a logout ends both', async (t) => {
  const { node } = await start(t)
  const cookie = cookieOf(await login(node, { mode: 'cookie' }))
  const before = await footprint(node)
  for (const two of [`${cookie}; ${cookie}`, `${cookie}; directus_refresh_token=x`]) {
    isCredentialRefusal(t, await refresh(node, {}, two))
  }
  t.equal(await footprint(node), before)
  const refreshed = await refresh(node, {}, `${cookie}; directus_refresh_token=`)
  isGrant(t, refreshed)
  t.equal((await logout(node, {}, `directus_refresh_token=x; ${cookieOf(refreshed)}`)).status, 204)
  isCredentialRefusal(t, await refresh(node, {}, cookieOf(refreshed)))
})

await t.test('a session ends 7 days after the last refresh, and 30 days after the login; the cookie says when', async (t) => {
  const { node } = await start(t)
  let cookie = cookieOf(await login(node, { mode: 'cookie' }))
  for (const remaining of [7, 7, 7, 6]) {
    await node.clock.advance(6 * day)
    const answer = await refresh(node, {}, cookie)
    isGrant(t, answer)
    const maxAge = Number(answer.cookies.directus_refresh_token?.attributes['Max-Age'])
    t.ok(maxAge <= remaining * day && maxAge > remaining * day - 60, `${maxAge} of ${remaining * day}`)
    cookie = cookieOf(answer)
  }
  await node.clock.advance(6 * day)
  isCredentialRefusal(t, await refresh(node, {}, cookie))
  const idle = await login(node)
  await node.clock.advance(7 * day + 1)
  isCredentialRefusal(t, await refresh(node, { refresh_token: refreshTokenOf(idle) }))
})

await t.test('a lost answer is given again within a minute; after that it is theft, and the session is over', async (t) => {
  const { node } = await start(t)
  const reused = await auditCount(node, 'refresh_reused')
  const first = await login(node)
  const once = await refresh(node, { refresh_token: refreshTokenOf(first) })
  const again = await refresh(node, { refresh_token: refreshTokenOf(first) })
  t.equal(refreshTokenOf(again), refreshTokenOf(once))
  await node.clock.advance(61)
  isCredentialRefusal(t, await refresh(node, { refresh_token: refreshTokenOf(first) }))
  isCredentialRefusal(t, await refresh(node, { refresh_token: refreshTokenOf(once) }))
  t.equal(await auditCount(node, 'refresh_reused'), reused + 1)
})

/** Everything that tells one refusal from another, apart from what differs in any two answers. */
const visible = ({ status, text, headers }: Answer): unknown => ({ status, text, headers: [...headers].filter(([name]) => !['date', 'x-request-id'].includes(name)) })

await t.test('a wrong password, an unknown address, no password, a suspended user and a locked account are one answer', async (t) => {
  const { node, user } = await start(t)
  await node.createUser({ username: 'pin.only', email: 'pin.only@example.com', pin: '1234' })
  const suspended = await node.createUser({ email: 'suspended@example.com', password: 'correct horse battery staple' })
  await setStatus(node.core.service, suspended.id, 'suspended', operator)
  const wrong = await login(node, { password: 'wrong' })
  isCredentialRefusal(t, wrong)
  for (const body of [
    { email: 'nobody@example.com', password: 'Z1Tu5' },
    { email: 'pin.only@example.com', password: '1234' },
    { email: 'suspended@example.com', password: 'correct horse battery staple' },
    { email: user.username, password: 'Z1Tu5' },
    { email: '', password: '' },
    { email: "' OR 1=1 --", password: "'; DROP TABLE users; --" },
    { email: node.good.email, password: '4711' },
  ]) {
    t.same(visible(await call(node, '/auth/login', { body })), visible(wrong), JSON.stringify(body))
  }
  for (let i = 0; i < 4; i += 1) await login(node, { password: 'wrong' })
  t.same(visible(await login(node)), visible(wrong), 'locked, and the password was right')
  t.equal((await call(node, '/auth/login', { body: node.goodPin })).status, 401, 'in every dialect')
  await node.clock.advance(31)
  t.equal((await login(node)).status, 200)
})

await t.test('case 43: a missing or wrong code is INVALID_OTP, only after the password was right, and it counts', async (t) => {
  const { node, user } = await start(t)
  const code = await enableTotp(node, user.id)
  const isOtpRefusal = (answer: Answer) => { isRefusal(t, answer, 401, 'INVALID_OTP', 'Invalid user OTP.') }
  isOtpRefusal(await login(node))
  isOtpRefusal(await login(node, { otp: '' }))
  isOtpRefusal(await login(node, { otp: '000000' }))
  isCredentialRefusal(t, await login(node, { otp: code(), password: 'wrong' }))
  const otp = code()
  const answer = await login(node, { otp })
  isGrant(t, answer)
  t.same(claimsOf(tokensOf(answer).access_token).amr, ['pwd', 'otp'])
  isOtpRefusal(await login(node, { otp }))
  for (let i = 0; i < 4; i += 1) isOtpRefusal(await login(node, { otp: 'wrong' }))
  isCredentialRefusal(t, await login(node, { otp: code(1) }))
})

await t.test('an address is found in any case; what no schema knows is without effect', async (t) => {
  const { node, user } = await start(t)
  const answer = await call(node, '/auth/login', { body: { ...node.good, email: node.good.email.toUpperCase(), role: 'x', id: 1, status: null } })
  isGrant(t, answer)
  t.equal(claimsOf(tokensOf(answer).access_token).sub, user.id)
})

await t.test('case 48: a login in mode cookie over a live session ends that one; in mode json it does not', async (t) => {
  const { node } = await start(t)
  const first = await login(node, { mode: 'cookie' })
  const json = await login(node, { mode: 'json' }, { cookie: cookieOf(first) })
  isGrant(t, json)
  const second = await refresh(node, {}, cookieOf(first))
  isGrant(t, second)
  const third = await login(node, { mode: 'cookie' }, { cookie: cookieOf(second) })
  isGrant(t, third)
  isCredentialRefusal(t, await refresh(node, {}, cookieOf(second)))
  isGrant(t, await refresh(node, {}, cookieOf(third)))
})

await t.test('login, refresh and logout look at no access credential: clients attach stale ones', async (t) => {
  const { node } = await start(t)
  for (const headers of [{ authorization: 'Bearer stale' }, { authorization: 'Basic eA==', 'x-api-key': 'sk_live_x' }, { cookie: 'accessToken=stale' }] as Record<string, string>[]) {
    const session = await login(node, {}, headers)
    isGrant(t, session)
    const body = { refresh_token: refreshTokenOf(session) }
    const refreshed = await call(node, '/auth/refresh', { body, headers })
    isGrant(t, refreshed)
    t.equal((await call(node, '/auth/logout?access_token=stale', { body: { refresh_token: refreshTokenOf(refreshed) }, headers })).status, 204)
  }
})

await t.test('bad input names what is wrong with it', async (t) => {
  const { node } = await start(t)
  for (const [body, reason] of [
    [{ email: node.good.email }, 'password is required'],
    [{ password: node.good.password }, 'email is required'],
    [{ ...node.good, email: null }, 'email must be a string'],
    [{ ...node.good, password: ['x'] }, 'password must be a string'],
    [{ ...node.good, otp: 123456 }, 'otp must be a string'],
    [{ ...node.good, mode: 'session' }, 'mode must be one of json, cookie'],
    [{ ...node.good, password: 'x'.repeat(129) }, 'password must be at most 128 characters'],
  ] as const) {
    isPayloadRefusal(t, await call(node, '/auth/login', { body }), reason)
  }
  isPayloadRefusal(t, await refresh(node, { refresh_token: 5 }), 'refresh_token must be a string')
  isPayloadRefusal(t, await logout(node, { mode: 'x', refresh_token: 'x' }), 'mode must be one of json, cookie')
})

await t.test('case 45: behind https the cookie is Secure, and stays at / below any path', async (t) => {
  const { node } = await start(t, { environment: { PUBLIC_URL: 'https://id.example.com/identity', COOKIE_SAMESITE: 'none', COOKIE_DOMAIN: 'example.com' } })
  const answer = await login(node, { mode: 'cookie' })
  const common = { Secure: true, HttpOnly: true, SameSite: 'None', Path: '/', Domain: 'example.com' }
  t.same(answer.cookies.directus_refresh_token?.attributes, { ...common, 'Max-Age': '604800' })
  t.match((await logout(node, {}, cookieOf(answer))).cookies.directus_refresh_token, { value: '', attributes: { ...common, 'Max-Age': '0' } })
})

await t.test('the lifetimes are settings', async (t) => {
  const { node } = await start(t, { environment: { DIRECTUS_ACCESS_TTL: '5m', DIRECTUS_REFRESH_TTL: '1h', DIRECTUS_REFRESH_IDLE_TTL: '30m' } })
  const answer = await login(node, { mode: 'cookie' })
  t.equal(tokensOf(answer).expires, 300_000)
  t.equal(answer.cookies.directus_refresh_token?.attributes['Max-Age'], '1800')
})

await t.test('with pin off, every failure below /auth/ is in the shape of directus', async (t) => {
  const { node } = await start(t, { environment: { DIALECTS: 'directus', RATE_LIMIT: 'on', RATE_LIMIT_LOGIN: '9/min' } })
  const json = { 'content-type': 'application/json' }
  isPayloadRefusal(t, await call(node, '/auth/login'), 'email is required')
  isPayloadRefusal(t, await call(node, '/auth/login', { body: node.goodPin }), 'email is required')
  isPayloadRefusal(t, await call(node, '/auth/login', { body: 'null', headers: json }), 'The body must be an object')
  isPayloadRefusal(t, await call(node, '/auth/login', { body: '{"email":"a","email":"b"}', headers: json }), 'The body has two members of one name')
  isRefusal(t, await call(node, '/auth/login', { body: node.good, headers: { 'sec-fetch-site': 'cross-site' } }), 403, 'FORBIDDEN', "You don't have permission to access this.")
  isRefusal(t, await call(node, '/auth/login', { body: 'x'.repeat(17_000), headers: json }), 413, 'CONTENT_TOO_LARGE', 'Request body too large.')
  isRefusal(t, await call(node, '/auth/login', { body: '{}', headers: { 'content-type': 'text/json' } }), 415, 'UNSUPPORTED_MEDIA_TYPE', 'Unsupported media type.')
  isRefusal(t, await call(node, '/auth/nothing?access_token=secret', { method: 'GET' }), 404, 'ROUTE_NOT_FOUND', "Route /auth/nothing doesn't exist.")
  const get = await call(node, '/auth/login', { method: 'GET' })
  isRefusal(t, get, 405, 'METHOD_NOT_ALLOWED', 'Method not allowed.')
  t.equal(get.headers.get('allow'), 'POST')
  isGrant(t, await login(node))
  isGrant(t, await login(node))
  const tenth = await login(node)
  isRefusal(t, tenth, 429, 'REQUESTS_EXCEEDED', 'Too many requests.')
  t.match(tenth.headers.get('retry-after'), /^[1-9]\d*$/)
  isPayloadRefusal(t, await refresh(node), tokenIsMissing)
  isPayloadRefusal(t, await logout(node, undefined, 'accessToken=x; refreshToken=y'), tokenIsMissing)
})

await t.test('case 50: a database that does not answer is a 503, which clears no cookie', async (t) => {
  const { node } = await start(t, {})
  const cookie = cookieOf(await login(node, { mode: 'cookie' }))
  const intruder = await node.database.client()
  await intruder.query('BEGIN; LOCK TABLE sessions, users IN ACCESS EXCLUSIVE MODE')
  for (const answer of await Promise.all([refresh(node, {}, cookie), refresh(node, { mode: 'json' }, cookie), logout(node, {}, cookie), login(node)])) {
    isRefusal(t, answer, 503, 'SERVICE_UNAVAILABLE', 'Service unavailable, try again.')
    t.match(answer.headers.get('retry-after'), /^[1-9]\d*$/)
  }
  await intruder.query('ROLLBACK')
  isGrant(t, await refresh(node, {}, cookie))
})

await t.test('what nobody foresaw is a 500 that tells nothing', async (t) => {
  const { node } = await start(t, {})
  const session = await login(node)
  const intruder = await node.database.client()
  await intruder.query('ALTER TABLE sessions RENAME TO elsewhere')
  isRefusal(t, await refresh(node, { refresh_token: refreshTokenOf(session) }), 500, 'INTERNAL_SERVER_ERROR', 'Internal server error.')
})

await t.test('no password, code or token is written to the log, the URL’s neither', async (t) => {
  const { node } = await start(t)
  const session = await login(node)
  await login(node, { password: 'a very secret password', otp: '135790' })
  await refresh(node, { refresh_token: `${refreshTokenOf(session)}x` })
  await call(node, `/auth/login?access_token=${tokensOf(session).access_token}`, { method: 'GET' })
  await logout(node, { refresh_token: refreshTokenOf(session) })
  const log = node.logLines.join('')
  t.match(log, '/auth/login')
  for (const secret of ['a very secret password', '135790', tokensOf(session).access_token, refreshTokenOf(session)]) t.notOk(log.includes(secret))
})

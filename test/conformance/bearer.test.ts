import { createRemoteJWKSet, jwtVerify } from 'jose'
import t, { type Test } from 'tap'
import { unavailable } from '../../src/domain/errors.js'
import { revokeUser, setPassword, setStatus, type NewAccount } from '../../src/domain/operators.js'
import { startTestApp, type TestApp } from '../support/app.js'
import { auditCount, call, claimsOf, enableTotp, footprint, type Answer } from '../support/auth-client.js'
import { isLive, untilDead } from '../support/dialect-clients.js'

const operator = { kind: 'operator', id: 'test' } as const
const day = 86_400
const password = 'correct horse battery staple'
const api = '/api/v1/auth'

/** One service for all tests that need no other settings; its clock runs ahead as they go. */
const shared = await startTestApp(t)

let people = 0

/** Somebody nobody has met. */
async function somebody(node: TestApp, account: Partial<NewAccount> = {}) {
  people += 1
  const username = `jane.doe${people}`
  const user = await node.createUser({ username, email: `${username}@example.com`, password, ...account })
  return { user, good: { username, password } }
}

interface LoginAnswer {
  readonly token: string
  readonly refreshToken: string
}

async function logIn(node: TestApp, body: object): Promise<LoginAnswer> {
  const answer = await call(node, `${api}/login`, { body })
  if (answer.status !== 200) throw new Error(answer.text)
  return answer.json as LoginAnswer
}

/** Somebody who is logged in. */
async function session(node: TestApp = shared, account: Partial<NewAccount> = {}) {
  const { user, good } = await somebody(node, account)
  return { ...(await logIn(node, good)), user, good }
}

const bearer = ({ token }: { token: string }) => ({ authorization: `Bearer ${token}` })

interface Key {
  readonly keyId: string
  readonly apiKey: string
  readonly createdAt: string
}

async function createKey(by: LoginAnswer, body?: object, node: TestApp = shared): Promise<Key> {
  const answer = await call(node, `${api}/keys`, { headers: bearer(by), body })
  if (answer.status !== 201) throw new Error(answer.text)
  return answer.json as Key
}

const protectedCalls = ({ keyId }: Pick<Key, 'keyId'>): [method: string, path: string][] => [
  ['POST', `${api}/logout`],
  ['POST', `${api}/keys`],
  ['GET', `${api}/keys`],
  ['DELETE', `${api}/keys/${keyId}`],
  ['POST', `${api}/keys/${keyId}/roll`],
]

/** What a service behind the gateway would be told. */
const verify = async (headers: Record<string, string>): Promise<number> => (await call(shared, '/verify', { method: 'GET', headers })).status
const verifyKey = ({ apiKey }: Key): Promise<number> => verify({ 'x-api-key': apiKey })

function isAnswer(t: Test, answer: Answer, status: number, text: string) {
  t.equal(answer.text, text)
  t.equal(answer.status, status)
  t.equal(answer.headers.get('content-type'), 'application/json; charset=utf-8')
  t.equal(answer.headers.get('cache-control'), 'no-store')
  t.ok(answer.headers.get('x-request-id'))
  t.same(answer.cookies, {}, 'this dialect knows no cookies')
}

const isRefusal = (t: Test, answer: Answer, status: number, error: string) => {
  isAnswer(t, answer, status, JSON.stringify({ error }))
}

function isUnauthenticated(t: Test, answer: Answer, given: 'none' | 'bad') {
  isRefusal(t, answer, 401, 'Authentication required')
  t.equal(answer.headers.get('www-authenticate'), given === 'none' ? 'Bearer' : 'Bearer error="invalid_token"')
}

/** Runs, and says how many audit events of the type came of it. */
async function audited(type: string, run: () => Promise<unknown>): Promise<number> {
  const before = await auditCount(shared, type)
  await run()
  return (await auditCount(shared, type)) - before
}

await t.test('the source: a login answers with a token, its life in seconds, and the user', async (t) => {
  const user = await shared.createUser({ username: 'jane.doe', email: 'jane.doe@example.com', password })
  const answer = await call(shared, `${api}/login`, { body: { username: 'jane.doe', password } })
  const { token, refreshToken } = answer.json as LoginAnswer
  isAnswer(t, answer, 200, `{"token":"${token}","expires_in":3600,"user":{"id":"user_${user.id}","username":"jane.doe","email":"jane.doe@example.com"},"refreshToken":"${refreshToken}"}`)
  t.ok(token.startsWith('eyJraWQi') && refreshToken.startsWith('eyJraWQi'), 'the header begins with kid')
  t.match(claimsOf(refreshToken), { aud: 'refresh:bearer', gen: 0 })
})

await t.test('the token is verified with nothing but the published keys', async (t) => {
  const { user, good, token } = await session()
  const keys = createRemoteJWKSet(new URL(`${shared.url}/.well-known/jwks.json`))
  const { payload, protectedHeader } = await jwtVerify(token, keys, {
    issuer: 'http://127.0.0.1:9154', audience: 'http://127.0.0.1:9154', typ: 'at+jwt', algorithms: ['ES256'], currentDate: shared.clock.now(),
  })
  t.same(Object.keys(protectedHeader), ['kid', 'alg', 'typ'])
  t.match(payload, { sub: user.id, username: good.username, email: user.email, scope: 'profile', amr: ['pwd'], ep: 0 }, 'sub is the bare id')
  t.equal(Number(payload.exp) - Number(payload.iat), 3600)
  t.match(payload, { jti: /^[0-9a-f-]{36}$/, sid: /^[0-9a-f-]{36}$/ })
})

await t.test('a username is found in any case and shown as it was given; a missing email is null', async (t) => {
  await shared.createUser({ username: 'Max.Müller', password })
  const answer = await call(shared, `${api}/login`, { body: { username: 'MAX.MU\u0308LLER', password, role: 'admin', id: 1 } })
  t.equal(answer.status, 200)
  t.match(answer.json, { user: { username: 'Max.Müller', email: null } })
})

await t.test('an email is no username here', async (t) => {
  const { user } = await somebody(shared)
  isRefusal(t, await call(shared, `${api}/login`, { body: { username: user.email, password } }), 401, 'Invalid credentials')
})

await t.test('wrong password, unknown user, suspended, without a password, locked: the same bytes', async (t) => {
  const { good } = await somebody(shared)
  const pinOnly = await somebody(shared, { password: null, pin: '4711' })
  const suspended = await somebody(shared)
  await setStatus(shared.core.service, suspended.user.id, 'suspended', operator)
  const wrong = { ...good, password: 'wrong' }
  for (const body of [wrong, { username: 'nobody', password }, suspended.good, pinOnly.good, wrong, wrong, wrong, wrong]) {
    isRefusal(t, await call(shared, `${api}/login`, { body }), 401, 'Invalid credentials')
  }
  t.equal(await audited('login_locked', async () => {
    isRefusal(t, await call(shared, `${api}/login`, { body: good }), 401, 'Invalid credentials')
  }), 1)
  await shared.clock.advance(31)
  await logIn(shared, good)
})

await t.test('a user with a second factor needs its code, and is told nothing of it', async (t) => {
  const { user, good } = await somebody(shared)
  const code = await enableTotp(shared, user.id)
  isRefusal(t, await call(shared, `${api}/login`, { body: good }), 401, 'Invalid credentials')
  isRefusal(t, await call(shared, `${api}/login`, { body: { ...good, otp: '000000' } }), 401, 'Invalid credentials')
  const otp = code()
  const { token } = await logIn(shared, { ...good, otp })
  t.match(claimsOf(token), { amr: ['pwd', 'otp'] })
  isRefusal(t, await call(shared, `${api}/login`, { body: { ...good, otp } }), 401, 'Invalid credentials')
})

await t.test('the source: a refresh answers with a new token and its life, and the successor', async (t) => {
  const first = await session()
  await shared.clock.advance(3700)
  isUnauthenticated(t, await call(shared, `${api}/keys`, { method: 'GET', headers: bearer(first) }), 'bad')
  const answer = await call(shared, `${api}/refresh`, { body: { refreshToken: first.refreshToken } })
  const { token, refreshToken } = answer.json as LoginAnswer
  isAnswer(t, answer, 200, `{"token":"${token}","expires_in":3600,"refreshToken":"${refreshToken}"}`)
  t.match(claimsOf(token), { sub: first.user.id, sid: claimsOf(first.token).sid })
  t.match(claimsOf(refreshToken), { gen: 1, exp: claimsOf(first.refreshToken).exp })
  t.equal(await verify(bearer({ token })), 200)
})

await t.test('a client that keeps its first refresh token lives for 30 days, and no longer', async (t) => {
  const { refreshToken } = await session()
  for (let passed = 0; passed < 29; passed += 7) {
    const answer = await call(shared, `${api}/refresh`, { body: { refreshToken } })
    t.equal(answer.status, 200)
    t.equal(await verify(bearer(answer.json as LoginAnswer)), 200)
    await shared.clock.advance(7 * day)
  }
  isRefusal(t, await call(shared, `${api}/refresh`, { body: { refreshToken } }), 401, 'Invalid or expired refresh token')
})

await t.test('near the end of a session the token lives no longer than the session', async (t) => {
  const { refreshToken } = await session()
  await shared.clock.advance(30 * day - 100)
  const { token, expires_in } = (await call(shared, `${api}/refresh`, { body: { refreshToken } })).json as LoginAnswer & { expires_in: number }
  t.ok(expires_in > 50 && expires_in <= 100, `${expires_in} s`)
  t.equal(Number(claimsOf(token).exp) - Number(claimsOf(token).iat), expires_in)
})

await t.test('what is no refresh token of this dialect is refused, and changes nothing', async (t) => {
  const { good, token, refreshToken: own } = await session()
  const { tokens } = (await call(shared, '/v1/auth', { body: good })).json as { tokens: Record<string, string> }
  const before = await footprint(shared)
  const misdirected = await audited('refresh_misdirected', async () => {
    for (const refreshToken of ['', 'x', 'a.b.c', token, tokens.refreshToken, tokens.idToken, `${own}x`, 'sk_live_x']) {
      isRefusal(t, await call(shared, `${api}/refresh`, { body: { refreshToken } }), 401, 'Invalid or expired refresh token')
    }
  })
  t.equal(misdirected, 1)
  t.equal(await footprint(shared), before)
})

await t.test('the source: a logout ends the session with all its tokens, at once, and no other session', async (t) => {
  const first = await session()
  const other = await logIn(shared, first.good)
  const { token, refreshToken } = (await call(shared, `${api}/refresh`, { body: { refreshToken: first.refreshToken } })).json as LoginAnswer
  t.equal(await audited('logout', async () => {
    isAnswer(t, await call(shared, `${api}/logout`, { headers: bearer(first) }), 200, '{"message":"Successfully logged out"}')
    for (const dead of [first.token, token]) {
      t.equal(await verify(bearer({ token: dead })), 401)
      isUnauthenticated(t, await call(shared, `${api}/logout`, { headers: bearer({ token: dead }) }), 'bad')
    }
  }), 1)
  for (const dead of [first.refreshToken, refreshToken]) {
    isRefusal(t, await call(shared, `${api}/refresh`, { body: { refreshToken: dead } }), 401, 'Invalid or expired refresh token')
  }
  t.equal(await verify(bearer(other)), 200)
})

await t.test('the source: no credential, or a bad one, is 401 on logout and on all calls about keys', async (t) => {
  const key = await createKey(await session())
  const before = await footprint(shared)
  for (const [method, path] of protectedCalls(key)) {
    isUnauthenticated(t, await call(shared, path, { method }), 'none')
    for (const authorization of ['Bearer x', 'Bearer', 'Basic amFuZS5kb2U6eA==', 'Bearer sk_live_0000000000000000000000000000000000000000']) {
      isUnauthenticated(t, await call(shared, path, { method, headers: { authorization } }), 'bad')
    }
    isUnauthenticated(t, await call(shared, path, { method, headers: { 'x-api-key': 'x' } }), 'bad')
    isUnauthenticated(t, await call(shared, path, { method, headers: { cookie: 'accessToken=x' } }), 'bad')
    isUnauthenticated(t, await call(shared, `${path}?access_token=x`, { method }), 'none')
  }
  t.equal(await footprint(shared), before)
})

await t.test('the source: a key is created, named or not, with a body or without', async (t) => {
  const jane = await session()
  for (const [body, name] of [[undefined, 'API key'], ['', 'API key'], [{}, 'API key'], [{ name: 'My Integration Key', x: 1 }, 'My Integration Key']] as const) {
    const answer = await call(shared, `${api}/keys`, { headers: bearer(jane), body })
    const { keyId, apiKey, createdAt } = answer.json as Key
    isAnswer(t, answer, 201, JSON.stringify({ keyId, apiKey, name, createdAt }))
    t.match(keyId, /^key_[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/)
    t.match(apiKey, /^sk_live_[0-9A-Za-z]{24,}$/)
    t.match(createdAt, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/)
    t.ok(Math.abs(Date.parse(createdAt) - shared.clock.now().getTime()) < 60_000)
  }
})

await t.test('case 54: the source: the list shows every key with its last use, and never a key', async (t) => {
  const node = await startTestApp(t)
  const jane = await session(node)
  isAnswer(t, await call(node, `${api}/keys`, { method: 'GET', headers: bearer(jane) }), 200, '[]')
  const used = await createKey(jane, { name: 'My Integration Key' }, node)
  const ends = await createKey(jane, { name: 'Staging Key', scopes: ['profile'], expiresAt: '2099-12-31T23:59:59.5+01:00' }, node)
  t.equal((await call(node, '/verify', { method: 'GET', headers: { 'x-api-key': used.apiKey } })).status, 200)
  const shown = ({ keyId, apiKey, createdAt }: Key, name: string, more: object) => ({ keyId, name, createdAt, lastUsed: null, ...more, hint: `sk_live_…${apiKey.slice(-4)}` })
  const expected = [shown(used, 'My Integration Key', { scopes: null, expiresAt: null }), shown(ends, 'Staging Key', { scopes: ['profile'], expiresAt: '2099-12-31T22:59:59Z' })]
  isAnswer(t, await call(node, `${api}/keys`, { method: 'GET', headers: bearer(jane) }), 200, JSON.stringify(expected))
  // What is written in batches is written at the latest when the service stops.
  await node.close()
  const again = await startTestApp(t, { database: node.database, clock: node.clock })
  const list = (await call(again, `${api}/keys`, { method: 'GET', headers: bearer(jane) })).json as { lastUsed: string | null }[]
  t.match(list[0]?.lastUsed, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/)
  t.equal(list[1]?.lastUsed, null)
})

await t.test('the source: a deleted key is dead at once, and unknown from then on', async (t) => {
  const jane = await session()
  const key = await createKey(jane)
  t.equal(await verifyKey(key), 200)
  const remove = () => call(shared, `${api}/keys/${key.keyId}`, { method: 'DELETE', headers: { ...bearer(jane), 'content-type': 'application/json' } })
  const answer = await remove()
  t.match([answer.status, answer.text, answer.headers.get('content-type'), answer.headers.get('cache-control')], [204, '', null, 'no-store'])
  t.equal(await verifyKey(key), 401)
  isRefusal(t, await remove(), 404, 'API key not found')
})

await t.test('case 53: another user’s key, an unknown one and what can be no id: the same 404', async (t) => {
  const key = await createKey(await session())
  const { keyId } = key
  const headers = bearer(await session())
  const ids = [keyId, 'key_01890000-0000-7000-8000-000000000000', keyId.slice(4), keyId.toUpperCase(), `key_${keyId}`, 'key_', 'x', '%00', "'%20OR%201=1--", '..%2f..', 'key_%F0%9F%94%91', 'k'.repeat(5000), '__proto__']
  for (const id of ids) {
    isRefusal(t, await call(shared, `${api}/keys/${id}`, { method: 'DELETE', headers }), 404, 'API key not found')
    isRefusal(t, await call(shared, `${api}/keys/${id}/roll`, { headers }), 404, 'API key not found')
  }
  t.equal(await verifyKey(key), 200)
})

await t.test('a rolled key lives on for the overlap; its successor is told once', async (t) => {
  const { good, ...jane } = await session()
  const old = await createKey(jane, { name: 'nightly' })
  const answer = await call(shared, `${api}/keys/${old.keyId}/roll`, { headers: bearer(jane), body: { overlapSeconds: 600 } })
  const next = answer.json as Key
  isAnswer(t, answer, 201, JSON.stringify({ keyId: next.keyId, apiKey: next.apiKey, name: 'nightly', createdAt: next.createdAt }))
  t.not(next.keyId, old.keyId)
  t.same([await verifyKey(old), await verifyKey(next)], [200, 200])
  await shared.clock.advance(601)
  t.same([await verifyKey(old), await verifyKey(next)], [401, 200])

  const third = await call(shared, `${api}/keys/${next.keyId}/roll`, { headers: bearer(jane) })
  t.equal(third.status, 201)
  await shared.clock.advance(day - 60)
  t.equal(await verifyKey(next), 200, 'a day unless told otherwise')
  await shared.clock.advance(61)
  t.equal(await verifyKey(next), 401)

  const leaked = third.json as Key
  await call(shared, `${api}/keys/${leaked.keyId}/roll`, { headers: bearer(await logIn(shared, good)), body: { overlapSeconds: 0 } })
  t.equal(await verifyKey(leaked), 401, 'no overlap: dead at once')
})

await t.test('a key is presented as Bearer or as X-API-Key, and once', async (t) => {
  const { apiKey } = await createKey(await session())
  t.equal(await verify({ authorization: `Bearer ${apiKey}` }), 200)
  t.equal(await verify({ authorization: `bearer ${apiKey}` }), 200)
  t.equal(await verify({ 'x-api-key': apiKey }), 200)
  isRefusal(t, await call(shared, `${api}/logout`, { headers: { authorization: `Bearer ${apiKey}`, 'x-api-key': apiKey } }), 400, 'Send one credential, once')
})

await t.test('case 55: a key logs nobody out and neither makes, rolls nor deletes keys; those of its owner it sees', async (t) => {
  const jane = await session()
  const key = await createKey(jane)
  const before = await footprint(shared)
  const ways: Record<string, string>[] = [{ 'x-api-key': key.apiKey }, { authorization: `Bearer ${key.apiKey}` }]
  for (const [method, path] of protectedCalls(key).filter(([verb]) => verb !== 'GET')) {
    for (const headers of ways) isRefusal(t, await call(shared, path, { method, headers }), 403, 'log in as a user: an API key or a client may not do this')
  }
  for (const headers of ways) t.match(await call(shared, `${api}/keys`, { method: 'GET', headers }), { status: 200, json: [{ keyId: key.keyId }] })
  t.equal(await footprint(shared), before)
  t.equal((await shared.app.identity.apiKeys.list(jane.user.id)).length, 1)
})

await t.test('case 52: a key ends with its time and while its owner is suspended; not with a new password', async (t) => {
  const jane = await session()
  const expiresAt = new Date(shared.clock.now().getTime() + 3_600_000).toISOString()
  const forAnHour = await createKey(jane, { expiresAt })
  const key = await createKey(jane)
  t.same([await verifyKey(forAnHour), await verifyKey(key)], [200, 200])
  await shared.clock.advance(3601)
  t.same([await verifyKey(forAnHour), await verifyKey(key)], [401, 200])
  await setPassword(shared.core.service, jane.user.id, 'another long password', operator)
  t.equal(await verifyKey(key), 200)
  await setStatus(shared.core.service, jane.user.id, 'suspended', operator)
  t.equal(await verifyKey(key), 401)
  await setStatus(shared.core.service, jane.user.id, 'active', operator)
  t.equal(await verifyKey(key), 200)
  await revokeUser(shared.core.service, jane.user.id, operator)
  t.equal(await verifyKey(key), 401)
})

await t.test('case 52: what ends on one node is over on the others, where it was in use', async (t) => {
  const other = await startTestApp(t, { database: shared.database, clock: shared.clock })
  const [jane, max] = [await session(), await session()]
  const [deleted, ofSuspended, rolled] = [await createKey(jane), await createKey(max), await createKey(jane)]
  const inUse = [jane.token, deleted.apiKey, ofSuspended.apiKey, rolled.apiKey].map((accessToken) => ({ accessToken }))
  for (const tokens of inUse) t.ok(await isLive(other, tokens))
  await call(shared, `${api}/keys/${deleted.keyId}`, { method: 'DELETE', headers: bearer(jane) })
  await call(shared, `${api}/keys/${rolled.keyId}/roll`, { headers: bearer(jane), body: { overlapSeconds: 0 } })
  await setStatus(shared.core.service, max.user.id, 'suspended', operator)
  await call(shared, `${api}/logout`, { headers: bearer(jane) })
  for (const tokens of inUse) await untilDead(other, tokens)
})

await t.test('scopes: unknown 400, not held 403, and ordinary rights without', async (t) => {
  const jane = await session()
  const headers = bearer(jane)
  isRefusal(t, await call(shared, `${api}/keys`, { headers, body: { scopes: ['fly'] } }), 400, 'scopes has an unknown scope')
  isRefusal(t, await call(shared, `${api}/keys`, { headers, body: { scopes: ['admin'] } }), 403, 'you do not hold a scope that was asked for')
  isAnswer(t, await call(shared, `${api}/keys`, { method: 'GET', headers }), 200, '[]')
  const root = await session(shared, { role: 'admin' })
  const scopesOf = async (body?: object) => {
    const { apiKey } = await createKey(root, body)
    return (await call(shared, '/verify', { method: 'GET', headers: { 'x-api-key': apiKey } })).headers.get('x-auth-scopes')
  }
  t.equal(await scopesOf(), 'profile', 'never admin unless it was asked for')
  t.equal(await scopesOf({ scopes: [] }), 'profile')
  t.equal(await scopesOf({ scopes: ['admin'] }), 'admin')
})

await t.test('a hundred keys are the most that a user may have', async (t) => {
  const jane = await session()
  for (let made = 0; made < 100; made += 1) await createKey(jane)
  isRefusal(t, await call(shared, `${api}/keys`, { headers: bearer(jane) }), 409, 'you have 100 API keys already: delete one first')
})

await t.test('every other refusal has its row', async (t) => {
  const { good, token } = await session()
  isRefusal(t, await call(shared, `${api}/login`, { body: { password } }), 400, 'username is required')
  isRefusal(t, await call(shared, `${api}/login`), 400, 'username is required')
  isRefusal(t, await call(shared, `${api}/refresh`, { body: '' }), 400, 'refreshToken is required')
  isRefusal(t, await call(shared, `${api}/logout`, { headers: { cookie: `accessToken=${token}`, origin: 'https://evil.example' } }), 403, 'Forbidden')
  for (const path of ['/api/v1', '/api/v1/', '/api/v1/nope', `${api}/nope`, `${api}/keys/x/y/z`, `${api}/login/x?access_token=secret`]) isRefusal(t, await call(shared, path), 404, 'Not found')
  isRefusal(t, await call(shared, `${api}/login`, { body: { ...good, x: 'x'.repeat(16_384) } }), 413, 'Request body too large')
  isRefusal(t, await call(shared, `${api}/login`, { body: good, headers: { 'content-type': 'text/plain' } }), 415, 'Unsupported media type')
  for (const [path, allow] of [[`${api}/login`, 'POST'], [`${api}/refresh`, 'POST'], [`${api}/logout`, 'POST'], [`${api}/keys`, 'GET, HEAD, POST'], [`${api}/keys/x`, 'DELETE'], [`${api}/keys/x/roll`, 'POST']] as const) {
    const answer = await call(shared, path, { method: 'PUT', body: '{' })
    isRefusal(t, answer, 405, 'Method not allowed')
    t.same(answer.headers.get('allow')?.split(', ').sort(), allow.split(', '))
  }
})

await t.test('what fails inside is 500, or 503 when it may work in a moment', async (t) => {
  const { identity } = shared.app
  const kept = { ...identity }
  t.teardown(() => Object.assign(identity, kept))
  identity.login = () => Promise.reject(new Error('select secret from users'))
  isRefusal(t, await call(shared, `${api}/login`, { body: { username: 'jane', password } }), 500, 'Internal server error')
  identity.login = () => Promise.reject(unavailable('the database is away', 7))
  const answer = await call(shared, `${api}/login`, { body: { username: 'jane', password } })
  isRefusal(t, answer, 503, 'Service unavailable, try again')
  t.equal(answer.headers.get('retry-after'), '7')
})

await t.test('a trailing slash makes no difference', async (t) => {
  const { good } = await somebody(shared)
  const answer = await call(shared, `${api}/login/`, { body: good })
  t.equal(answer.status, 200)
  const jane = answer.json as LoginAnswer
  const { keyId } = (await call(shared, `${api}/keys/`, { headers: bearer(jane) })).json as Key
  t.equal((await call(shared, `${api}/keys/${keyId}/`, { method: 'DELETE', headers: bearer(jane) })).status, 204)
  t.equal((await call(shared, `${api}/refresh/`, { body: { refreshToken: jane.refreshToken } })).status, 200)
  t.equal((await call(shared, `${api}/logout/`, { headers: bearer(jane) })).status, 200)
})

await t.test('stale credentials beside a login or a refresh are not looked at', async (t) => {
  const { good } = await somebody(shared)
  const headers = { authorization: 'Bearer stale', 'x-api-key': 'stale', cookie: 'refreshToken=stale' }
  const answer = await call(shared, `${api}/login`, { body: good, headers })
  t.equal(answer.status, 200)
  t.equal((await call(shared, `${api}/refresh?access_token=stale`, { body: { refreshToken: (answer.json as LoginAnswer).refreshToken }, headers })).status, 200)
})

await t.test('no secret reaches a log line', async (t) => {
  const { user, good } = await somebody(shared)
  const code = await enableTotp(shared, user.id)
  const otp = code()
  const jane = await logIn(shared, { ...good, otp })
  const key = await createKey(jane)
  await call(shared, `${api}/login`, { body: { username: 'typed-my-password-here', password: 'wrong-password', otp: '123456' } })
  await call(shared, `${api}/refresh`, { body: { refreshToken: `${jane.refreshToken}x` } })
  await call(shared, `${api}/nope?access_token=${jane.token}`)
  await call(shared, `${api}/keys`, { method: 'GET', headers: { 'x-api-key': key.apiKey } })
  await call(shared, `${api}/logout`, { headers: bearer(jane) })
  const log = shared.logLines.join('\n')
  t.match(log, /\/api\/v1\/auth\/login/)
  for (const secret of [password, 'wrong-password', 'typed-my-password-here', `"${otp}"`, jane.token, jane.refreshToken, key.apiKey]) t.notOk(log.includes(secret), secret.slice(0, 12))
})

await t.test('settings: the source’s "User not found", lifetimes, and limits for each address', async (t) => {
  const environment = { DISCLOSE_UNKNOWN_USER: 'true', BEARER_ACCESS_TTL: '5m', BEARER_REFRESH_TTL: '1h', RATE_LIMIT: 'on', RATE_LIMIT_LOGIN: '4/min', RATE_LIMIT_REFRESH: '1/min' }
  const node = await startTestApp(t, { environment })
  const { good } = await somebody(node)
  isRefusal(t, await call(node, `${api}/login`, { body: { username: 'nobody', password } }), 401, 'User not found')
  isRefusal(t, await call(node, `${api}/login`, { body: { ...good, password: 'wrong' } }), 401, 'Invalid credentials')

  const { token, refreshToken, expires_in } = (await call(node, `${api}/login`, { body: good })).json as LoginAnswer & { expires_in: number }
  t.equal(expires_in, 300)
  t.equal(Number(claimsOf(token).exp) - Number(claimsOf(token).iat), 300)
  await node.clock.advance(3601)
  isRefusal(t, await call(node, `${api}/refresh`, { body: { refreshToken } }), 401, 'Invalid or expired refresh token')

  t.equal((await call(node, `${api}/login`, { body: '{' })).status, 400)
  const answer = await call(node, `${api}/login`, { body: good })
  isRefusal(t, answer, 429, 'Too many requests')
  t.match(answer.headers.get('retry-after'), /^[1-9]\d?$/)
  isRefusal(t, await call(node, `${api}/refresh`, { body: { refreshToken } }), 429, 'Too many requests')
})

await t.test('switched off, the dialect is not there', async (t) => {
  const node = await startTestApp(t, { environment: { DIALECTS: 'pin,tokenset' } })
  for (const path of ['login', 'refresh', 'logout', 'keys', 'keys/x']) t.equal((await call(node, `${api}/${path}`, { body: {} })).status, 404)
})

import t from 'tap'
import { setStatus } from '../../../src/domain/operators.js'
import { startTestApp } from '../../support/app.js'
import { calls, failure, forbidden, invalidCredentials, invalidPayload, invalidToken, logIn, newApiKey, password, refresh, send, somebody, tokenExpired } from '../../support/account.js'

const node = await startTestApp(t)
const bothHeaders = (key: string): Record<string, string>[] => [{ authorization: `Bearer ${key}` }, { 'x-api-key': key }]
const nameOf = ({ method = 'GET', path }: { method?: string; path: string }) => `${method} ${path}`

await t.test('without a credential, and with a bad API key, every call is INVALID_CREDENTIALS', async (t) => {
  const badKey = `sk_live_${'a'.repeat(38)}`
  for (const call of calls) {
    const none = await send(node, call)
    t.strictSame([none.status, none.body], [401, invalidCredentials], nameOf(call))
    t.equal(none.headers.get('www-authenticate'), 'Bearer')
    for (const headers of bothHeaders(badKey)) {
      const answer = await send(node, { ...call, headers })
      t.strictSame([answer.status, answer.body], [401, invalidCredentials], nameOf(call))
      t.equal(answer.headers.get('www-authenticate'), 'Bearer error="invalid_token"')
      t.equal(answer.headers.get('cache-control'), 'no-store')
    }
  }
})

await t.test('with a bad or revoked token every call is INVALID_TOKEN', async (t) => {
  const { token, grant } = await somebody(node)
  await node.app.identity.logoutByRefreshToken('directus', grant.refreshToken, { ip: '127.0.0.1', userAgent: null, requestId: null })
  for (const call of calls) {
    for (const bad of [token, 'nonsense', grant.refreshToken, `${token.slice(0, -4)}AAAA`]) {
      const answer = await send(node, { ...call, token: bad })
      t.strictSame([answer.status, answer.body], [403, invalidToken], nameOf(call))
      t.equal(answer.headers.get('www-authenticate'), 'Bearer error="invalid_token"')
    }
    const otherScheme = await send(node, { ...call, headers: { authorization: 'Basic amFuZTp4' } })
    t.strictSame([otherScheme.status, otherScheme.body], [403, invalidToken], nameOf(call))
  }
})

await t.test('with an expired token every call is TOKEN_EXPIRED', async (t) => {
  const own = await startTestApp(t)
  const { token } = await somebody(own)
  await own.clock.advance(15 * 60 + 6)
  for (const call of calls) {
    const answer = await send(own, { ...call, token })
    t.strictSame([answer.status, answer.body], [401, tokenExpired], nameOf(call))
  }
})

await t.test('a suspended user gets nowhere, with a token or a key', async (t) => {
  const { id, token } = await somebody(node)
  const key = await newApiKey(node, id)
  t.equal((await send(node, { path: '/users/me', token: key })).status, 200)
  await setStatus(node.core.service, id, 'suspended', { kind: 'service', id: 'test' })
  t.equal((await send(node, { path: '/users/me', token })).status, 403)
  t.equal((await send(node, { path: '/users/me', token: key })).status, 401)
})

await t.test('case 55: an API key reads /users/me and does nothing else', async (t) => {
  const { id, token } = await somebody(node)
  const key = await newApiKey(node, id)
  for (const call of calls) {
    const expected = nameOf(call) === 'GET /users/me' ? 200 : 403
    for (const headers of bothHeaders(key)) {
      const answer = await send(node, { ...call, headers })
      t.equal(answer.status, expected, nameOf(call))
      if (expected === 403) t.strictSame(answer.body, forbidden)
    }
  }
  t.equal((await send(node, { path: '/users/me', token })).status, 200, 'and its attempts have ended nothing')
})

await t.test('a key that was narrowed to another scope does not tell whose it is', async (t) => {
  const { id } = await node.createUser({ username: 'root', password, role: 'admin' })
  const narrow = await send(node, { path: '/users/me', token: await newApiKey(node, id, ['introspect']) })
  t.strictSame([narrow.status, narrow.body], [403, forbidden])
  t.equal((await send(node, { path: '/users/me', token: await newApiKey(node, id, ['profile']) })).status, 200)
})

await t.test('two credentials at once, or one twice, are a malformed request', async (t) => {
  const { id, token } = await somebody(node)
  const key = await newApiKey(node, id)
  for (const call of [
    { path: '/users/me', token, headers: { 'x-api-key': key } },
    { path: `/users/me?access_token=${token}`, token },
    { path: `/users/me?access_token=${token}&access_token=${token}` },
  ]) {
    const answer = await send(node, call)
    t.equal(answer.status, 400)
    t.match(answer.body, failure('INVALID_PAYLOAD', 'Invalid payload. Send one credential, once.'))
  }
})

await t.test('case 14: the query token counts on GET and HEAD only, and such answers are kept by nobody', async (t) => {
  const { token } = await somebody(node)
  for (const path of ['/users/me', '/users/me/sessions', '/users/me/']) {
    for (const method of ['GET', 'HEAD']) {
      const answer = await fetch(`${node.url}${path}?access_token=${token}`, { method })
      t.equal(answer.status, 200, `${method} ${path}`)
      t.equal(answer.headers.get('cache-control'), 'no-store')
      t.equal(answer.headers.get('referrer-policy'), 'no-referrer')
    }
  }
  for (const call of calls.filter(({ method = 'GET' }) => method !== 'GET')) {
    const answer = await send(node, { ...call, path: `${call.path}?access_token=${token}` })
    t.strictSame([answer.status, answer.body], [401, invalidCredentials], nameOf(call))
    t.equal(answer.headers.get('referrer-policy'), 'no-referrer')
  }
  const notAToken = await send(node, { path: `/users/me?access_token=${await newApiKey(node, (await somebody(node)).id)}` })
  t.equal(notAToken.status, 403, 'no API key in a query')
  t.notOk(node.logLines.join('').includes(token), 'no log line has it')
})

await t.test('the access token cookie counts, unless an explicit credential is there', async (t) => {
  const { token } = await somebody(node)
  const cookie = `accessToken=${token}`
  t.equal((await send(node, { path: '/users/me', headers: { cookie } })).status, 200)
  t.equal((await send(node, { path: '/users/me', headers: { cookie }, token: 'nonsense' })).status, 403)
  t.equal((await send(node, { path: '/users/me', headers: { cookie: `${cookie}; ${cookie}` } })).status, 403)
})

await t.test('a foreign page cannot act with the cookie of the user', async (t) => {
  const { token, grant } = await somebody(node)
  for (const call of calls.filter(({ method = 'GET' }) => method !== 'GET')) {
    const answer = await send(node, { ...call, headers: { cookie: `accessToken=${token}`, origin: 'https://evil.example' } })
    t.strictSame([answer.status, answer.body], [403, forbidden], nameOf(call))
  }
  await t.resolves(refresh(node, grant))
})

await t.test('case 61: HEAD without a credential is 401, and other methods are 405 with Allow', async (t) => {
  const head = await fetch(`${node.url}/users/me`, { method: 'HEAD' })
  t.equal(head.status, 401)
  for (const [method, path, allow] of [
    ['POST', '/users/me', 'GET, HEAD'],
    ['GET', '/users/me/password', 'POST'],
    ['PUT', '/users/me/sessions', 'DELETE, GET, HEAD'],
    ['POST', '/users/me/sessions/x', 'DELETE'],
  ] as const) {
    const answer = await send(node, { method, path })
    t.strictSame([answer.status, answer.body], [405, failure('METHOD_NOT_ALLOWED', 'Method not allowed.')], `${method} ${path}`)
    t.strictSame(answer.headers.get('allow')?.split(', ').sort().join(', '), allow)
  }
})

await t.test('an unknown path below /users/ answers in the same shape, and does not repeat the query', async (t) => {
  const answer = await send(node, { path: '/users/me/nope?access_token=secret' })
  t.strictSame([answer.status, answer.body], [404, failure('ROUTE_NOT_FOUND', "Route /users/me/nope doesn't exist.")])
  t.equal((await send(node, { path: '/users' })).status, 404)
  t.match((await send(node, { path: '/users' })).body, { errors: [{ extensions: { code: 'ROUTE_NOT_FOUND' } }] })
})

await t.test('whatever is on, the account is there', async (t) => {
  const own = await startTestApp(t, { environment: { DIALECTS: 'bearer' } })
  await own.createUser({ username: 'jane', password })
  const { accessToken } = await logIn(own, 'jane', { dialect: 'bearer' })
  t.equal((await send(own, { path: '/users/me', token: accessToken })).status, 200)
  t.equal((await send(own, { path: '/users/nope' })).status, 404)
  t.strictSame((await send(own, { method: 'POST', path: '/users/me/pin', token: accessToken, body: {} })).body, invalidPayload('password is required'))
})

import t from 'tap'
import { logIn, newApiKey, send, somebody, type Call } from '../../support/account.js'
import { adminCalls, nameOf, newAdmin, problem } from '../../support/admin.js'
import { startTestApp } from '../../support/app.js'

const node = await startTestApp(t)
const admin = await newAdmin(node)
const user = await somebody(node)

/** Rows by table: what a refused call must leave as they are. */
async function everything(): Promise<unknown> {
  const client = await node.database.client()
  const { rows } = await client.query(`select (select count(*) from users) as users, (select count(*) from audit_events) as events, (select count(*) from signing_keys) as keys, (select sum(epoch) from users) as epochs`)
  return rows[0]
}

await t.test('case 65: without a credential: 401, and a Bearer is asked for', async (t) => {
  const before = await everything()
  for (const call of adminCalls) {
    const answer = await send(node, call)
    t.match(answer, problem(401, 'Authentication required.'), nameOf(call))
    t.equal(answer.headers.get('www-authenticate'), 'Bearer', nameOf(call))
    t.equal(answer.headers.get('cache-control'), 'no-store')
  }
  t.strictSame(await everything(), before)
})

await t.test('a bad token and a bad key: 401 with error="invalid_token"', async (t) => {
  const bad: Record<string, string>[] = [{ authorization: `Bearer ${user.token.slice(0, -4)}AAAA` }, { 'x-api-key': 'sk_live_nothing' }]
  for (const headers of bad) {
    for (const call of adminCalls) {
      const answer = await send(node, { ...call, headers })
      t.equal(answer.status, 401, nameOf(call))
      t.equal(answer.headers.get('www-authenticate'), 'Bearer error="invalid_token"')
    }
  }
})

await t.test('case 65: a user’s token, a user’s key, an operator’s key without the scope, and a client: 403', async (t) => {
  const credentials: Record<string, string> = {
    'a user': user.token,
    'the key of a user': await newApiKey(node, user.id),
    'an operator’s key without scopes': await newApiKey(node, admin.id),
    'an operator’s key with another scope': await newApiKey(node, admin.id, ['introspect', 'revoke', 'revocations', 'profile']),
    'a client, whatever its scope': clientTokenWithAdmin(),
  }
  const before = await everything()
  for (const [who, token] of Object.entries(credentials)) {
    for (const call of adminCalls) t.match(await send(node, { ...call, token }), problem(403, /./), `${who}: ${nameOf(call)}`)
  }
  t.strictSame(await everything(), before)
})

/** A token of a client whose scope says `admin`. */
function clientTokenWithAdmin(): string {
  const now = Math.floor(node.clock.now().getTime() / 1000)
  const id = '01890000-0000-7000-8000-00000000000c'
  const claims = { iss: node.config.publicUrl.href, aud: node.config.audience, sub: id, sid: id, ep: 2 ** 40, jti: 'x', iat: now, exp: now + 60, scope: 'admin' }
  return node.app.accessTokens.sign(claims, 'at+jwt')
}

await t.test('an operator gets through, by token, by key and by cookie', async (t) => {
  const good: Record<string, string>[] = [{ authorization: `Bearer ${admin.token}` }, { authorization: `Bearer ${admin.key}` }, { 'x-api-key': admin.key }, { cookie: `accessToken=${admin.token}` }]
  for (const headers of good) {
    for (const path of ['/admin/users', '/admin/sessions', '/admin/audit', '/admin/keys']) {
      t.equal((await send(node, { path, headers })).status, 200, `${path} ${Object.keys(headers).join()}`)
    }
  }
})

await t.test('what a cookie speaks for, a foreign page cannot ask', async (t) => {
  const before = await everything()
  const cookie = `accessToken=${admin.token}`
  const foreign: Record<string, string>[] = [{ origin: 'https://evil.example' }, { origin: 'null' }, { 'sec-fetch-site': 'cross-site' }, { 'sec-fetch-site': 'same-site' }]
  for (const headers of foreign) {
    for (const call of adminCalls.filter(({ method }) => method !== undefined)) {
      t.match(await send(node, { ...call, headers: { cookie, ...headers } }), problem(403, 'Cross-site request refused.'), nameOf(call))
    }
  }
  t.strictSame(await everything(), before)
})

await t.test('a user who becomes an operator, and stops being one', async (t) => {
  const { id, username } = await somebody(node)
  const change = (role: string) => send(node, { method: 'PATCH', path: `/admin/users/${id}`, token: admin.token, body: { role } })
  t.equal((await change('admin')).status, 200)
  const promoted = (await logIn(node, username)).accessToken
  const key = await newApiKey(node, id, ['admin'])
  t.equal((await send(node, { path: '/admin/users', token: promoted })).status, 200)
  t.equal((await send(node, { path: '/admin/users', token: key })).status, 200)
  t.equal((await change('user')).status, 200)
  t.equal((await send(node, { path: '/admin/users', token: promoted })).status, 401, 'the token of before is over')
  t.equal((await send(node, { path: '/admin/users', token: key })).status, 403, 'a key has what its owner has now')
})

await t.test('what overrides methods elsewhere overrides none here', async (t) => {
  const { id } = await somebody(node)
  const call: Call = { path: `/admin/users/${id}`, token: admin.token }
  for (const name of ['x-http-method-override', 'x-http-method', 'x-method-override']) {
    t.equal((await send(node, { ...call, headers: { [name]: 'DELETE' } })).status, 200, name)
    t.equal((await send(node, { ...call, method: 'PATCH', body: { status: 'active' }, headers: { [name]: 'DELETE' } })).status, 200, name)
  }
  t.equal((await send(node, { ...call, path: `${call.path}?_method=DELETE` })).status, 400)
  t.equal((await send(node, call)).status, 200, 'the user is still there')
})

await t.test('other methods: 405 with Allow; other paths: 404', async (t) => {
  const { token } = admin
  const put = await send(node, { method: 'PUT', path: `/admin/users/${user.id}`, token, body: {} })
  t.match(put, { status: 405 })
  t.match(put.headers.get('allow')?.split(', ').sort(), ['DELETE', 'GET', 'HEAD', 'PATCH'])
  t.match(await send(node, { path: '/admin/users/x/password', token }), { status: 405 })
  t.match(await send(node, { path: '/admin/nothing', token }), problem(404, /./))
  t.match(await send(node, { path: '/admin', token }), problem(404, /./))
})

await t.test('case 66: no answer of an operator’s call holds a hash, a secret, a token or key material', async (t) => {
  const { token } = admin
  const created = await send(node, { method: 'POST', path: '/admin/users', token, body: { username: 'kept.secret', email: 'kept.secret@example.com', password: 'canary-password-1', pin: '8642975310' } })
  t.equal(created.status, 201)
  const { id } = (created.body as { data: { id: string } }).data
  const answers = [created]
  answers.push(await send(node, { method: 'POST', path: `/admin/users/${id}/password`, token, body: { password: 'canary-password-2' } }))
  answers.push(await send(node, { method: 'POST', path: `/admin/users/${id}/pin`, token, body: { pin: '1357924680' } }))
  for (const path of ['/admin/users?limit=200', `/admin/users/${id}`, '/admin/sessions?limit=200', '/admin/audit?limit=200', '/admin/keys']) answers.push(await send(node, { path, token }))
  const client = await node.database.client()
  const { rows } = await client.query<{ secret: string }>(`
    select hash as secret from passwords union all select hash from pins union all select encode(hash, 'hex') from api_keys
    union all select encode(wrapped, 'base64') from key_wraps union all select encode(wrapped, 'hex') from key_wraps`)
  const secrets = [...rows.map(({ secret }) => secret), 'canary-password', '8642975310', '1357924680', admin.key, admin.token, user.token, user.grant.refreshToken, node.config.masterSecret ?? '?']
  const text = answers.map(({ text: one }) => one).join('\n')
  for (const secret of secrets) t.notOk(text.includes(secret), 'a secret is in an answer')
  t.notMatch(text, /argon2|BEGIN|"(d|k|p|q|private[^"]*|secret|hash|wrapped)":/)
  for (const secret of ['canary-password', '8642975310', '1357924680', admin.key, admin.token]) t.notOk(node.logLines.join('').includes(secret), 'a secret is in the log')
})

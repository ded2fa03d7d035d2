import t, { type Test } from 'tap'
import { knock } from '../../support/login-doors.js'
import { lastEvent } from '../../support/clients.js'
import { codeOf, logIn, newApiKey, password, refresh, send, somebody, type Answer, type Call, type Person } from '../../support/account.js'
import { dataOf, newAdmin, nobody, problem } from '../../support/admin.js'
import { startTestApp } from '../../support/app.js'
import { untilSomebodyWaits } from '../../support/repository.js'

const node = await startTestApp(t)
const admin = await newAdmin(node)
const ask = (call: Call): Promise<Answer> => send(node, { token: admin.token, ...call })
const pathOf = ({ id }: { id: string }, rest = '') => `/admin/users/${id}${rest}`

interface Listed {
  data: { id: string; username: string | null; email: string | null }[]
  next_cursor: string | null
}
const list = async (query: string): Promise<Listed> => (await ask({ path: `/admin/users?${query}` })).body as Listed
const namesOf = ({ data }: Listed) => data.map(({ username }) => username)

/** The newest event says who did it, and from where. */
async function didIt(t: Test, type: string, userId: string, detail: object = {}): Promise<void> {
  t.match(await lastEvent(node), { type, actor: { kind: 'operator', id: `user:${admin.id}` }, userId, origin: { ip: '127.0.0.1', requestId: /./ }, detail })
}

await t.test('users page by page, each once', async (t) => {
  for (const name of ['page.1', 'page.2', 'page.3', 'page.4', 'page.5']) await node.createUser({ username: name })
  const seen: (string | null)[] = []
  let cursor: string | null = ''
  let pages = 0
  while (cursor !== null) {
    const page = await list(`search=page.&limit=2${cursor === '' ? '' : `&cursor=${cursor}`}`)
    seen.push(...namesOf(page))
    cursor = page.next_cursor
    pages += 1
  }
  t.strictSame(seen, ['page.1', 'page.2', 'page.3', 'page.4', 'page.5'])
  t.equal(pages, 3)
  t.match((await list('limit=1')).next_cursor, /^[0-9a-f-]{36}$/)
  t.match(await list('search=page.5'), { data: [{ id: /^[0-9a-f-]{36}$/, username: 'page.5', email: null, email_verified: false, role: 'user', status: 'active', created_at: /Z$/ }], next_cursor: null })
})

await t.test('search by how the username or the email begins, in any case, and by nothing else', async (t) => {
  await node.createUser({ username: 'Find_Me', email: 'other@find.example' })
  await node.createUser({ username: 'findxme', email: 'mail-of.two@find.example' })
  t.strictSame(namesOf(await list('search=FIND')).sort(), ['Find_Me', 'findxme'])
  t.strictSame(namesOf(await list('search=find_')), ['Find_Me'], 'what is a wildcard in SQL is a letter here')
  t.strictSame(namesOf(await list('search=%25')), [])
  t.strictSame(namesOf(await list('search=%5C')), [])
  t.strictSame(namesOf(await list('search=mail-of')), ['findxme'])
  t.strictSame(namesOf(await list('search=me')), [], 'not in the middle')
  t.strictSame(namesOf(await list(`search=${encodeURIComponent("' OR 1=1 --")}`)), [])
  t.strictSame(namesOf(await list('role=admin')), [admin.username])
  t.strictSame(namesOf(await list('status=suspended')), [])
})

await t.test('a parameter that there is not is refused by name, and nobody is listed [attack:mistyped-parameter]', async (t) => {
  for (const [path, name, known] of [
    ['/admin/users?serach=alice', 'serach', 'it takes search, role, status, cursor, and limit'],
    ['/admin/users?search=alice&Role=admin', 'Role', 'it takes search'],
    ['/admin/users?%73erach=alice', 'serach', 'it takes search'],
    ['/admin/users/?q[]=x', 'q[]', 'it takes search'],
    ['/admin/sessions?usr=x', 'usr', 'it takes user, cursor, and limit'],
    ['/admin/audit?form=2020-01-01T00:00:00Z', 'form', 'it takes user'],
    ['/admin/keys?status=current', 'status', 'it takes none'],
    ['/users/me/sessions?limit=1', 'limit', 'it takes none'],
  ] as const) {
    const { status, text } = await ask({ path })
    t.equal(status, 400, path)
    t.ok(text.includes(`${name} is not a parameter of this path: ${known}`), text)
  }
  for (const path of ['/admin/users?=x', '/admin/users?__proto__=x', `/admin/users?${'x'.repeat(500)}=1`, '/admin/users?%0d%0a=1', '/admin/users?sk_live_abcdefgh=1']) {
    const { status, text } = await ask({ path })
    t.equal(status, 400, path)
    t.notMatch(text, /x{50}|sk_live_/)
  }
  t.equal((await ask({ path: `/admin/users/${admin.id}?search=x`, method: 'DELETE' })).status, 400, 'nothing is done either')
  for (const path of ['/admin/users?', '/admin/users?&', '/users/me?fields=id', '/users/me?limit=1']) t.equal((await ask({ path })).status, 200, path)
})

await t.test('a list that is asked for badly: 400', async (t) => {
  for (const query of ['limit=0', 'limit=201', 'limit=x', 'limit=1&limit=2', 'cursor=x', 'role=root', 'status=', 'search=', 'search=a%00b', `search=${'x'.repeat(255)}`]) {
    t.match(await ask({ path: `/admin/users?${query}` }), problem(400, /./), query)
  }
})

await t.test('an account that guesses have locked is shown as locked, until when, and from which origins', async (t) => {
  const person = await node.createUser({ username: 'guessedat', password, pin: '4711' })
  const lockout = async () => (dataOf(await ask({ path: pathOf(person) })) as { lockout: object }).lockout
  const none = { failures: 0, wrong_pins: 0, locked_until: null, pin_closed: false }
  t.same(await lockout(), { locked_until: null, pin_closed: false, known_origins: none, unknown_origins: none })
  for (let i = 0; i < 5; i += 1) await knock(node, 'pin', { name: 'guessedat', pin: '0000' })
  const { locked_until: until } = (await lockout()) as { locked_until: string }
  const waitMs = Date.parse(until) - node.clock.now().getTime()
  t.ok(waitMs > 0 && waitMs <= 31_000, `${waitMs} ms`)
  t.same(await lockout(), { locked_until: until, pin_closed: false, known_origins: none, unknown_origins: { failures: 5, wrong_pins: 5, locked_until: until, pin_closed: false } })
  await node.core.pool.query('UPDATE attempts SET pin_failures = 10 WHERE subject = $1', [person.id])
  t.match(await lockout(), { pin_closed: true, unknown_origins: { pin_closed: true } })
  t.equal((await ask({ method: 'POST', path: pathOf(person, '/unlock') })).status, 204)
  t.match(await lockout(), { locked_until: null, pin_closed: true, unknown_origins: { failures: 0, pin_closed: true } })
  t.equal((await ask({ method: 'POST', path: pathOf(person, '/pin'), body: { pin: '987654' } })).status, 204)
  t.same(await lockout(), { locked_until: null, pin_closed: false, known_origins: none, unknown_origins: none })
})

await t.test('a user is created, and can log in', async (t) => {
  const answer = await ask({ method: 'POST', path: '/admin/users', body: { username: 'made', email: 'Made@example.com', password, pin: '4711', role: 'user' } })
  t.match(answer, { status: 201, body: { data: { username: 'made', email: 'Made@example.com', has_password: true, has_pin: true, tfa_enabled: false, sessions: 0, api_keys: 0, status: 'active' } } })
  const { id } = dataOf(answer) as { id: string }
  await didIt(t, 'user_created', id, { role: 'user' })
  await logIn(node, 'made')
  t.match(await ask({ path: pathOf({ id }) }), { status: 200, body: { data: { id, sessions: 1 } } })
  t.match(await ask({ method: 'POST', path: '/admin/users', body: { username: 'MADE' } }), problem(409, 'that username or email is taken'))
  t.match(await ask({ method: 'POST', path: '/admin/users', body: { email: 'made@EXAMPLE.com' } }), problem(409, 'that username or email is taken'))
})

const badAccounts: [body: unknown, detail: RegExp][] = [
  [{}, /a user needs a username, an email or both/],
  [undefined, /a user needs/],
  [{ username: 'a@b' }, /username must not contain @/],
  [{ username: 1 }, /username/],
  [{ username: 'x', role: 'root' }, /role/],
  [{ username: 'x', password: 'short' }, /password/],
  [{ username: 'x', pin: 'abcd' }, /pin must have 4 to 12 digits/],
  [{ email: 'x@example.com', pin: '4711' }, /a PIN is used with a username/],
  [{ email: 'nowhere' }, /email must be an address/],
  ['{"username":"x","username":"y"}', /./],
  ['{"username":"x","__proto__":{"role":"admin"}}', /./],
  ['{"username":"a\\u0000b"}', /./],
  ['[]', /./],
  ['null', /./],
]

await t.test('an account that cannot be: 400, and nobody is created', async (t) => {
  const before = (await list('limit=200')).data.length
  for (const [body, detail] of badAccounts) t.match(await ask({ method: 'POST', path: '/admin/users', body }), problem(400, detail), JSON.stringify(body))
  t.equal((await list('limit=200')).data.length, before)
})

await t.test('nobody’s id, and what is no id: 404', async (t) => {
  for (const id of [nobody, 'x', '%00', "'--"]) {
    t.match(await ask({ path: `/admin/users/${id}` }), problem(404, 'there is no such user'))
    t.match(await ask({ method: 'PATCH', path: `/admin/users/${id}`, body: { role: 'admin' } }), problem(404, 'there is no such user'))
    t.match(await ask({ method: 'DELETE', path: `/admin/users/${id}` }), problem(404, 'there is no such user'))
    for (const rest of ['password', 'pin', 'reset-totp', 'unlock', 'revoke']) {
      t.match(await ask({ method: 'POST', path: `/admin/users/${id}/${rest}`, body: { password, pin: '4711' } }), problem(404, 'there is no such user'), rest)
    }
  }
})

const me = (person: Person, token = person.token) => send(node, { path: '/users/me', token })

await t.test('suspended: every session ends; active again: a new login', async (t) => {
  const person = await somebody(node)
  t.match(await ask({ method: 'PATCH', path: pathOf(person), body: { status: 'suspended' } }), { status: 200, body: { data: { status: 'suspended', sessions: 0 } } })
  await didIt(t, 'user_suspended', person.id)
  t.equal((await me(person)).status, 403)
  await t.rejects(refresh(node, person.grant), { code: 'refresh_invalid' })
  await t.rejects(logIn(node, person.username), { code: 'invalid_credentials' })
  t.match(await ask({ method: 'PATCH', path: pathOf(person), body: { status: 'active' } }), { status: 200, body: { data: { status: 'active' } } })
  await logIn(node, person.username)
})

await t.test('other names: access tokens of the old ones end, the session lives on', async (t) => {
  const person = await somebody(node)
  const answer = await ask({ method: 'PATCH', path: pathOf(person), body: { username: 'renamed', email: 'renamed@example.com', email_verified: true } })
  t.match(answer, { status: 200, body: { data: { username: 'renamed', email: 'renamed@example.com', email_verified: true, sessions: 1 } } })
  await didIt(t, 'user_renamed', person.id, { changed: ['username', 'email', 'emailVerified'] })
  t.equal((await me(person)).status, 403)
  const { accessToken } = await refresh(node, person.grant)
  t.match(await me(person, accessToken), { body: { data: { username: 'renamed' } } })
  t.match(await ask({ method: 'PATCH', path: pathOf(person), body: { email: 'else@example.com' } }), { body: { data: { email_verified: false, username: 'renamed' } } }, 'another address is not verified')
  t.match(await ask({ method: 'PATCH', path: pathOf(person), body: { email: null } }), { body: { data: { email: null } } })
  await logIn(node, 'renamed')
})

await t.test('a name of long ago, by rules of long ago, stands in the way of nothing', async (t) => {
  const person = await somebody(node)
  const client = await node.database.client()
  await client.query(`update users set username = 'old  Name!', username_canonical = 'old  name!' where id = $1`, [person.id])
  t.match(await ask({ method: 'PATCH', path: pathOf(person), body: { email: 'long.ago@example.com', role: 'admin' } }), { status: 200, body: { data: { username: 'old  Name!', email: 'long.ago@example.com', role: 'admin' } } })
  t.equal((await ask({ method: 'PATCH', path: pathOf(person), body: { role: 'user' } })).status, 200)
})

await t.test('role, status and names together, or none of them', async (t) => {
  const person = await somebody(node)
  const other = await somebody(node)
  const taken = await ask({ method: 'PATCH', path: pathOf(person), body: { role: 'admin', username: other.username } })
  t.match(taken, problem(409, 'that username or email is taken'))
  t.match(await ask({ path: pathOf(person) }), { body: { data: { role: 'user', username: person.username } } })
  t.match(await ask({ method: 'PATCH', path: pathOf(person), body: { role: 'admin', username: 'all.at.once', email_verified: true } }), {
    status: 200,
    body: { data: { role: 'admin', username: 'all.at.once', email_verified: true, sessions: 1 } },
  })
  t.match(await ask({ method: 'PATCH', path: pathOf(person), body: { role: 'user' } }), { status: 200 })
})

await t.test('a change that cannot be: 400', async (t) => {
  const person = await somebody(node, { pin: '4711' })
  const bad: [body: unknown, detail: RegExp][] = [
    [{}, /give at least one of/],
    [undefined, /give at least one of/],
    [{ id: nobody, epoch: 7 }, /give at least one of/],
    [{ status: 'deleted' }, /status/],
    [{ role: null }, /role/],
    [{ username: null, email: null }, /a user needs a username, an email or both/],
    [{ username: null }, /a PIN is used with a username/],
    [{ username: 'a@b' }, /must not contain @/],
    [{ email_verified: 'yes' }, /email_verified/],
  ]
  for (const [body, detail] of bad) t.match(await ask({ method: 'PATCH', path: pathOf(person), body }), problem(400, detail), JSON.stringify(body))
  t.match(await ask({ path: pathOf(person) }), { body: { data: { username: person.username, status: 'active' } } })
})

await t.test('ten operators give ten users one name at once: one of them gets it', async (t) => {
  const people = await Promise.all(Array.from({ length: 10 }, () => somebody(node)))
  const statuses = await Promise.all(people.map(async (person) => (await ask({ method: 'PATCH', path: pathOf(person), body: { username: 'wanted.by.all' } })).status))
  t.strictSame(statuses.sort(), [200, ...Array.from({ length: 9 }, () => 409)])
})

await t.test('a new password: the old one and every session are over', async (t) => {
  const person = await somebody(node)
  t.match(await ask({ method: 'POST', path: pathOf(person, '/password'), body: { password: 'another long password' } }), { status: 204, text: '' })
  await didIt(t, 'password_changed', person.id)
  t.equal((await me(person)).status, 403)
  await t.rejects(logIn(node, person.username), { code: 'invalid_credentials' })
  await logIn(node, person.username, { password: 'another long password' })
  for (const body of [{}, { password: 'short' }, { password: 'x'.repeat(129) }, { password: 12345678 }, { password: null }]) {
    t.match(await ask({ method: 'POST', path: pathOf(person, '/password'), body }), problem(400, /password/), JSON.stringify(body))
  }
})

await t.test('a new PIN', async (t) => {
  const person = await somebody(node)
  t.equal((await ask({ method: 'POST', path: pathOf(person, '/pin'), body: { pin: '271828' } })).status, 204)
  await didIt(t, 'pin_changed', person.id)
  t.equal((await send(node, { method: 'POST', path: '/auth/login', body: { name: person.username, pin: '271828' } })).status, 200)
  for (const pin of ['123', '1234567890123', '12a4', 1234, null]) t.match(await ask({ method: 'POST', path: pathOf(person, '/pin'), body: { pin } }), problem(400, /pin/), String(pin))
})

await t.test('a lost second factor is switched off', async (t) => {
  const person = await somebody(node)
  const generated = await send(node, { method: 'POST', path: '/users/me/tfa/generate', token: person.token, body: { password } })
  const { secret } = dataOf(generated) as { secret: string }
  t.equal((await send(node, { method: 'POST', path: '/users/me/tfa/enable', token: person.token, body: { secret, otp: codeOf(node, secret) } })).status, 200)
  t.match(await ask({ path: pathOf(person) }), { body: { data: { tfa_enabled: true } } })
  t.equal((await ask({ method: 'POST', path: pathOf(person, '/reset-totp') })).status, 204)
  await didIt(t, 'totp_disabled', person.id)
  t.match(await ask({ path: pathOf(person) }), { body: { data: { tfa_enabled: false } } })
  t.equal((await ask({ method: 'POST', path: pathOf(person, '/reset-totp') })).status, 204, 'there is none, which is what was asked for')
})

await t.test('the wait after failures is lifted', async (t) => {
  const person = await somebody(node)
  for (let i = 0; i < 6; i += 1) await logIn(node, person.username, { password: 'wrong wrong' }).catch(() => undefined)
  await t.rejects(logIn(node, person.username), { code: 'invalid_credentials' })
  t.equal((await ask({ method: 'POST', path: pathOf(person, '/unlock') })).status, 204)
  await didIt(t, 'user_unlocked', person.id)
  await logIn(node, person.username)
})

await t.test('revoked: sessions and keys are over, a login is possible; deleted: gone', async (t) => {
  const person = await somebody(node)
  const key = await newApiKey(node, person.id)
  t.match(await ask({ path: pathOf(person) }), { body: { data: { sessions: 1, api_keys: 1 } } })
  t.equal((await ask({ method: 'POST', path: pathOf(person, '/revoke') })).status, 204)
  await didIt(t, 'user_revoked', person.id)
  t.equal((await me(person)).status, 403)
  t.equal((await me(person, key)).status, 401)
  const again = await logIn(node, person.username)
  t.equal((await ask({ method: 'DELETE', path: pathOf(person) })).status, 204)
  await didIt(t, 'user_deleted', person.id)
  t.equal((await me(person, again.accessToken)).status, 403)
  t.equal((await ask({ path: pathOf(person) })).status, 404)
  t.equal((await ask({ method: 'DELETE', path: pathOf(person) })).status, 404)
})

await t.test('nobody locks themselves out: 409, and says where it is done', async (t) => {
  const self: [Call, RegExp][] = [
    [{ method: 'DELETE', path: pathOf(admin) }, /cannot delete yourself/],
    [{ method: 'PATCH', path: pathOf(admin), body: { status: 'suspended' } }, /cannot suspend yourself/],
    [{ method: 'PATCH', path: pathOf(admin), body: { role: 'user' } }, /cannot change your own role/],
    [{ method: 'PATCH', path: pathOf(admin), body: { username: 'still.me', role: 'user' } }, /cannot change your own role/],
    [{ method: 'POST', path: pathOf(admin, '/password'), body: { password } }, /\/users\/me\/password/],
    [{ method: 'POST', path: pathOf(admin, '/pin'), body: { pin: '4711' } }, /\/users\/me\/pin/],
    [{ method: 'POST', path: pathOf(admin, '/reset-totp') }, /\/users\/me\/tfa\/disable/],
    [{ method: 'POST', path: pathOf(admin, '/revoke') }, /cannot revoke yourself/],
  ]
  for (const token of [admin.token, admin.key]) {
    for (const [call, detail] of self) t.match(await ask({ ...call, token }), problem(409, detail), `${String(call.method)} ${call.path}`)
  }
  t.match(await ask({ path: pathOf(admin) }), { status: 200, body: { data: { username: admin.username, role: 'admin', status: 'active' } } })
  t.equal((await ask({ method: 'POST', path: pathOf(admin, '/unlock') })).status, 204)
  t.equal((await ask({ method: 'PATCH', path: pathOf(admin), body: { role: 'admin', status: 'active' } })).status, 200, 'what is so already is no change')
})

await t.test('two administrators who take away each other’s rights at once: one of them is left', async (t) => {
  const ways: Omit<Call, 'path'>[] = [{ method: 'DELETE' }, { method: 'PATCH', body: { status: 'suspended' } }, { method: 'PATCH', body: { role: 'user' } }]
  for (const way of ways) {
    const [one, other] = [await newAdmin(node), await newAdmin(node)]
    // Both have shown who they are before either of them is done.
    const held = await node.database.client()
    await held.query('BEGIN')
    await held.query('SELECT 1 FROM users WHERE id = ANY ($1) FOR UPDATE', [[one.id, other.id]])
    const answers = Promise.all([ask({ ...way, path: pathOf(other), token: one.token }), ask({ ...way, path: pathOf(one), token: other.token })])
    await untilSomebodyWaits(node.core.pool, 2)
    await held.query('COMMIT')
    const [done, refused] = (await answers).sort((a, b) => a.status - b.status)
    t.equal(done.status, way.method === 'DELETE' ? 204 : 200)
    t.match(refused, problem(403, 'you are no administrator any more'))
  }
})

await t.test('what a key does is told of the key', async (t) => {
  const person = await somebody(node)
  t.equal((await ask({ method: 'POST', path: pathOf(person, '/revoke'), token: admin.key })).status, 204)
  t.match(await lastEvent(node), { type: 'user_revoked', actor: { kind: 'operator', id: /^api_key:[0-9a-f-]{36}$/ }, userId: person.id })
})

import t from 'tap'
import { startTestApp } from '../../support/app.js'
import { invalidCredentials, invalidPayload, invalidToken, logIn, newApiKey, password, refresh, send, somebody } from '../../support/account.js'

const node = await startTestApp(t)
const fresh = 'a fresh password'
const change = (token: string, current = password, next = fresh) =>
  send(node, { method: 'POST', path: '/users/me/password', token, body: { current, new: next } })
const isAlive = async (token: string) => (await send(node, { path: '/users/me', token })).status === 200

await t.test('case 25: a change leaves exactly its own session alive, with its tokens; all others are dead', async (t) => {
  const { id, username, token, grant } = await somebody(node)
  const dialects = ['pin', 'directus', 'bearer', 'tokenset'] as const
  const others = await Promise.all(dialects.map((dialect) => logIn(node, username, { dialect })))
  const key = await newApiKey(node, id)

  const answer = await change(token)
  t.strictSame([answer.status, answer.text], [204, ''])
  t.equal(answer.headers.get('cache-control'), 'no-store')

  t.ok(await isAlive(token), 'its access token still works')
  const refreshed = await refresh(node, grant)
  t.ok(await isAlive(refreshed.accessToken), 'and so do its refresh token and the successors')
  for (const other of others) {
    const { dialect } = other.state.session
    t.strictSame((await send(node, { path: '/users/me', token: other.accessToken })).body, invalidToken, `access token of ${dialect}`)
    await t.rejects(refresh(node, other), { code: 'refresh_invalid' }, `refresh token of ${dialect}`)
  }
  t.ok(await isAlive(key), 'API keys live on')
  await t.rejects(logIn(node, username), { code: 'invalid_credentials' })
  await t.resolves(logIn(node, username, { password: fresh }))
})

await t.test('case 25: on every node', async (t) => {
  const { username, token } = await somebody(node)
  const other = await logIn(node, username)
  const second = await startTestApp(t, { database: node.database, clock: node.clock, environment: { REVOCATION_MAX_LAG_MS: '2000' } })
  t.equal((await send(second, { path: '/users/me', token: other.accessToken })).status, 200)
  t.equal((await change(token)).status, 204)
  const deadline = Date.now() + 2000
  while ((await send(second, { path: '/users/me', token: other.accessToken })).status === 200 && Date.now() < deadline);
  t.equal((await send(second, { path: '/users/me', token: other.accessToken })).status, 403)
  t.equal((await send(second, { path: '/users/me', token })).status, 200)
})

await t.test('a wrong password changes nothing', async (t) => {
  const { username, token } = await somebody(node)
  const other = await logIn(node, username)
  const answer = await change(token, 'not my password')
  t.strictSame([answer.status, answer.body], [401, invalidCredentials])
  t.equal(answer.headers.get('www-authenticate'), null)
  t.ok(await isAlive(other.accessToken))
  await t.resolves(logIn(node, username))
})

await t.test('of two changes at once one wins, from one session', async (t) => {
  const { username, token } = await somebody(node)
  const passwords = ['first password', 'second password']
  const answers = await Promise.all(passwords.map((next) => change(token, password, next)))
  t.strictSame(answers.map(({ status }) => status).sort(), [204, 401])
  const winner = answers.findIndex(({ status }) => status === 204)
  t.strictSame(answers[1 - winner]?.body, invalidCredentials)
  await t.resolves(logIn(node, username, { password: passwords[winner] ?? '' }))
  await t.rejects(logIn(node, username, { password: passwords[1 - winner] ?? '' }))
  t.ok(await isAlive(token))
})

await t.test('of two changes at once one wins, from two sessions and two places', async (t) => {
  const { id, username, grant } = await somebody(node)
  const elsewhere = await logIn(node, username)
  const origins = ['127.0.0.1', '203.0.113.9']
  const principals = await Promise.all([grant, elsewhere].map(({ accessToken: token }) => node.app.identity.authenticate({ kind: 'access_token', token, via: 'header' })))
  const passwords = ['first password', 'second password']
  const outcomes = await Promise.allSettled(
    principals.map((principal, i) => {
      if (principal.kind !== 'session') throw new Error('not a session')
      const origin = { ip: origins[i] ?? '', userAgent: null, requestId: null }
      return node.app.identity.account.changePassword(principal, { current: password, new: passwords[i] ?? '' }, origin)
    }),
  )
  t.strictSame(outcomes.map(({ status }) => status).sort(), ['fulfilled', 'rejected'])
  const winner = outcomes.findIndex(({ status }) => status === 'fulfilled')
  t.match(outcomes[1 - winner], { reason: { code: /^(access_token_invalid|invalid_credentials)$/ } }, 'the session of the other has ended, or its password is no more')
  t.ok(await isAlive([grant, elsewhere][winner]?.accessToken ?? ''))
  t.notOk(await isAlive([grant, elsewhere][1 - winner]?.accessToken ?? ''))
  await t.resolves(logIn(node, username, { password: passwords[winner] ?? '' }))
  const client = await node.database.client()
  const { rows } = await client.query('select epoch from users where id = $1', [id])
  t.strictSame(rows, [{ epoch: 1 }])
})

await t.test('wrong passwords here count for the lockout, and a locked account is told nothing else', async (t) => {
  const { username, token } = await somebody(node)
  const other = await logIn(node, username)
  for (let i = 0; i < 5; i += 1) t.equal((await change(token, `wrong ${i}`)).status, 401)
  const locked = await change(token)
  t.strictSame([locked.status, locked.body], [401, invalidCredentials], 'the right password, too soon')
  await t.rejects(logIn(node, username), { code: 'invalid_credentials' }, 'no login either')
  t.ok(await isAlive(token), 'sessions that exist live on')
  await t.resolves(refresh(node, other))
  await node.clock.advance(31)
  t.equal((await change(token)).status, 204)
})

await t.test('failed logins count for it too', async (t) => {
  const { username, token } = await somebody(node)
  for (let i = 0; i < 5; i += 1) await t.rejects(logIn(node, username, { password: 'wrong' }))
  t.equal((await change(token)).status, 401)
})

await t.test('a stranger elsewhere cannot lock the user out of it', async (t) => {
  const { username, token } = await somebody(node)
  for (let i = 0; i < 8; i += 1) await t.rejects(logIn(node, username, { password: 'wrong', ip: '198.51.100.66' }))
  t.equal((await change(token)).status, 204)
})

await t.test('parallel guesses are evaluated one allowance at most', async (t) => {
  const { id, token } = await somebody(node)
  const answers = await Promise.all(Array.from({ length: 20 }, (_, i) => change(token, `guess ${i}`)))
  t.ok(answers.every(({ status }) => status === 401 || status === 503))
  const client = await node.database.client()
  const { rows } = await client.query<{ failures: number }>("select failures from attempts where subject = $1 and origin = 'known'", [id])
  t.strictSame(rows, [{ failures: 5 }])
})

await t.test('the policy for new passwords', async (t) => {
  const { username, token } = await somebody(node)
  for (const [next, reason] of [
    ['1234567', 'new must be at least 8 characters'],
    ['x'.repeat(129), 'new must be at most 128 characters'],
    ['𝒳'.repeat(7), 'new must be at least 8 characters'],
  ] as const) {
    const answer = await change(token, password, next)
    t.strictSame([answer.status, answer.body], [400, invalidPayload(reason)])
  }
  const longest = '𝒳'.repeat(128)
  t.equal((await change(token, password, longest)).status, 204)
  await t.resolves(logIn(node, username, { password: longest }))
  t.equal((await change(token, longest, '        ')).status, 204)
  await t.resolves(logIn(node, username, { password: '        ' }))
})

await t.test('a user without a password cannot confirm with one', async (t) => {
  const user = await node.createUser({ username: 'pinonly', pin: '0815' })
  const grant = await node.app.identity.login({
    dialect: node.app.dialectPolicies.pin,
    identifier: { by: 'username', canonical: 'pinonly', folded: 'pinonly' },
    factor: 'pin',
    secret: '0815',
    otp: null,
    origin: { ip: '127.0.0.1', userAgent: null, requestId: null },
    refreshCookies: [],
    replaces: null,
  })
  t.equal(grant.state.user.id, user.id)
  t.strictSame((await change(grant.accessToken, '0815')).body, invalidCredentials)
})

await t.test('a session that was ended while it asked stays dead, and the password stays', async (t) => {
  const { username, grant } = await somebody(node)
  const owner = await logIn(node, username)
  const [thief, own] = await Promise.all([grant, owner].map(({ accessToken: token }) => node.app.identity.authenticate({ kind: 'access_token', token, via: 'header' })))
  if (thief?.kind !== 'session' || own?.kind !== 'session') throw new Error('not a session')
  const origin = { ip: '127.0.0.1', userAgent: null, requestId: null }
  await node.app.identity.account.endOtherSessions(own, origin)

  const { account } = node.app.identity
  await t.rejects(account.changePassword(thief, { current: password, new: fresh }, origin), { code: 'access_token_invalid' })
  await t.rejects(account.setPin(thief, { password, pin: '1234' }, origin), { code: 'access_token_invalid' })
  await t.rejects(account.generateTotp(thief, password, origin), { code: 'access_token_invalid' })
  await t.rejects(account.endOtherSessions(thief, origin), { code: 'access_token_invalid' })
  await t.rejects(account.endSession(thief, own.sessionId, origin), { code: 'access_token_invalid' })
  t.notOk(await isAlive(grant.accessToken))
  await t.rejects(refresh(node, grant), { code: 'refresh_invalid' })
  t.ok(await isAlive(owner.accessToken))
  await t.resolves(refresh(node, owner))
  await t.resolves(logIn(node, username))
})

await t.test('neither password is in any log line', async (t) => {
  const { token } = await somebody(node)
  await change(token, 'wrong secret one', 'new secret two')
  await change(token, password, 'new secret two')
  for (const secret of ['wrong secret one', 'new secret two', password]) t.notOk(node.logLines.join('').includes(secret))
})

import t from 'tap'
import { startTestApp, type TestApp } from '../../support/app.js'
import { invalidCredentials, invalidPayload, invalidToken, logIn, password, refresh, send, somebody } from '../../support/account.js'

const node = await startTestApp(t)
const setPin = (token: string, pin: string, given = password) => send(node, { method: 'POST', path: '/users/me/pin', token, body: { password: given, pin } })

const logInByPin = (from: TestApp, username: string, pin: string) =>
  from.app.identity.login({
    dialect: from.app.dialectPolicies.pin,
    identifier: { by: 'username', canonical: username, folded: username },
    factor: 'pin',
    secret: pin,
    otp: null,
    origin: { ip: '127.0.0.1', userAgent: null, requestId: null },
    refreshCookies: [],
    replaces: null,
  })

await t.test('case 25: the new PIN opens a session, the old one does not, and every other session is over', async (t) => {
  const { username, token, grant } = await somebody(node, { pin: '0000' })
  const till = await logInByPin(node, username, '0000')
  const answer = await setPin(token, '123456789012')
  t.strictSame([answer.status, answer.text], [204, ''])
  t.strictSame((await send(node, { path: '/users/me', token: till.accessToken })).body, invalidToken)
  await t.rejects(refresh(node, till), { code: 'refresh_invalid' })
  t.equal((await send(node, { path: '/users/me', token })).status, 200)
  await t.resolves(refresh(node, grant))
  await t.rejects(logInByPin(node, username, '0000'), { code: 'invalid_credentials' })
  await t.resolves(logInByPin(node, username, '123456789012'))
  await t.resolves(logIn(node, username), 'the password is what it was')
})

await t.test('a first PIN', async (t) => {
  const { username, token } = await somebody(node)
  await t.rejects(logInByPin(node, username, '4711'))
  t.equal((await setPin(token, '4711')).status, 204)
  await t.resolves(logInByPin(node, username, '4711'))
})

await t.test('a PIN that was closed by guesses is open again', async (t) => {
  const { username, token } = await somebody(node, { pin: '0000' })
  for (let i = 0; i < 10; i += 1) {
    await t.rejects(logInByPin(node, username, '9999'))
    await node.clock.advance(30 * 2 ** Math.max(0, i - 4) + 1)
  }
  await t.rejects(logInByPin(node, username, '0000'), { code: 'invalid_credentials' }, 'closed')
  const own = (await logIn(node, username)).accessToken
  await t.rejects(logInByPin(node, username, '0000'), { code: 'invalid_credentials' }, 'a login by password does not open it')
  t.equal((await setPin(own, '2468')).status, 204)
  await t.resolves(logInByPin(node, username, '2468'))
  t.equal((await send(node, { path: '/users/me', token })).status, 401, 'expired long ago')
})

await t.test('a wrong password changes nothing and counts', async (t) => {
  const { username, token } = await somebody(node, { pin: '0000' })
  for (let i = 0; i < 5; i += 1) {
    const answer = await setPin(token, '1111', `wrong ${i}`)
    t.strictSame([answer.status, answer.body], [401, invalidCredentials])
  }
  t.strictSame((await setPin(token, '1111')).body, invalidCredentials, 'locked')
  await node.clock.advance(31)
  await t.resolves(logInByPin(node, username, '0000'))
})

await t.test('what is no PIN', async (t) => {
  const { token } = await somebody(node)
  for (const [pin, reason] of [
    ['123', 'pin must be at least 4 characters'],
    ['1'.repeat(13), 'pin must be at most 12 characters'],
    ['12a4', 'pin must have 4 to 12 digits'],
    ['1234\n', 'pin must have 4 to 12 digits'],
    ['١٢٣٤', 'pin must have 4 to 12 digits'],
    ['    ', 'pin must have 4 to 12 digits'],
  ] as const) {
    const answer = await setPin(token, pin)
    t.strictSame([answer.status, answer.body], [400, invalidPayload(reason)], JSON.stringify(pin))
  }
})

await t.test('a user without a username has no use for a PIN', async (t) => {
  await node.createUser({ email: 'nameless@example.com', password })
  const { accessToken } = await node.app.identity.login({
    dialect: node.app.dialectPolicies.directus,
    identifier: { by: 'email', canonical: 'nameless@example.com', folded: 'nameless@example.com' },
    factor: 'password',
    secret: password,
    otp: null,
    origin: { ip: '127.0.0.1', userAgent: null, requestId: null },
    refreshCookies: [],
    replaces: null,
  })
  const answer = await setPin(accessToken, '1234')
  t.strictSame([answer.status, answer.body], [400, invalidPayload('a PIN is used with a username, and you have none')])
})

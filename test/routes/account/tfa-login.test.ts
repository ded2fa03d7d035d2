import t, { type Test } from 'tap'
import { startTestApp } from '../../support/app.js'
import { codeOf, invalidCredentials, invalidOtp, password, send, somebody, type Answer } from '../../support/account.js'

const node = await startTestApp(t)
const pin = '4711'

/** A login as each source writes it; the answer when there is no second factor, or a wrong one. */
const logins = {
  pin: {
    path: '/auth/login',
    body: (username: string, wrong: boolean) => ({ name: username, pin: wrong ? '9999' : pin }),
    refused: [401, { message: 'Invalid credentials' }],
    wrongSecret: [401, { message: 'Invalid credentials' }],
  },
  directus: {
    path: '/auth/login',
    body: (username: string, wrong: boolean) => ({ email: `${username}@example.com`, password: wrong ? 'wrong' : password }),
    refused: [401, invalidOtp],
    wrongSecret: [401, invalidCredentials],
  },
  bearer: {
    path: '/api/v1/auth/login',
    body: (username: string, wrong: boolean) => ({ username, password: wrong ? 'wrong' : password }),
    refused: [401, { error: 'Invalid credentials' }],
    wrongSecret: [401, { error: 'Invalid credentials' }],
  },
  tokenset: {
    path: '/v1/auth',
    body: (username: string, wrong: boolean) => ({ username, password: wrong ? 'wrong' : password }),
    refused: [400, { statusCode: 400, statusMessage: 'Login failed', error: 'Incorrect username or password.' }],
    wrongSecret: [400, { statusCode: 400, statusMessage: 'Login failed', error: 'Incorrect username or password.' }],
  },
} as const

type Dialect = keyof typeof logins

const logIn = (dialect: Dialect, username: string, otp?: unknown, wrong = false): Promise<Answer> =>
  send(node, { method: 'POST', path: logins[dialect].path, body: { ...logins[dialect].body(username, wrong), ...(otp === undefined ? {} : { otp }) } })

/** Somebody with a second factor, enrolled by the calls of the account. */
async function enrolled() {
  const { token, username } = await somebody(node, { pin })
  const generated = await send(node, { method: 'POST', path: '/users/me/tfa/generate', token, body: { password } })
  const { secret } = (generated.body as { data: { secret: string } }).data
  const enabled = await send(node, { method: 'POST', path: '/users/me/tfa/enable', token, body: { secret, otp: codeOf(node, secret) } })
  await node.clock.advance(30)
  return { username, secret, recoveryCodes: (enabled.body as { data: { recovery_codes: string[] } }).data.recovery_codes }
}

function equals(t: Test, answer: Answer, [status, body]: readonly [number, unknown], message: string): void {
  t.strictSame([answer.status, answer.body], [status, body], message)
}

for (const dialect of Object.keys(logins) as Dialect[]) {
  const { refused, wrongSecret } = logins[dialect]

  await t.test(`${dialect}: nobody with a second factor gets in without it`, async (t) => {
    const { username, secret, recoveryCodes } = await enrolled()
    equals(t, await logIn(dialect, username), refused, 'no code')
    equals(t, await logIn(dialect, username, ''), refused, 'an empty code')
    equals(t, await logIn(dialect, username, '000000'), refused, 'a wrong code')
    equals(t, await logIn(dialect, username, codeOf(node, secret), true), wrongSecret, 'a good code after a wrong secret')

    const otp = codeOf(node, secret)
    t.equal((await logIn(dialect, username, otp)).status, 200, 'which is not used up by that')
    equals(t, await logIn(dialect, username, otp), refused, 'the same code again')
    t.equal((await logIn(dialect, username, recoveryCodes[0])).status, 200, 'a recovery code')
    equals(t, await logIn(dialect, username, recoveryCodes[0]), refused, 'the same recovery code again')
    t.equal((await logIn(dialect, username, 123456)).status, 400, 'a number is no code')
  })

  await t.test(`${dialect}: a code that is missing or wrong counts for the lockout`, async (t) => {
    const { username, secret } = await enrolled()
    for (const otp of [undefined, '', '000000', '000001', 'nonsense']) equals(t, await logIn(dialect, username, otp), refused, String(otp))
    equals(t, await logIn(dialect, username, codeOf(node, secret)), wrongSecret, 'locked: the credential error, the right code or not')
    await node.clock.advance(31)
    t.equal((await logIn(dialect, username, codeOf(node, secret))).status, 200)
  })
}

await t.test('a code that was used in one dialect is used up in all', async (t) => {
  const { username, secret } = await enrolled()
  const otp = codeOf(node, secret)
  t.equal((await logIn('bearer', username, otp)).status, 200)
  for (const dialect of Object.keys(logins) as Dialect[]) equals(t, await logIn(dialect, username, otp), logins[dialect].refused, dialect)
})

import t from 'tap'
import { startTestApp } from '../../support/app.js'
import { codeOf, invalidCredentials, invalidOtp, invalidPayload, logIn, password, send, somebody, type Person } from '../../support/account.js'

const node = await startTestApp(t)

const generate = (token: string, given = password) => send(node, { method: 'POST', path: '/users/me/tfa/generate', token, body: { password: given } })
const enable = (token: string, secret: string, otp: string) => send(node, { method: 'POST', path: '/users/me/tfa/enable', token, body: { secret, otp } })
const disable = (token: string, otp: string) => send(node, { method: 'POST', path: '/users/me/tfa/disable', token, body: { otp } })
const isEnabled = async (token: string) => ((await send(node, { path: '/users/me', token })).body as { data: { tfa_enabled: boolean } }).data.tfa_enabled

async function generated(token: string): Promise<string> {
  const { body } = await generate(token)
  return (body as { data: { secret: string } }).data.secret
}

interface Enrolled extends Person {
  readonly secret: string
  readonly recoveryCodes: readonly string[]
}

/** Somebody with a second factor; the code of this moment is used up. */
async function enrolled(): Promise<Enrolled> {
  const person = await somebody(node)
  const secret = await generated(person.token)
  const { body } = await enable(person.token, secret, codeOf(node, secret))
  return { ...person, secret, recoveryCodes: (body as { data: { recovery_codes: string[] } }).data.recovery_codes }
}

const nextStep = () => node.clock.advance(30)

await t.test('generate, enable, and log in with a code in every dialect, each code once', async (t) => {
  const { token, username } = await somebody(node)
  const offer = await generate(token)
  t.equal(offer.status, 200)
  const { data } = offer.body as { data: { secret: string; otpauth_url: string } }
  t.strictSame(Object.keys(data).sort(), ['otpauth_url', 'secret'])
  t.match(data.secret, /^[A-Z2-7]{32}$/)
  const url = new URL(data.otpauth_url)
  t.equal(`${url.protocol}//${url.host}`, 'otpauth://totp')
  t.equal(url.searchParams.get('secret'), data.secret)
  t.equal(url.searchParams.get('issuer'), 'tessera')
  t.match(decodeURIComponent(url.pathname), `${username}@example.com`)
  t.notOk(await isEnabled(token), 'nothing has changed yet')
  await t.resolves(logIn(node, username))

  const done = await enable(token, data.secret, codeOf(node, data.secret))
  t.equal(done.status, 200)
  t.match(done.body, { data: { recovery_codes: Array.from({ length: 10 }, () => /^[2-9a-z]{5}-[2-9a-z]{5}$/) } })
  t.ok(await isEnabled(token))
  await t.rejects(logIn(node, username, { otp: codeOf(node, data.secret) }), { code: 'invalid_otp' }, 'the code that enabled it is used up')

  for (const dialect of ['pin', 'directus', 'bearer', 'tokenset'] as const) {
    await nextStep()
    const otp = codeOf(node, data.secret)
    await t.rejects(logIn(node, username, { dialect }), { code: 'invalid_otp' }, `${dialect}: no code`)
    await t.rejects(logIn(node, username, { dialect, otp: '' }), { code: 'invalid_otp' }, `${dialect}: an empty code`)
    const grant = await logIn(node, username, { dialect, otp })
    t.strictSame(grant.state.session.amr, ['pwd', 'otp'])
    await t.rejects(logIn(node, username, { dialect, otp }), { code: 'invalid_otp' }, `${dialect}: the same code again`)
  }
})

await t.test('a code of the step before or after is taken, of two steps away it is not', async (t) => {
  const { username, secret } = await enrolled()
  await node.clock.advance(300)
  await t.rejects(logIn(node, username, { otp: codeOf(node, secret, 2) }))
  await t.rejects(logIn(node, username, { otp: codeOf(node, secret, -2) }))
  await t.resolves(logIn(node, username, { otp: codeOf(node, secret, -1) }))
  await t.resolves(logIn(node, username, { otp: codeOf(node, secret, 1) }))
  await t.rejects(logIn(node, username, { otp: codeOf(node, secret) }), { code: 'invalid_otp' }, 'older than one that was used')
})

await t.test('a code in two groups, as an authenticator shows it, is that code', async (t) => {
  const { username, secret } = await enrolled()
  await nextStep()
  const code = codeOf(node, secret)
  for (const other of [`${code}0`, `-${code.slice(1)}`, code.replace(/\d/g, (digit) => String.fromCodePoint(0xff10 + Number(digit)))]) {
    await t.rejects(logIn(node, username, { otp: other }), { code: 'invalid_otp' }, other)
  }
  await t.resolves(logIn(node, username, { otp: ` ${code.slice(0, 3)} ${code.slice(3)}\n` }))
  await t.rejects(logIn(node, username, { otp: code }), { code: 'invalid_otp' }, 'it is used up, however it is written')
})

await t.test('case 43: one code, two logins at once: one session', async (t) => {
  const { username, secret } = await enrolled()
  await nextStep()
  const otp = codeOf(node, secret)
  const outcomes = await Promise.allSettled(Array.from({ length: 4 }, () => logIn(node, username, { otp })))
  t.equal(outcomes.filter(({ status }) => status === 'fulfilled').length, 1)
})

await t.test('a recovery code serves as otp once, however it is written', async (t) => {
  const { username, recoveryCodes } = await enrolled()
  const [first = '', second = ''] = recoveryCodes
  await t.resolves(logIn(node, username, { otp: first }))
  await t.rejects(logIn(node, username, { otp: first }), { code: 'invalid_otp' })
  await t.resolves(logIn(node, username, { otp: second.replace('-', ' ').toUpperCase() }))
  await t.rejects(logIn(node, username, { otp: second }), { code: 'invalid_otp' })
  const client = await node.database.client()
  const { rows } = await client.query<{ count: string }>("select count(*) from audit_events where type = 'recovery_code_used'")
  t.equal(Number(rows[0]?.count), 2)
})

await t.test('another user’s recovery code is none', async (t) => {
  const { username } = await enrolled()
  const { recoveryCodes } = await enrolled()
  await t.rejects(logIn(node, username, { otp: recoveryCodes[0] ?? '' }), { code: 'invalid_otp' })
})

await t.test('a wrong password generates nothing, and counts', async (t) => {
  const { token } = await somebody(node)
  for (let i = 0; i < 5; i += 1) {
    const answer = await generate(token, `wrong ${i}`)
    t.strictSame([answer.status, answer.body], [401, invalidCredentials])
  }
  t.strictSame((await generate(token)).body, invalidCredentials, 'locked')
})

await t.test('only the secret of this session, of the last ten minutes, can be enabled', async (t) => {
  const { token, username } = await somebody(node)
  const refused = invalidPayload('secret must be the one that was generated for this session in the last 10 minutes: call /users/me/tfa/generate again')
  const own = 'JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP'
  t.strictSame((await enable(token, own, codeOf(node, own))).body, refused, 'before any was generated')

  const secret = await generated(token)
  const other = (await logIn(node, username)).accessToken
  const elsewhere = await enable(other, secret, codeOf(node, secret))
  t.strictSame([elsewhere.status, elsewhere.body], [400, refused], 'another session of the same user')
  for (const wrong of [own, '', 'no base32!', `${secret}A`, secret.slice(1)]) {
    t.strictSame((await enable(token, wrong, codeOf(node, secret))).body, refused)
  }
  const second = await generated(token)
  t.strictSame((await enable(token, secret, codeOf(node, secret))).body, refused, 'a newer one takes its place')
  await node.clock.advance(600)
  t.strictSame((await enable(token, second, codeOf(node, second))).body, refused, 'after ten minutes')
  const third = await generated(token)
  await node.clock.advance(270)
  t.equal((await enable(token, third.toLowerCase(), codeOf(node, third))).status, 200, 'well before')
})

await t.test('a wrong code enables nothing, counts, and a locked account is told the same', async (t) => {
  const { token, username } = await somebody(node)
  const secret = await generated(token)
  for (let i = 0; i < 5; i += 1) {
    const answer = await enable(token, secret, codeOf(node, secret, 5 + i))
    t.strictSame([answer.status, answer.body], [401, invalidOtp])
  }
  const locked = await enable(token, secret, codeOf(node, secret))
  t.strictSame([locked.status, locked.body], [401, invalidOtp])
  await t.rejects(logIn(node, username), { code: 'invalid_credentials' }, 'over all factors')
  t.notOk(await isEnabled(token))
  const client = await node.database.client()
  const { rows } = await client.query("select type, detail->>'reason' as reason from audit_events where user_id = (select id from users where username = $1) and detail ? 'reason' order by id", [username])
  t.strictSame(rows.slice(-3), [
    { type: 'login_failed', reason: 'otp_wrong' },
    { type: 'login_locked', reason: 'locked' },
    { type: 'login_locked', reason: 'locked' },
  ])
  await node.clock.advance(31)
  t.equal((await enable(token, secret, codeOf(node, secret))).status, 200)
})

await t.test('it is enabled once: of two sessions at once, one', async (t) => {
  const { token, username } = await somebody(node)
  const other = (await logIn(node, username)).accessToken
  const [one, two] = [await generated(token), await generated(other)]
  const answers = await Promise.all([enable(token, one, codeOf(node, one)), enable(other, two, codeOf(node, two))])
  t.strictSame(answers.map(({ status }) => status).sort(), [200, 400])
  const winner = answers[0].status === 200 ? one : two
  const alreadyEnabled = invalidPayload('TFA is already enabled: disable it first')
  t.strictSame(answers.find(({ status }) => status === 400)?.body, alreadyEnabled)
  await nextStep()
  await t.resolves(logIn(node, username, { otp: codeOf(node, winner) }))
  t.strictSame((await generate(token)).body, alreadyEnabled)
})

await t.test('it is enabled once: of two places at once, one', async (t) => {
  for (let round = 0; round < 5; round += 1) {
    const { username, token } = await somebody(node)
    const tokens = [token, (await logIn(node, username)).accessToken]
    const secrets = [await generated(tokens[0] ?? ''), await generated(tokens[1] ?? '')]
    const outcomes = await Promise.allSettled(
      secrets.map(async (secret, i) => {
        const principal = await node.app.identity.authenticate({ kind: 'access_token', token: tokens[i] ?? '', via: 'header' })
        if (principal.kind !== 'session') throw new Error('not a session')
        const origin = { ip: ['127.0.0.1', '203.0.113.9'][i] ?? '', userAgent: null, requestId: null }
        return node.app.identity.account.enableTotp(principal, { secret, otp: codeOf(node, secret) }, origin)
      }),
    )
    t.strictSame(outcomes.map(({ status }) => status).sort(), ['fulfilled', 'rejected'])
  }
})

await t.test('disable takes a code, and then a login asks for none', async (t) => {
  const { token, username, secret } = await enrolled()
  t.strictSame((await disable(token, codeOf(node, secret))).body, invalidOtp, 'the code that enabled it is used up')
  t.strictSame((await disable(token, '000000')).body, invalidOtp)
  t.strictSame((await disable(token, '')).body, invalidOtp)
  await nextStep()
  const answer = await disable(token, codeOf(node, secret))
  t.strictSame([answer.status, answer.text], [204, ''])
  t.notOk(await isEnabled(token))
  await t.resolves(logIn(node, username))
  t.strictSame((await disable(token, codeOf(node, secret))).body, invalidPayload('TFA is not enabled'))

  const again = await generated(token)
  t.not(again, secret)
  t.equal((await enable(token, again, codeOf(node, again))).status, 200, 'and it can be enabled anew')
})

await t.test('disable takes a recovery code, and all of them are gone with it', async (t) => {
  const { token, username, recoveryCodes } = await enrolled()
  t.equal((await disable(token, recoveryCodes[0] ?? '')).status, 204)
  const secret = await generated(token)
  await enable(token, secret, codeOf(node, secret))
  await t.rejects(logIn(node, username, { otp: recoveryCodes[1] ?? '' }), { code: 'invalid_otp' })
})

await t.test('wrong codes at disable count, and a locked account is told the same', async (t) => {
  const { token, secret } = await enrolled()
  await nextStep()
  for (let i = 0; i < 5; i += 1) t.strictSame((await disable(token, `00000${i}`)).body, invalidOtp)
  const locked = await disable(token, codeOf(node, secret))
  t.strictSame([locked.status, locked.body], [401, invalidOtp])
  t.ok(await isEnabled(token))
  await node.clock.advance(31)
  t.equal((await disable(token, codeOf(node, secret))).status, 204)
})

await t.test('case 43: an OTP that is missing or wrong after the right password counts for the lockout', async (t) => {
  const { username, secret } = await enrolled()
  await nextStep()
  await t.rejects(logIn(node, username), { code: 'invalid_otp' })
  for (let i = 0; i < 4; i += 1) await t.rejects(logIn(node, username, { otp: '000000' }), { code: 'invalid_otp' })
  await t.rejects(logIn(node, username, { otp: codeOf(node, secret) }), { code: 'invalid_credentials' }, 'locked, and a lock does not tell that the password is right')
})

await t.test('a password change asks for no code: it was shown at the login', async (t) => {
  const { token } = await enrolled()
  t.equal((await send(node, { method: 'POST', path: '/users/me/password', token, body: { current: password, new: 'a fresh password' } })).status, 204)
  t.ok(await isEnabled(token))
})

await t.test('neither secret nor codes are in any log line, nor in the database as they are', async (t) => {
  const { secret, recoveryCodes } = await enrolled()
  const client = await node.database.client()
  const { rows } = await client.query<{ text: string }>("select string_agg(t::text, ' ') as text from (select encode(secret, 'escape') from totp union all select encode(code_hash, 'escape') from recovery_codes union all select detail::text from audit_events) t")
  for (const text of [node.logLines.join(''), rows[0]?.text ?? '']) {
    t.ok(text.length > 0)
    for (const hidden of [secret, ...recoveryCodes]) t.notOk(text.includes(hidden))
  }
})

import t from 'tap'
import { startTestApp } from '../../support/app.js'
import { auditCount, call, footprint } from '../../support/auth-client.js'

const node = await startTestApp(t)
const good = { email: 'jane@example.com', password: 'correct horse battery staple' }
await node.createUser(good)

await t.test('case 39: bad input is 400, says why and counts no attempt', async (t) => {
  const before = [await footprint(node), await auditCount(node, 'login_failed')]
  const wrongTypes = [null, 4711, 0.5, true, [], ['jane'], {}, { $ne: null }]
  for (const [body, reason] of [
    [{ email: good.email }, 'password is required'],
    [{ password: good.password }, 'email is required'],
    ...wrongTypes.map((email) => [{ ...good, email }, 'email must be a string'] as const),
    ...wrongTypes.map((password) => [{ ...good, password }, 'password must be a string'] as const),
    ...wrongTypes.map((otp) => [{ ...good, otp }, 'otp must be a string'] as const),
    [{ ...good, mode: 'session' }, 'mode must be one of json, cookie'],
    [{ ...good, mode: '' }, 'mode must be one of json, cookie'],
    [{ ...good, mode: 'JSON' }, 'mode must be one of json, cookie'],
    ...wrongTypes.map((mode) => [{ ...good, mode }, 'mode must be one of json, cookie'] as const),
    [{ ...good, email: 'x'.repeat(255) }, 'email must be at most 254 characters'],
    [{ ...good, password: '😀'.repeat(129) }, 'password must be at most 128 characters'],
    [{ ...good, otp: '1'.repeat(129) }, 'otp must be at most 128 characters'],
  ] as const) {
    const answer = await call(node, '/auth/login', { body })
    const due = { errors: [{ message: `Invalid payload. ${reason}.`, extensions: { code: 'INVALID_PAYLOAD', reason } }] }
    t.same([answer.status, answer.text, answer.cookies], [400, JSON.stringify(due), {}], JSON.stringify(body).slice(0, 80))
  }
  t.same([await footprint(node), await auditCount(node, 'login_failed')], before)
})

await t.test('case 35: 64 and 128 code points are a password, to the last of them', async (t) => {
  for (const [email, length] of [['a@example.com', 64], ['b@example.com', 128]] as const) {
    const password = '😀'.repeat(length)
    await node.createUser({ email, password })
    t.equal((await call(node, '/auth/login', { body: { email, password } })).status, 200)
    t.equal((await call(node, '/auth/login', { body: { email, password: '😀'.repeat(length - 1) } })).status, 401)
    t.equal((await call(node, '/auth/login', { body: { email, password: `${'😀'.repeat(length - 1)}😁` } })).status, 401)
  }
})

await t.test('a second login leaves the first session alone', async (t) => {
  const [first, second] = [await call(node, '/auth/login', { body: good }), await call(node, '/auth/login', { body: good })]
  for (const { json } of [first, second]) {
    const { refresh_token } = json as { refresh_token: string }
    t.equal((await call(node, '/auth/refresh', { body: { refresh_token } })).status, 200)
  }
})

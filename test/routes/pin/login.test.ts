import t from 'tap'
import { startTestApp } from '../../support/app.js'
import { auditCount, call, footprint } from '../../support/auth-client.js'

const node = await startTestApp(t)
await node.createUser({ username: 'jane', pin: '4711' })
const good = { name: 'jane', pin: '4711' }

await t.test('case 39: bad input is 400, names the member and counts no attempt', async (t) => {
  const before = [await footprint(node), await auditCount(node, 'login_failed')]
  const wrongTypes: readonly unknown[] = [null, 4711, 0.5, true, [], ['jane'], {}, { $ne: null }, { toString: 'jane' }]
  for (const [body, message] of [
    [{ name: 'jane' }, 'pin is required'],
    [{ pin: '4711' }, 'name is required'],
    [{ pin: 4711 }, 'name is required'],
    ...wrongTypes.map((name) => [{ ...good, name }, 'name must be a string'] as const),
    ...wrongTypes.map((pin) => [{ ...good, pin }, 'pin must be a string'] as const),
    ...wrongTypes.map((otp) => [{ ...good, otp }, 'otp must be a string'] as const),
    [{ ...good, name: 'x'.repeat(255) }, 'name must be at most 254 characters'],
    [{ ...good, pin: '1'.repeat(129) }, 'pin must be at most 128 characters'],
    [{ ...good, pin: '😀'.repeat(129) }, 'pin must be at most 128 characters'],
    [{ ...good, otp: '1'.repeat(129) }, 'otp must be at most 128 characters'],
  ] as const) {
    const answer = await call(node, '/auth/login', { body })
    t.same([answer.status, answer.text, answer.cookies], [400, JSON.stringify({ message }), {}], JSON.stringify(body).slice(0, 80))
  }
  t.same([await footprint(node), await auditCount(node, 'login_failed')], before)
})

await t.test('case 35: the longest name and PIN are guesses like others, and no prefix of them is taken for the whole', async (t) => {
  for (const body of [
    { name: 'x'.repeat(254), pin: '4711' },
    { name: '😀'.repeat(254), pin: '4711' },
    { name: `jane${'x'.repeat(250)}`, pin: '4711' },
    { name: 'jane', pin: `4711${'1'.repeat(124)}` },
    { name: 'jane', pin: '😀'.repeat(128) },
  ]) {
    const answer = await call(node, '/auth/login', { body })
    t.same([answer.status, answer.text], [401, '{"message":"Invalid credentials"}'])
  }
})

await t.test('case 37: look-alikes of a name are other names', async (t) => {
  const stranger = await startTestApp(t)
  await stranger.createUser({ username: 'josé', pin: '4711' })
  for (const name of ['JOSÉ', 'jose\u0301', 'ｊｏｓé']) t.equal((await call(stranger, '/auth/login', { body: { name, pin: '4711' } })).status, 200, name)
  for (const name of ['jose', 'josé ', ' josé', 'jo\u200bsé', 'jоsé', 'josé\n', 'josé@']) {
    t.equal((await call(stranger, '/auth/login', { body: { name, pin: '4711' } })).status, 401, JSON.stringify(name))
  }
})

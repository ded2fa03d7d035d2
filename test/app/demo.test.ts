import t from 'tap'
import { createDemoAccounts, demoAccounts, settleDemo } from '../../src/demo-accounts.js'
import { deleteUser, findUser, setPassword, setStatus } from '../../src/domain/operators.js'
import { greeting, isGreetingWanted } from '../../src/greeting.js'
import { startTestApp } from '../support/app.js'
import { clientOf, fateOf, lastEvent } from '../support/clients.js'
import { logIn } from '../support/log-in.js'

const allowed = { demoAllowed: true }
const inService = { demoAllowed: false }
const actor = { kind: 'operator', id: 'test' } as const

void t.test('the demo accounts log in as they are published', async (t) => {
  const node = await startTestApp(t)
  t.strictSame(await settleDemo(node.core.service, allowed), { accounts: demoAccounts, suspended: [] })
  t.equal(await fateOf(logIn(node, 'cooluser1', '0000', 'pin')), 'alive')
  t.equal(await fateOf(logIn(node, 'admin@example.com', 'Z1Tu5')), 'alive')
  t.equal(await fateOf(logIn(node, 'jane.doe', 'correct horse battery staple')), 'alive')
  t.equal(await fateOf(logIn(node, 'jane.doe@example.com', 'correct horse battery staple')), 'alive')
  t.match(await findUser(node.core.service, { email: 'admin@example.com' }), { role: 'admin', username: null })
  t.match(await findUser(node.core.service, { username: 'jane.doe' }), { role: 'user' })
  t.strictSame(await settleDemo(node.core.service, allowed), { accounts: demoAccounts, suspended: [] }, 'a later start finds them, and makes none')
  t.equal((await node.core.service.repository.users.list({ after: null, limit: 10 })).length, 3)
})

void t.test('two starts at once make them once, and both tell of them', async (t) => {
  // With the shortest of hash queues.
  const environment = { HASH_CONCURRENCY: '1', HASH_QUEUE: '0' }
  const one = await startTestApp(t, { environment })
  const other = await startTestApp(t, { environment, database: one.database })
  const demos = await Promise.all([one, other].map((node) => settleDemo(node.core.service, allowed)))
  for (const demo of demos) t.strictSame(demo, { accounts: demoAccounts, suspended: [] })
  t.equal((await one.core.service.repository.users.list({ after: null, limit: 10 })).length, 3)
})

void t.test('case 64: where somebody has been, or the demo is not allowed, none are made', async (t) => {
  const node = await startTestApp(t)
  const { service } = node.core
  const { users } = service.repository
  t.strictSame(await settleDemo(service, inService), { accounts: [], suspended: [] })
  t.ok(await users.isEmpty())
  const { id } = await node.createUser({ username: 'ada' })
  t.equal(await createDemoAccounts(service), false)
  await deleteUser(service, id, actor)
  t.ok(await users.isEmpty())
  t.strictSame(await settleDemo(service, allowed), { accounts: [], suspended: [] }, 'nor where everybody was deleted: who deleted them meant it')
  t.ok(await users.isEmpty())
})

void t.test('an account that was changed is no demo account any more', async (t) => {
  const node = await startTestApp(t)
  const { service } = node.core
  await settleDemo(service, allowed)
  const admin = await findUser(service, { email: 'admin@example.com' })
  await setPassword(service, admin.id, 'a password of its own', actor)
  await setStatus(service, (await findUser(service, { username: 'cooluser1' })).id, 'suspended', actor)
  t.match(await settleDemo(service, allowed), { accounts: [{ username: 'jane.doe' }], suspended: [] })
  const jane = await findUser(service, { username: 'jane.doe' })
  await service.repository.credentials.enableTotp(jane.id, service.keyring.seal('totp', Buffer.alloc(20), jane.id), 0, [])
  t.strictSame(await settleDemo(service, allowed), { accounts: [], suspended: [] })
  t.strictSame(await settleDemo(service, inService), { accounts: [], suspended: [] })
  t.equal(await fateOf(logIn(node, 'admin@example.com', 'a password of its own')), 'alive')
})

void t.test('case 64: the data of a demo that is taken into service keeps no door open', async (t) => {
  const node = await startTestApp(t)
  const { service } = node.core
  await settleDemo(service, allowed)
  const ada = await node.createUser({ username: 'ada', password: 'correct horse battery staple' })
  const admin = await clientOf(node, 'admin@example.com', 'Z1Tu5')
  t.strictSame(await settleDemo(service, inService), { accounts: [], suspended: ['cooluser1', 'admin@example.com', 'jane.doe'] })
  t.match(await lastEvent(node), { type: 'user_suspended', actor: { kind: 'service', id: 'demo' } })
  t.equal(await fateOf(logIn(node, 'cooluser1', '0000', 'pin')), 'invalid_credentials')
  t.equal(await fateOf(logIn(node, 'admin@example.com', 'Z1Tu5')), 'invalid_credentials')
  t.equal(await admin.access(), 'access_token_invalid')
  t.match(await findUser(service, { id: ada.id }), { status: 'active' }, 'others are left alone')
  t.strictSame(await settleDemo(service, inService), { accounts: [], suspended: [] }, 'and it is told once')
  t.strictSame(await settleDemo(service, allowed), { accounts: [], suspended: [] }, 'back in the demo they stay out')
})

const everyDialect = ['pin', 'directus', 'bearer', 'tokenset'] as const

void t.test('the greeting says how to log in, in each dialect that is served', (t) => {
  const facts = { baseUrl: 'http://127.0.0.1:9154', dialects: everyDialect, accounts: demoAccounts }
  const text = greeting(facts)
  t.match(text, /^\ntessera \d+\.\d+\.\d+ answers on http:\/\/127\.0\.0\.1:9154 \(documentation: http:\/\/127\.0\.0\.1:9154\/docs\)\n/)
  t.match(text, /^ {2}cooluser1 +PIN 0000$/m)
  t.match(text, /^ {2}admin@example\.com +password Z1Tu5 {2}\(admin\)$/m)
  t.match(text, /^ {2}jane\.doe +password correct horse battery staple$/m)
  t.notMatch(greeting({ ...facts, dialects: ['bearer'] }), /# pin/)
  t.ok(text.split('\n').length <= 24, 'it fits on a screen')

  const bare = greeting({ ...facts, accounts: [] })
  t.match(bare, /^Create a user: npm run -s tessera -- user create --username NAME --password-stdin$/m)
  t.match(bare, `curl -i http://127.0.0.1:9154/auth/login -H 'content-type: application/json' -d '{"name":"NAME","pin":"PIN"}'`)
  t.notMatch(bare, /0000|Z1Tu5/)
  t.end()
})

void t.test('what the greeting shows can be pasted into a shell, and logs in', async (t) => {
  const node = await startTestApp(t)
  const { accounts } = await settleDemo(node.core.service, allowed)
  const lines = greeting({ baseUrl: node.url, dialects: everyDialect, accounts }).split('\n').filter((line) => line.startsWith('curl '))
  t.equal(lines.length, everyDialect.length)
  for (const line of lines) {
    const [, url = '', body = ''] = /^curl -i (\S+) -H 'content-type: application\/json' -d '([^']*)'$/.exec(line) ?? []
    const response = await fetch(url, { method: 'POST', headers: { 'content-type': 'application/json' }, body })
    t.equal(response.status, 200, line)
  }
})

void t.test('the greeting is for people, or for who begins', (t) => {
  t.equal(isGreetingWanted({ accounts: [] }, { isTTY: true }), true)
  t.equal(isGreetingWanted({ accounts: demoAccounts }, {}), true)
  t.equal(isGreetingWanted({ accounts: [] }, { isTTY: false }), false)
  t.end()
})

import { userInfo } from 'node:os'
import t from 'tap'
import type { User } from '../../src/domain/model.js'
import { startTestApp } from '../support/app.js'
import { cliBeside, failedWith, jsonOf, type CliRun } from '../support/cli.js'
import { clientOf, fateOf, lastEvent } from '../support/clients.js'
import { logIn } from '../support/log-in.js'

const password = 'a password of enough length'
const uuid = /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}$/

const done = (run: CliRun) => ({ status: run.status, stderr: run.stderr })
const allDone = { status: 0, stderr: '' }

void t.test('tessera user', async (t) => {
  const node = await startTestApp(t)
  const tessera = cliBeside(node)
  const { users } = node.core.service.repository

  await t.test('create makes a user who can log in, and shows everything but the secrets', async (t) => {
    const run = await tessera(['user', 'create', '--username', 'Ada', '--email', 'Ada@Example.com', '--password', password, '--pin', '4711', '--role', 'admin'])
    t.strictSame(done(run), allDone)
    t.match(run.stdout, /^id +[0-9a-f-]{36}\nusername +Ada\nemail +Ada@Example\.com\nrole +admin\nstatus +active\ncreated +\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ\n$/)
    t.match(await lastEvent(node), { type: 'user_created', actor: { kind: 'operator', id: `cli:${userInfo().username}` } })
    t.equal(await fateOf(logIn(node, 'ada', password)), 'alive')
    t.equal(await fateOf(logIn(node, 'ada@example.com', password)), 'alive')
    t.equal(await fateOf(logIn(node, 'ada', '4711', 'pin')), 'alive')
  })

  await t.test('create --json prints one JSON value', async (t) => {
    const run = await tessera(['user', 'create', '--email', 'json@example.com', '--password', password, '--json'])
    t.strictSame(done(run), allDone)
    t.match(jsonOf(run), { id: uuid, username: null, email: 'json@example.com', emailVerified: false, role: 'user', status: 'active', createdAt: /Z$/ })
    t.equal(run.stdout.trim().split('\n').length, 1)
    t.notMatch(run.stdout, password)
  })

  await t.test('a password on stdin is its first line', async (t) => {
    const create = (username: string, input: string | Buffer) => tessera(['user', 'create', '--username', username, '--password-stdin'], { input })
    t.strictSame(done(await create('stdin1', `${password}\nsecond line\n`)), allDone)
    t.equal(await fateOf(logIn(node, 'stdin1', password)), 'alive')
    t.strictSame(done(await create('stdin2', `  pässwörd with spaces  \r\n`)), allDone)
    t.equal(await fateOf(logIn(node, 'stdin2', '  pässwörd with spaces  ')), 'alive')
    t.strictSame(done(await create('stdin3', password)), allDone)
    t.equal(await fateOf(logIn(node, 'stdin3', password)), 'alive')
    t.strictSame(await create('stdin4', ''), failedWith('password must have 8 to 128 characters'))
    t.strictSame(await create('stdin4', `\n${password}\n`), failedWith('password must have 8 to 128 characters'))
    t.strictSame(await create('stdin4', Buffer.from([0xff, 0xfe, ...Buffer.from(password)])), failedWith('the password on stdin is not UTF-8'))
    t.strictSame(await create('stdin4', `${password}\0`), failedWith('password must not contain NUL'))
    t.strictSame(await create('stdin4', 'x'.repeat(200_000)), failedWith('the first line of stdin is too long for a password'))
    t.equal(await users.findByIdentifier({ by: 'username', canonical: 'stdin4', folded: 'stdin4' }), null)
  })

  await t.test('a byte order mark on stdin is no part of the password [attack:byte-order-mark]', async (t) => {
    t.strictSame(done(await tessera(['user', 'create', '--username', 'marked', '--password-stdin'], { input: `\ufeff${password}\r\n` })), allDone)
    t.equal(await fateOf(logIn(node, 'marked', password)), 'alive')
    t.strictSame(done(await tessera(['user', 'set-password', '--username', 'marked', '--password-stdin'], { input: `\ufeffanother ${password}\n` })), allDone)
    t.equal(await fateOf(logIn(node, 'marked', `another ${password}`)), 'alive')
  })

  await t.test('a user without secrets is created, and the next step said', async (t) => {
    const run = await tessera(['user', 'create', '--username', 'bare'])
    t.match(run, { status: 0, stdout: /^id /, stderr: /^There is no password and no PIN yet/ })
  })

  await t.test('what the domain refuses is one line, and status 1', async (t) => {
    const create = (...args: string[]) => tessera(['user', 'create', ...args])
    t.strictSame(await create(), failedWith('a user needs a username, an email or both'))
    t.strictSame(await create('--username', 'ADA'), failedWith('that username or email is taken'))
    t.strictSame(await create('--username', 'a@b'), failedWith('username must not contain @: give an email address as email'))
    const short = await create('--username', 'short', '--password', 'tr0ub')
    t.strictSame(short, failedWith('password must have 8 to 128 characters'))
    t.strictSame(await create('--username', 'short', '--pin', '12x4'), failedWith('pin must have 4 to 12 digits'))
    t.strictSame(await create('--email', 'pin@example.com', '--pin', '1234'), failedWith('a PIN is used with a username: give one'))
    t.strictSame(await tessera(['user', 'show', '--username', 'nobody']), failedWith('there is no such user'))
    t.strictSame(await tessera(['user', 'show', '--id', 'nobody']), failedWith('there is no such user'))
    t.strictSame(await tessera(['user', 'set-pin', '--email', 'json@example.com', '--pin', '1234']), failedWith('a PIN is used with a username, and this user has none'))
    t.strictSame(await tessera(['user', 'set-password', '--username', 'ada', '--password', 'short']), failedWith('password must have 8 to 128 characters'))
  })

  await t.test('list shows everybody, the oldest first, and says when it shows fewer', async (t) => {
    const whole = await tessera(['user', 'list'])
    t.strictSame(done(whole), allDone)
    const [header, first, ...others] = whole.stdout.trimEnd().split('\n')
    t.match(header, /^ID +USERNAME +EMAIL +ROLE +STATUS +CREATED$/)
    t.match(first, /^[0-9a-f-]{36} +Ada +Ada@Example\.com +admin +active +\d{4}-/)
    t.match(others[0], / - +json@example\.com +user /)
    const asJson = jsonOf(await tessera(['user', 'list', '--json']))
    t.ok(Array.isArray(asJson) && asJson.length === others.length + 1)
    const two = await tessera(['user', 'list', '--limit', '2', '--json'])
    t.match(two, { status: 0, stderr: 'There are more than these 2: --limit N shows N.\n' })
    t.match(jsonOf(two), [{ username: 'Ada' }, { email: 'json@example.com' }])
  })

  await t.test('case 66: show tells which secrets there are, and none of them', async (t) => {
    await logIn(node, 'ada', password)
    const run = await tessera(['user', 'show', '--email', 'ADA@example.com'])
    t.strictSame(done(run), allDone)
    t.match(run.stdout, /^username +Ada$/m)
    t.match(run.stdout, /^password +yes\nPIN +yes\nsecond factor +no\nsessions +[1-9]\d*\nAPI keys +0$/m)
    t.notMatch(run.stdout, /argon2/)
    const id = (await users.findByIdentifier({ by: 'username', canonical: 'ada', folded: 'ada' }))?.id ?? ''
    t.match(jsonOf(await tessera(['user', 'show', '--id', id, '--json'])), { id, username: 'Ada', hasPassword: true, hasPin: true, tfaEnabled: false, apiKeys: 0 })
    t.match(jsonOf(await tessera(['user', 'show', '--id', `user_${id}`, '--json'])), { id }, 'as the dialect bearer shows it')
  })

  /** Runs a command on a new user, who has a session, and looks at what a client of the running service finds. */
  async function change(name: string, args: (user: User) => string[], input?: string) {
    const user = await node.createUser({ username: name, email: `${name}@example.com`, password, pin: '1234' })
    const client = await clientOf(node, name, password)
    const [verb = '', ...others] = args(user)
    const run = await tessera(['user', verb, '--username', name, ...others], input === undefined ? {} : { input })
    return { user, client, run }
  }

  await t.test('suspend and activate', async (t) => {
    const { user, client, run } = await change('suspended', () => ['suspend'])
    t.strictSame(run, { status: 0, stdout: `suspended (${user.id}): suspended, every session has ended\n`, stderr: '' })
    t.equal(await client.soonDead(), 'access_token_invalid')
    t.equal(await client.refresh(), 'refresh_invalid')
    t.equal(await fateOf(logIn(node, 'suspended', password)), 'invalid_credentials')
    t.match(jsonOf(await tessera(['user', 'activate', '--username', 'suspended', '--json'])), { id: user.id, status: 'active' })
    t.equal(await fateOf(logIn(node, 'suspended', password)), 'alive')
    t.equal(await client.refresh(), 'refresh_invalid')
  })

  await t.test('revoke', async (t) => {
    const { user, client, run } = await change('revoked', () => ['revoke'])
    t.strictSame(run, { status: 0, stdout: `revoked (${user.id}): every session has ended, every API key is deleted\n`, stderr: '' })
    t.equal(await client.soonDead(), 'access_token_invalid')
    t.equal(await fateOf(logIn(node, 'revoked', password)), 'alive')
  })

  await t.test('delete', async (t) => {
    const { user, client, run } = await change('deleted', () => ['delete'])
    t.strictSame(run, { status: 0, stdout: `deleted (${user.id}): deleted\n`, stderr: '' })
    t.equal(await client.soonDead(), 'access_token_invalid')
    t.equal(await users.find(user.id), null)
    t.strictSame(await tessera(['user', 'delete', '--username', 'deleted']), failedWith('there is no such user'))
  })

  await t.test('set-password', async (t) => {
    const { user, client, run } = await change('newpassword', () => ['set-password', '--password-stdin'], 'another good password\n')
    t.strictSame(run, { status: 0, stdout: `newpassword (${user.id}): the password is set, every session has ended\n`, stderr: '' })
    t.equal(await client.soonDead(), 'access_token_invalid')
    t.equal(await fateOf(logIn(node, 'newpassword', password)), 'invalid_credentials')
    t.equal(await fateOf(logIn(node, 'newpassword', 'another good password')), 'alive')
  })

  await t.test('set-pin', async (t) => {
    const { user, client, run } = await change('newpin', () => ['set-pin', '--pin', '987654'])
    t.strictSame(run, { status: 0, stdout: `newpin (${user.id}): the PIN is set, every session has ended\n`, stderr: '' })
    t.equal(await client.soonDead(), 'access_token_invalid')
    t.equal(await fateOf(logIn(node, 'newpin', '1234', 'pin')), 'invalid_credentials')
    t.equal(await fateOf(logIn(node, 'newpin', '987654', 'pin')), 'alive')
  })

  await t.test('set-role', async (t) => {
    const { user, client, run } = await change('promoted', () => ['set-role', '--role', 'admin', '--json'])
    t.match(jsonOf(run), { id: user.id, role: 'admin' })
    t.equal(await client.soonDead(), 'access_token_invalid')
    t.equal(await client.refresh(), 'alive', 'the session lives on, with the new rights')
  })

  await t.test('unlock', async (t) => {
    const user = await node.createUser({ username: 'locked', password })
    for (let failures = 0; failures < 6; failures += 1) await fateOf(logIn(node, 'locked', 'wrong password'))
    t.equal(await fateOf(logIn(node, 'locked', password)), 'invalid_credentials')
    const show = await tessera(['user', 'show', '--username', 'locked'])
    t.match(show.stdout, /^locked +for unknown origins until \d{4}-\d\d-\d\dT[\d:]+Z$/m)
    t.match(show.stdout, /^failed logins +0 from known origins, 5 from unknown ones$/m)
    const unlocked = await tessera(['user', 'unlock', '--username', 'locked'])
    t.match(unlocked, { status: 0, stderr: '' })
    t.match(unlocked.stdout, new RegExp(`^locked \\(${user.id}\\): the lock for unknown origins until \\S+Z is lifted \\(failed logins: 0 from known origins, 5 from unknown ones\\)\n$`))
    t.equal(await fateOf(logIn(node, 'locked', password)), 'alive')
    t.match((await tessera(['user', 'unlock', '--username', 'locked'])).stdout, /: was not locked\n$/)
    t.match((await tessera(['user', 'show', '--username', 'locked'])).stdout, /^locked +no$/m)
  })

  await t.test('unlock: a PIN that guesses have closed is shown, stays closed, and the answer says what opens it', async (t) => {
    const user = await node.createUser({ username: 'closed', pin: '1234' })
    for (let failures = 0; failures < 10; failures += 1) {
      await fateOf(logIn(node, 'closed', '0000', 'pin'))
      await node.core.pool.query('UPDATE attempts SET locked_until = NULL WHERE subject = $1', [user.id])
    }
    const closed = /closed for unknown origins after ten wrong ones: `tessera user set-pin` opens it$/m
    t.match((await tessera(['user', 'show', '--username', 'closed'])).stdout, closed)
    t.match(jsonOf(await tessera(['user', 'show', '--username', 'closed', '--json'])), { lockout: { pinClosed: true, unknownOrigins: { failures: 10, wrongPins: 10 }, knownOrigins: { failures: 0 } } })
    t.match((await tessera(['user', 'unlock', '--username', 'closed'])).stdout, closed)
    t.equal(await fateOf(logIn(node, 'closed', '1234', 'pin')), 'invalid_credentials')
    await tessera(['user', 'set-pin', '--username', 'closed', '--pin', '987654'])
    t.match((await tessera(['user', 'show', '--username', 'closed'])).stdout, /^PIN +yes$/m)
    t.equal(await fateOf(logIn(node, 'closed', '987654', 'pin')), 'alive')
  })

  await t.test('reset-totp', async (t) => {
    const user = await node.createUser({ username: 'phoneless', password })
    const { repository, keyring } = node.core.service
    await repository.credentials.enableTotp(user.id, keyring.seal('totp', Buffer.alloc(20), user.id), 0, [])
    t.equal(await fateOf(logIn(node, 'phoneless', password)), 'invalid_otp')
    t.strictSame(await tessera(['user', 'reset-totp', '--username', 'phoneless']), { status: 0, stdout: `phoneless (${user.id}): the second factor is off\n`, stderr: '' })
    t.equal(await fateOf(logIn(node, 'phoneless', password)), 'alive')
    t.match(jsonOf(await tessera(['user', 'reset-totp', '--username', 'phoneless', '--json'])), { id: user.id, wasEnabled: false })
  })

  await t.test('case 66: no secret that was given has reached a log', (t) => {
    t.notMatch(node.logLines.join('\n'), password)
    t.end()
  })
})

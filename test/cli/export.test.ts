import { rm, mkdtemp, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import t from 'tap'
import { startTestApp } from '../support/app.js'
import { cliBeside } from '../support/cli.js'
import { fateOf } from '../support/clients.js'
import { logIn } from '../support/log-in.js'

const folder = await mkdtemp(path.join(tmpdir(), 'tessera-export-'))
t.teardown(() => rm(folder, { recursive: true }))

await t.test('what tessera user export writes, another tessera imports: ids, names, passwords, roles and states', async (t) => {
  const here = await startTestApp(t)
  const made = [
    await here.createUser({ username: 'Jané', email: 'jane@example.com', password: 'the password of jane', role: 'admin' }),
    await here.createUser({ email: 'mail@example.com', password: 'the password of mail', status: 'suspended' }),
    await here.createUser({ username: 'bare' }),
  ]
  for (let i = 0; i < 600; i += 1) await here.createUser({ username: `many${i}` })
  await here.core.service.repository.users.setNames(made[0]?.id ?? '', { emailVerified: true })
  const exported = await cliBeside(here)(['user', 'export'])
  t.match(exported, { status: 0, stderr: /^603 users, with the hashes of their passwords/ })
  t.equal(exported.stdout.trimEnd().split('\n').length, 603)
  t.notMatch(exported.stdout, /the password of/)

  const there = await startTestApp(t)
  const file = path.join(folder, 'users.ndjson')
  await writeFile(file, exported.stdout)
  t.strictSame(await cliBeside(there)(['user', 'import', file]), { status: 0, stdout: '603 imported\n', stderr: '' })
  for (const { id } of made) {
    const [before, after] = [await here.core.service.repository.users.find(id), await there.core.service.repository.users.find(id)]
    t.strictSame({ ...after, epoch: 0 }, { ...before, epoch: 0 })
  }
  t.equal(await fateOf(logIn(there, 'jané', 'the password of jane')), 'alive')
  t.equal(await fateOf(logIn(there, 'mail@example.com', 'the password of mail')), 'invalid_credentials', 'who was suspended still is')
  t.match(await cliBeside(there)(['user', 'import', file]), { status: 1, stdout: '0 imported, 603 failed\n', stderr: /line 1: the username or email is taken/ })
  t.equal((await cliBeside(there)(['user', 'export'])).stdout.length, exported.stdout.length, 'and there and back it is the same')
})

await t.test('ids, times and flags of an import are judged', async (t) => {
  const node = await startTestApp(t)
  const lines = [
    [{ id: 'user_1', username: 'a' }, 'id must be a UUID'],
    [{ email_verified: 'true', email: 'a@example.com' }, 'email_verified must be true or false'],
    [{ email_verified: true, username: 'b' }, 'an address that is verified must be there: give email'],
    [{ created_at: 'yesterday', username: 'c' }, 'created_at must be a time that is past, such as 2027-01-31T12:00:00Z'],
    [{ created_at: '2999-01-01', username: 'd' }, 'created_at must be a time that is past, such as 2027-01-31T12:00:00Z'],
    [{ created_at: 5, username: 'e' }, 'created_at must be a string'],
  ] as const
  const run = await cliBeside(node)(['user', 'import', '-'], { input: lines.map(([line]) => JSON.stringify(line)).join('\n') })
  t.strictSame(run.stderr.trimEnd().split('\n'), [...lines.map(([, reason], index) => `line ${index + 1}: ${reason}`), 'Nothing was imported.'])
})

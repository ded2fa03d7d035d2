import t from 'tap'
import { startTestApp } from '../support/app.js'
import { cliBeside, failedWith, jsonOf } from '../support/cli.js'
import { keyFate, lastEvent, soonDead } from '../support/clients.js'

const unknownId = '01890000-0000-7000-8000-000000000000'
const uuid = /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}$/

void t.test('tessera apikey', async (t) => {
  const node = await startTestApp(t)
  const tessera = cliBeside(node)
  const root = await node.createUser({ username: 'root', role: 'admin' })
  await node.createUser({ username: 'plain' })

  const create = (...args: string[]) => tessera(['apikey', 'create', ...args])

  await t.test('create prints the key alone on stdout, and it works', async (t) => {
    const run = await create('--username', 'root')
    t.match(run, { status: 0, stdout: /^sk_live_[0-9A-Za-z]{38}\n$/, stderr: /^API key [0-9a-f-]{36} of root; it is shown this once:\n$/ })
    t.equal(await keyFate(node, run.stdout.trim()), 'alive')
    t.match(await lastEvent(node), { type: 'api_key_created', userId: root.id, actor: { kind: 'operator', id: /^cli:./ } })
  })

  await t.test('create gives name, scopes and end', async (t) => {
    const run = await create('--id', root.id, '--name', 'for the gateway', '--scope', 'introspect', '--scope', 'revoke', '--expires', '2d', '--json')
    t.match(jsonOf(run), { id: uuid, userId: root.id, name: 'for the gateway', scopes: ['introspect', 'revoke'], apiKey: /^sk_live_/, expiresAt: /Z$/, lastUsedAt: null })
    const [, stored] = await node.core.service.repository.apiKeys.list(root.id)
    const livesSeconds = ((stored?.expiresAt?.getTime() ?? 0) - Date.now()) / 1000
    t.ok(livesSeconds > 2 * 86_400 - 120 && livesSeconds <= 2 * 86_400)
  })

  await t.test('what cannot be is one line', async (t) => {
    t.strictSame(await create('--username', 'plain', '--scope', 'admin'), failedWith('the user does not hold a scope that was asked for: `tessera user set-role` changes what a user may do'))
    t.strictSame(await create('--username', 'plain', '--expires', '2020-01-01'), failedWith('expiresAt must be in the future'))
    t.strictSame(await create('--username', 'plain', '--name', 'x'.repeat(101)), failedWith('name must have 1 to 100 characters'))
    t.strictSame(await create('--username', 'nobody'), failedWith('there is no such user'))
  })

  await t.test('list shows no key', async (t) => {
    const secret = (await create('--username', 'plain', '--name', 'to be listed')).stdout.trim()
    const run = await tessera(['apikey', 'list', '--username', 'plain'])
    t.match(run, { status: 0, stderr: /^$/, stdout: /^ID +USER +NAME +HINT +SCOPES +CREATED +UNTIL +LAST USED\n[0-9a-f-]{36} +[0-9a-f-]{36} +to be listed +sk_live_….{4} +- +\S+Z +- +-\n$/ })
    const everything = await tessera(['apikey', 'list', '--json'])
    t.match(jsonOf(everything), [{ userId: root.id }, { userId: root.id, name: 'for the gateway' }, { name: 'to be listed', hint: `sk_live_…${secret.slice(-4)}` }])
    t.notMatch(everything.stdout, secret)
    t.match(await tessera(['apikey', 'list', '--limit', '1']), { status: 0, stderr: /^There are more/ })
  })

  await t.test('revoke silences a key at once', async (t) => {
    const key = jsonOf(await create('--username', 'plain', '--json'))
    t.match(key, { id: uuid, apiKey: String })
    const { id, apiKey } = { id: '', apiKey: '', ...(typeof key === 'object' ? key : {}) }
    t.equal(await keyFate(node, apiKey), 'alive')
    t.strictSame(await tessera(['apikey', 'revoke', `key_${id}`]), { status: 0, stdout: `${id}: the API key is deleted\n`, stderr: '' })
    t.equal(await soonDead(() => keyFate(node, apiKey)), 'api_key_invalid')
    t.match(await lastEvent(node), { type: 'api_key_deleted', actor: { kind: 'operator', id: /^cli:./ } })
    t.strictSame(await tessera(['apikey', 'revoke', id]), failedWith('there is no such API key'))
    t.strictSame(await tessera(['apikey', 'revoke', unknownId]), failedWith('there is no such API key'))
  })
})

import t from 'tap'
import { startTestApp } from '../support/app.js'
import { cliBeside, failedWith, jsonOf } from '../support/cli.js'
import { clientOf, lastEvent } from '../support/clients.js'

const password = 'a password of enough length'
const uuid = /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}$/

void t.test('tessera session', async (t) => {
  const node = await startTestApp(t)
  const tessera = cliBeside(node)
  const [ada, eve] = [await node.createUser({ username: 'ada', password }), await node.createUser({ username: 'eve', password, pin: '1234' })]
  const first = await clientOf(node, 'ada', password)
  const second = await clientOf(node, 'ada', password)
  const third = await clientOf(node, 'eve', '1234', 'pin')

  await t.test('list shows sessions that are alive, of everybody or of one user, the newest first', async (t) => {
    const all = jsonOf(await tessera(['session', 'list', '--json']))
    t.match(all, [{ id: uuid, userId: eve.id, dialect: 'pin', amr: ['pin'], ip: '127.0.0.1' }, { userId: ada.id }, { userId: ada.id }])
    t.match(jsonOf(await tessera(['session', 'list', '--username', 'Ada', '--json'])), Array.isArray(all) ? all.slice(1) : null)
    const table = await tessera(['session', 'list', '--id', eve.id])
    t.match(table, { status: 0, stderr: /^$/, stdout: /^ID +USER +DIALECT +BY +SINCE +UNTIL +ADDRESS +USER AGENT\n[0-9a-f-]{36} +[0-9a-f-]{36} +pin +pin +\S+Z +\S+Z +127\.0\.0\.1 +-\n$/ })
    t.match(await tessera(['session', 'list', '--username', 'ada', '--limit', '1']), { status: 0, stderr: /^There are more than these 1: --limit N shows N\.\n$/ })
    t.strictSame(await tessera(['session', 'list', '--username', 'nobody']), failedWith('there is no such user'))
  })

  await t.test('revoke ends one session at once', async (t) => {
    const [newest] = await node.core.service.repository.sessions.listAlive(ada.id)
    const id = newest?.id ?? ''
    t.strictSame(await tessera(['session', 'revoke', id]), { status: 0, stdout: `${id}: the session has ended\n`, stderr: '' })
    t.equal(await second.soonDead(), 'access_token_invalid')
    t.equal(await second.refresh(), 'refresh_invalid')
    t.equal(await first.access(), 'alive')
    t.match(await lastEvent(node), { type: 'session_ended', sessionId: id, actor: { kind: 'operator', id: /^cli:./ } })
    t.strictSame(await tessera(['session', 'revoke', id]), failedWith('there is no such session, or it has ended'))
    t.strictSame(await tessera(['session', 'revoke', 'some-id']), failedWith('there is no such session, or it has ended'))
  })

  await t.test('revoke --all ends every session of everybody', async (t) => {
    t.strictSame(await tessera(['session', 'revoke', '--all']), { status: 0, stdout: 'every session of everybody has ended\n', stderr: '' })
    for (const client of [first, third]) {
      t.equal(await client.soonDead(), 'access_token_invalid')
      t.equal(await client.refresh(), 'refresh_invalid')
    }
    t.strictSame(jsonOf(await tessera(['session', 'list', '--json'])), [])
    t.equal(await (await clientOf(node, 'ada', password)).access(), 'alive')
  })

  await t.test('what clients wrote steers no terminal', async (t) => {
    const client = await node.database.client()
    await client.query('update sessions set user_agent = $1', ['\u001b[2J\u009b31m\nevil\u202e'])
    const { stdout } = await tessera(['session', 'list'])
    t.match(stdout, /�\[2J�31m�evil�\n$/)
    t.match(jsonOf(await tessera(['session', 'list', '--json'])), [{ userAgent: '\u001b[2J\u009b31m\nevil\u202e' }], 'machines get it as it is')
  })
})

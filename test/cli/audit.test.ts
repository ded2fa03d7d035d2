import t from 'tap'
import { sealAudit } from '../../src/domain/audit-chain.js'
import { startTestApp } from '../support/app.js'
import { cliBeside, jsonOf } from '../support/cli.js'
import { clientOf } from '../support/clients.js'

void t.test('tessera audit tail', async (t) => {
  const node = await startTestApp(t)
  const tessera = cliBeside(node)
  for (const username of ['one', 'two', 'three']) await node.createUser({ username })
  await clientOf(node, 'one', 'wrong password').catch(() => undefined)

  const run = await tessera(['audit', 'tail'])
  t.match(run, { status: 0, stderr: /^$/ })
  const [header, ...events] = run.stdout.trimEnd().split('\n')
  t.match(header, /^AT +EVENT +BY +USER +ADDRESS +DETAIL$/)
  t.match(events[0], /^\S+Z +user_created +service:test +[0-9a-f-]{36} +- +role=user$/)
  t.match(events.at(-1), /^\S+Z +login_failed .* 127\.0\.0\.1 /, 'the newest is the last')
  const two = await tessera(['audit', 'tail', '--lines', '2', '--json'])
  t.match(jsonOf(two), [{ type: 'user_created' }, { type: 'login_failed', at: /Z$/ }])
})

void t.test('tessera audit verify', async (t) => {
  const node = await startTestApp(t)
  const tessera = cliBeside(node)
  for (const username of ['one', 'two', 'three']) await node.createUser({ username })
  const { service } = node.core
  await sealAudit(service) // unless the node has done it already

  const intact = await tessera(['audit', 'verify'])
  t.match(intact, { status: 0, stdout: /^intact: 3 sealed events, head 3:[0-9a-f]{64}\n$/, stderr: /^$/ })
  const head = intact.stdout.trim().split(' ').at(-1) ?? ''
  t.match(jsonOf(await tessera(['audit', 'verify', '--head', head, '--json'])), { intact: true, events: 3, head: { seq: 3, mac: head.slice(2) } })
  const other = `3:${'0'.repeat(64)}`
  t.match(await tessera(['audit', 'verify', '--head', other]), { status: 1, stdout: /^broken at seal 3: the chain does not contain the head that the log shows/, stderr: /^$/ })
  t.match(await tessera(['audit', 'verify', '--head', '3']), { status: 2, stderr: /^tessera: --head must be seq and mac of a head from the log/ })

  const client = await node.database.client()
  const [, second] = (await service.repository.audit.list({ before: null, limit: 3 }))
  await client.query(`update audit_events set detail = '{"role":"admin"}' where id = $1`, [second?.id])
  const run = await tessera(['audit', 'verify'])
  t.match(run, { status: 1, stdout: `broken at seal 2, event ${String(second?.id)}: the event or its seal was changed\n`, stderr: /^$/ })
  t.match(jsonOf(await tessera(['audit', 'verify', '--json'])), { intact: false, fault: { seq: 2, eventId: second?.id } })
})

import t from 'tap'
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
  t.match(events.at(-1), /^\S+Z +login_failed .* 203\.0\.113\.7 /, 'the newest is the last')
  const two = await tessera(['audit', 'tail', '--lines', '2', '--json'])
  t.match(jsonOf(two), [{ type: 'user_created' }, { type: 'login_failed', at: /Z$/ }])
})

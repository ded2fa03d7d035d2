import { spawn } from 'node:child_process'
import { once } from 'node:events'
import path from 'node:path'
import { createInterface } from 'node:readline'
import t from 'tap'
import { sealAudit } from '../../src/domain/audit-chain.js'
import { packageRoot } from '../../src/package-root.js'
import { startTestApp, type TestApp } from '../support/app.js'
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

void t.test('tessera audit export: a line an event, in the order of the chain, from where the last one ended', async (t) => {
  const node = await startTestApp(t)
  const tessera = cliBeside(node)
  for (let i = 1; i <= 3; i += 1) await node.createUser({ username: `user.${i}` })
  const linesOf = (text: string) => text.split('\n').filter((line) => line !== '').map((line) => JSON.parse(line) as Record<string, unknown>)

  const all = await tessera(['audit', 'export'])
  t.match(all, { status: 0, stderr: '3 events; to go on from here: --after 3\n' })
  t.match(linesOf(all.stdout), [{ seq: 1, type: 'user_created', actor: { kind: 'service', id: 'test' }, at: /Z$/ }, { seq: 2 }, { seq: 3 }], 'what no service has sealed yet is sealed first')
  t.equal(linesOf(all.stdout).length, 3)
  await node.createUser({ username: 'user.4' })
  t.match(linesOf((await tessera(['audit', 'export', '--after', '3'])).stdout), [{ seq: 4 }])
  t.match(await tessera(['audit', 'export', '--after', '4']), { status: 0, stdout: '', stderr: '0 events; to go on from here: --after 4\n' })
  t.match(await tessera(['audit', 'export', '--since', '2999-01-01']), { status: 0, stdout: '' })
  t.match(await tessera(['audit', 'export', '--until', '1999-01-01']), { status: 0, stdout: '' })
  t.equal(linesOf((await tessera(['audit', 'export', '--since', '1999-01-01', '--until', '2999-01-01T00:00:00Z'])).stdout).length, 4)
  t.match(await tessera(['audit', 'export', '--since', 'yesterday']), { status: 2, stderr: /--since must be a time such as/ })
  t.match(await tessera(['audit', 'export', '--after', '-1']), { status: 2 })
})

void t.test('tessera audit export holds a page at a time, and ends with its reader', async (t) => {
  const node = await startTestApp(t)
  const client = await node.database.client()
  await client.query(`insert into audit_events (type, actor, detail) select 'logout', 'user:x', jsonb_build_object('note', repeat('x', 5000)) from generate_series(1, 15000)`)
  while ((await sealAudit(node.core.service)) !== null);
  t.strictSame(await exportWithin(node, 48), { lines: 15_000, status: 0 }, '75 MB of events in a heap of 48 MB')
  t.match(await exportWithin(node, 48, 1), { lines: 1, status: 0 }, 'as under `| head -1`')
})

/**
 * @param heapMb what the process may hold
 * @param stopAfter lines, then the reader goes
 */
async function exportWithin(node: TestApp, heapMb: number, stopAfter = Infinity): Promise<{ lines: number; status: number | null }> {
  const env = { PATH: process.env.PATH, DATABASE_URL: node.database.connectionString, MASTER_SECRET: node.config.masterSecret ?? '', ARGON2_MEMORY_KIB: '1024', ARGON2_TIME: '1' }
  const args = [`--max-old-space-size=${heapMb}`, path.join(packageRoot, 'dist/src/cli/main.js'), 'audit', 'export']
  const child = spawn(process.execPath, args, { env, cwd: packageRoot, stdio: ['ignore', 'pipe', 'ignore'] })
  const ended = once(child, 'close')
  let lines = 0
  for await (const line of createInterface({ input: child.stdout })) {
    if (line !== '') lines += 1
    if (lines >= stopAfter) {
      child.stdout.destroy()
      break
    }
  }
  const [status] = (await ended) as [number | null]
  return { lines, status }
}

void t.test('tessera audit prune: what is old goes, a checkpoint stays, and what is left is verified', async (t) => {
  const node = await startTestApp(t)
  const tessera = cliBeside(node)
  const client = await node.database.client()
  await client.query(`insert into audit_events (type, actor, at) select 'logout', 'user:x', now() - interval '100 days' from generate_series(1, 5)`)
  await sealAudit(node.core.service)
  await node.createUser({ username: 'young' })
  await sealAudit(node.core.service)

  t.match(await tessera(['audit', 'prune', '--older-than', '200d']), { status: 0, stdout: /^0 events before / })
  t.match(await tessera(['audit', 'prune', '--older-than', '90d']), { status: 0, stdout: /^5 events before / })
  const verified = await tessera(['audit', 'verify'])
  t.match(verified, { status: 0, stdout: /^intact: [12] sealed events, head / })
  t.match(await tessera(['audit', 'tail', '--lines', '1', '--json']), { stdout: /"type":"audit_pruned".*"events":5/ }, 'who pruned is an event')
  t.match(jsonOf(await tessera(['audit', 'prune', '--before', '1999-01-01', '--json'])), { deleted: 0, before: '1999-01-01T00:00:00.000Z' })
  t.match(await tessera(['audit', 'prune', '--before', '2999-01-01']), { status: 1, stdout: '', stderr: /--before must not be in the future/ }, 'a year that is mistyped')
  for (const args of [[], ['--before', '1999-01-01', '--older-than', '90d'], ['--older-than', '90'], ['--before', 'soon']]) {
    t.match(await tessera(['audit', 'prune', ...args]), { status: 2 }, args.join(' '))
  }

  await client.query(`update audit_events set type = 'login_failed' where type = 'user_created'`)
  t.match(await tessera(['audit', 'prune', '--before', new Date().toISOString()]), { status: 1, stdout: /^nothing is deleted, so that the break stays to be seen; broken at seal 6, event \d+: / })
})

import pg from 'pg'
import t from 'tap'
import { startTestApp, type TestApp } from '../../support/app.js'
import { RawClient } from '../../support/http.js'
import { send } from '../../support/account.js'

const allOk = { database: 'ok', migrations: 'ok', keys: 'ok', revocations: 'ok', clock: 'ok' }

/** Asks until the answer is the expected one. */
async function becomes(node: TestApp, expected: { status: number; failed: readonly string[] }): Promise<string> {
  const deadline = Date.now() + 15_000
  for (;;) {
    const { status, body, text } = await send(node, { path: '/health/ready' })
    const { checks } = body as { checks: Record<string, string> }
    const failed = Object.keys(checks).filter((name) => checks[name] === 'failed')
    const isThere = status === expected.status && failed.join() === expected.failed.join()
    if (isThere) return text
    if (Date.now() > deadline) throw new Error(`still ${status} ${text}`)
    await new Promise((resolve) => setTimeout(resolve, 100))
  }
}

await t.test('case 67: alive and ready, to whoever asks', async (t) => {
  const node = await startTestApp(t)
  const live = await send(node, { path: '/health/live' })
  t.strictSame([live.status, live.text, live.headers.get('cache-control')], [200, '{"status":"ok"}', 'no-store'])
  const ready = await send(node, { path: '/health/ready' })
  t.strictSame([ready.status, ready.body, ready.headers.get('cache-control')], [200, { status: 'ok', checks: allOk }, 'no-store'])
  t.equal((await fetch(`${node.url}/health/ready`, { method: 'HEAD' })).status, 200)
  t.equal((await send(node, { method: 'POST', path: '/health/ready' })).status, 405)
  t.equal((await send(node, { path: '/health/nope' })).status, 404)
})

await t.test('probes are not limited, and make no noise in the log', async (t) => {
  const node = await startTestApp(t, { environment: { RATE_LIMIT: 'on', RATE_LIMIT_DEFAULT: '5/min' } })
  const before = node.logLines.length
  for (let i = 0; i < 20; i += 1) {
    t.equal((await send(node, { path: '/health/live' })).status, 200)
    t.equal((await send(node, { path: '/health/ready' })).status, 200)
  }
  t.strictSame(node.logLines.slice(before).filter((line) => line.includes('/health/')), [])
})

await t.test('a flood of probes is a handful of queries', async (t) => {
  const node = await startTestApp(t)
  let taken = 0
  node.core.pool.on('acquire', () => (taken += 1))
  await Promise.all(Array.from({ length: 200 }, () => send(node, { path: '/health/ready' })))
  t.ok(taken <= 20, `${taken} statements`)
})

await t.test('a schema that lacks a migration is not ready', async (t) => {
  const node = await startTestApp(t)
  const client = await node.database.client()
  await client.query('delete from schema_migrations where version = (select max(version) from schema_migrations)')
  t.strictSame(JSON.parse(await becomes(node, { status: 503, failed: ['migrations'] })), { status: 'failed', checks: { ...allOk, migrations: 'failed' } })
  t.equal((await send(node, { path: '/health/ready' })).headers.get('retry-after'), '1')
  t.equal((await send(node, { path: '/health/live' })).status, 200, 'but it is alive')
})

await t.test('a clock that is six seconds off is not ready', async (t) => {
  const node = await startTestApp(t, { clock: { now: () => new Date(Date.now() + 6000), attach: () => undefined, advance: () => Promise.resolve() } })
  await becomes(node, { status: 503, failed: ['clock'] })
})

await t.test('case 67: without its database it is not ready, tells nobody where that is, and recovers by itself', async (t) => {
  const node = await startTestApp(t)
  const url = new URL(node.database.connectionString)
  const name = url.pathname.slice(1)
  url.pathname = '/postgres'
  const client = new pg.Client({ connectionString: url.href })
  t.teardown(() => client.end())
  await client.connect()
  await client.query(`alter database ${name} allow_connections false`)
  await client.query('select pg_terminate_backend(pid) from pg_stat_activity where datname = $1', [name])
  const text = await becomes(node, { status: 503, failed: ['database', 'migrations', 'revocations', 'clock'] })
  t.strictSame(JSON.parse(text), { status: 'failed', checks: { database: 'failed', migrations: 'failed', keys: 'ok', revocations: 'failed', clock: 'failed' } })
  t.equal((await send(node, { path: '/health/live' })).status, 200)
  await client.query(`alter database ${name} allow_connections true`)
  await becomes(node, { status: 200, failed: [] })
})

await t.test('it is not ready as soon as it begins to stop, while what runs is finished', async (t) => {
  const node = await startTestApp(t)
  const { port } = new URL(node.url)
  const client = new RawClient(Number(port)).say('GET /health/live HTTP/1.1\r\nHost: localhost\r\n\r\nGET /health/ready HTTP/1.1\r\nHost: localhost\r\n')
  await client.hears(/"status":"ok"/)
  const closed = node.close()
  while (node.app.server.listening) await new Promise((resolve) => setImmediate(resolve))
  const answer = await client.say('\r\n').hears(/"checks":.*\}\}/)
  t.match(answer, /HTTP\/1\.1 503 /)
  t.match(answer, /"status":"closing"/)
  await closed
})

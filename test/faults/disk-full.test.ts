import { spawnSync } from 'node:child_process'
import { chmodSync, closeSync, mkdirSync, mkdtempSync, openSync, rmSync, writeSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { layoutOf } from '../../src/repository/embedded/layout.js'
import { stopServer } from '../../src/repository/embedded/server.js'
import { call } from '../support/auth-client.js'
import { clients, enter, newPerson, sessionIdOf, type Tokens } from '../support/dialect-clients.js'
import { startTestApp } from '../support/app.js'
import { startDurableServer } from '../support/durable-server.js'
import { createLedger } from '../support/ledger.js'
import { startNodeProcess } from '../support/node-process.js'

const sizeMiB = 160
const backWithinMs = 10_000

/** A small file system of its own, or why there is none: it takes root, and a kernel that lets root mount. */
function smallDisk(t: Test): { folder: string } | { reason: string } {
  const folder = mkdtempSync(path.join(tmpdir(), 'tessera-disk-'))
  const { status, stderr, error } = spawnSync('mount', ['-t', 'tmpfs', '-o', `size=${sizeMiB}m,mode=0711`, 'tmpfs', folder], { encoding: 'utf8' })
  t.teardown(() => {
    if (status === 0) spawnSync('umount', ['--lazy', folder])
    rmSync(folder, { recursive: true, force: true })
  })
  return status === 0 ? { folder } : { reason: `needs to mount a file system: ${error?.message ?? stderr.trim()}` }
}

/** Takes all the space that is left. @returns gives it back */
function fill(folder: string): () => void {
  const file = path.join(folder, 'filler')
  const descriptor = openSync(file, 'w')
  for (const block of [1024 * 1024, 4096].map((size) => Buffer.alloc(size))) {
    try {
      for (;;) writeSync(descriptor, block)
    } catch {
      // No space left.
    }
  }
  closeSync(descriptor)
  return () => {
    rmSync(file)
  }
}

await t.test('fault 12: no space is left under PostgreSQL: 503, nothing is lost, and it goes on when there is space again', { timeout: 120_000 }, async (t) => {
  const disk = smallDisk(t)
  if ('reason' in disk) {
    t.pass(disk.reason, { skip: disk.reason })
    return
  }
  const dataDir = path.join(disk.folder, 'data')
  mkdirSync(dataDir, { mode: 0o700 })
  chmodSync(disk.folder, 0o711)
  t.teardown(() => stopServer(layoutOf(dataDir)))
  const server = await startDurableServer(t, dataDir)
  const app = await startTestApp(t, { database: server.database })
  const person = await newPerson(app)
  const sessions: Tokens[] = []
  for (let i = 0; i < 8; i += 1) sessions.push(await enter(app, 'directus', person))
  const loggedOut = await enter(app, 'directus', person)
  await clients.directus.logout?.(app, loggedOut)
  await app.close()
  await server.leave()
  const node = await startNodeProcess(t, { environment: { DATA_DIR: dataDir, PUBLIC_URL: app.config.publicUrl.href, LOG_LEVEL: 'warn' } })
  const ledger = createLedger<{ sessionId: string; generation: number }>(t)
  const others: string[] = []

  /** What every client holds. */
  const generations = new Map(sessions.map((tokens) => [sessionIdOf(tokens), { refreshToken: tokens.refreshToken, generation: 0 }]))
  const refreshAll = async (): Promise<number[]> =>
    Promise.all(
      [...generations].map(async ([sessionId, at]) => {
        const answer = await clients.directus.refresh(node, at.refreshToken)
        if (answer.status === 200) {
          at.refreshToken = clients.directus.tokensOf(answer).refreshToken
          at.generation += 1
          ledger.note({ sessionId, generation: at.generation })
        } else if (answer.status !== 503) others.push(`${answer.status} ${answer.text}`)
        return answer.status
      }),
    )
  const logIn = async () => (await clients.bearer.login(node, person)).status
  const verify = async ({ accessToken }: Tokens) => (await call(node, '/verify', { method: 'GET', headers: { authorization: `Bearer ${accessToken}` } })).status

  t.same(await refreshAll(), sessions.map(() => 200))
  const giveBack = fill(disk.folder)
  // The log of the database is written ahead in files that have their size already: it takes a while until it needs a new one.
  const writer = await server.database.client()
  while (await writer.query('CREATE TABLE ballast AS SELECT g, repeat(md5(g::text), 30) FROM generate_series(1, 5000) g').then(() => writer.query('DROP TABLE ballast').then(() => true), () => false)) await pause(1)
  const full: number[] = []
  for (let rounds = 0; rounds < 400 && full.filter((status) => status === 503).length < 40; rounds += 1) full.push(...(await refreshAll()), await logIn())
  t.ok(full.filter((status) => status === 503).length >= 40, 'writes get 503')
  const verified = await verify(loggedOut)
  t.ok(verified === 401, 'what had ended stays ended')

  giveBack()
  const spaceAt = performance.now()
  while ((await refreshAll()).some((status) => status !== 200) || (await logIn()) !== 200) await pause(20)
  const backMs = performance.now() - spaceAt
  t.ok(backMs <= backWithinMs, `back within ${backWithinMs} ms`)
  const acknowledged = ledger.read()
  const database = await server.database.client()
  const { rows } = await database.query<{ id: string; generation: number; revoked: boolean }>('SELECT id, generation, revoked_at IS NOT NULL AS revoked FROM sessions')
  const stored = new Map(rows.map((row) => [row.id, row]))
  t.same(acknowledged.filter(({ sessionId, generation }) => generation > (stored.get(sessionId)?.generation ?? -1)), [], 'nothing is lost')
  t.same(sessions.filter((tokens) => stored.get(sessionIdOf(tokens))?.revoked !== false), [], 'nobody is logged out')
  t.same(others, [], 'neither 500 nor 401')
  t.equal(await verify(loggedOut), 401)
  t.comment(`${acknowledged.length} rotations acknowledged, ${full.filter((status) => status === 503).length} times 503; back ${backMs.toFixed(0)} ms after there was space`)
  t.equal(await node.stop('SIGTERM'), 0)
})

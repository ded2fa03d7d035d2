import t, { type Test } from 'tap'
import type { Grant } from '../../src/domain/grants.js'
import { startTestApp } from '../support/app.js'
import { call, claimsOf } from '../support/auth-client.js'
import { startDurableServer, type DurableServer } from '../support/durable-server.js'
import { createLedger } from '../support/ledger.js'
import { startNodeProcess, type NodeProcess } from '../support/node-process.js'
import { openSessions } from '../support/sessions.js'
import { inParallel } from '../support/statistics.js'
import { createStorm, type Storm } from '../support/storm.js'

const kills = 10
const atOnce = 16
const back = { withinMs: 5000 }

/** Two nodes that run the embedded server themselves, and sessions that were opened before. */
async function startFleet(t: Test, sessions: number) {
  const server = await startDurableServer(t)
  const app = await startTestApp(t, { database: server.database })
  const user = await app.createUser({ username: 'jane', password: 'correct horse' })
  const grants = await openSessions(app, user, sessions, 'directus')
  await app.close()
  await server.leave()
  const environment = { DATA_DIR: server.dataDir, PUBLIC_URL: app.config.publicUrl.href, LOG_LEVEL: 'warn' }
  const start = () => Promise.all([startNodeProcess(t, { environment }), startNodeProcess(t, { environment })])
  return { server, grants, start }
}

/** Kills the server in the middle, again and again. @returns how long each outage was, in milliseconds */
async function killAllThroughout(storm: Storm, { processes }: DurableServer, answersBetween: number): Promise<number[]> {
  const outagesMs: number[] = []
  for (let kill = 0; kill < kills; kill += 1) {
    await storm.untilAnswered(storm.answered + answersBetween)
    outagesMs.push(await storm.recoveryAfter(processes.kill()))
  }
  await storm.untilAnswered(storm.answered + answersBetween)
  return outagesMs
}

const inMs = (values: readonly number[]): string => `${values.map((ms) => ms.toFixed(0)).join(', ')} ms`

const verify = async (node: Pick<NodeProcess, 'url'>, accessToken: string): Promise<number> =>
  (await call(node, '/verify', { method: 'GET', headers: { authorization: `Bearer ${accessToken}` } })).status

const refresh = (refreshToken: string) => ({ body: { refresh_token: refreshToken, mode: 'json' } })

await t.test(`fault 1: PostgreSQL is killed ${kills} times in a storm of refreshes: none that was acknowledged is lost, nobody is logged out`, { timeout: 300_000 }, async (t) => {
  const { server, grants, start } = await startFleet(t, atOnce)
  const nodes = await start()
  const storm = createStorm(nodes)
  const ledger = createLedger<{ sessionId: string; generation: number; refreshToken: string }>(t)
  const refused: string[] = []
  let isOver = false

  const refreshAndRefresh = async ({ refreshToken: first, state }: Grant): Promise<void> => {
    for (let refreshToken = first; !isOver; ) {
      const { answer } = await storm.ask('/auth/refresh', refresh(refreshToken))
      if (answer.status !== 200) return void refused.push(`${answer.status} ${answer.text}`)
      refreshToken = String((answer.json as { refresh_token: unknown }).refresh_token)
      ledger.note({ sessionId: state.session.id, generation: Number(claimsOf(refreshToken).gen), refreshToken })
    }
  }
  const clients = Promise.all(grants.map(refreshAndRefresh))
  const outagesMs = (await Promise.race([killAllThroughout(storm, server, 150), clients.then(() => null)])) ?? []
  isOver = true
  await clients

  const acknowledged = ledger.read()
  const database = await server.database.client()
  const { rows } = await database.query<{ id: string; generation: number; revoked: boolean }>('SELECT id, generation, revoked_at IS NOT NULL AS revoked FROM sessions')
  const stored = new Map(rows.map((row) => [row.id, row]))
  const lost = acknowledged.filter(({ sessionId, generation }) => generation > (stored.get(sessionId)?.generation ?? -1))
  t.comment(`${acknowledged.length} rotations acknowledged, ${lost.length} lost; ${storm.turnedAway} requests turned away; back after ${inMs(outagesMs)}`)
  t.same(lost, [])
  t.same(refused, [], 'no client was refused')
  t.same(rows.filter(({ revoked }) => revoked), [], 'no session was revoked')
  t.same(storm.surprises, [])
  t.equal(outagesMs.length, kills, 'the storm lasted')
  t.ok(Math.max(...outagesMs) <= back.withinMs, `back within ${back.withinMs} ms`)
  const last = new Map(acknowledged.map(({ sessionId, refreshToken }) => [sessionId, refreshToken]))
  t.equal(last.size, grants.length)
  for (const refreshToken of last.values()) t.equal((await call(nodes[0], '/auth/refresh', refresh(refreshToken))).status, 200, 'the last token is good')
})

await t.test(`fault 2: PostgreSQL is killed ${kills} times in a storm of logouts: no token of an acknowledged one is accepted, after a restart neither`, { timeout: 300_000 }, async (t) => {
  const { server, grants, start } = await startFleet(t, 1500)
  const [stay, leave] = [grants.slice(0, 50), grants.slice(50)]
  const nodes = await start()
  const storm = createStorm(nodes)
  const ledger = createLedger<{ accessToken: string }>(t)
  const refused: string[] = []
  const acceptedAfterwards: string[] = []

  const clients = inParallel(leave, atOnce, async ({ accessToken, refreshToken }) => {
    const { answer, node } = await storm.ask('/auth/logout', { body: { refresh_token: refreshToken } })
    if (answer.status !== 204) return void refused.push(`${answer.status} ${answer.text}`)
    ledger.note({ accessToken })
    if ((await verify(node, accessToken)) === 200) acceptedAfterwards.push('by the node that acknowledged, at once')
  })
  const outagesMs = (await Promise.race([killAllThroughout(storm, server, Math.floor(leave.length / (kills + 2))), clients.then(() => null)])) ?? []
  await clients

  const acknowledged = ledger.read()
  t.comment(`${acknowledged.length} logouts acknowledged; ${storm.turnedAway} requests turned away; back after ${inMs(outagesMs)}`)
  t.equal(acknowledged.length, leave.length)
  t.same(refused, [])
  t.same(storm.surprises, [])
  t.equal(outagesMs.length, kills, 'the storm lasted')
  t.ok(Math.max(...outagesMs) <= back.withinMs, `back within ${back.withinMs} ms`)

  const probe = async (fleet: readonly NodeProcess[], when: string) => {
    for (const node of fleet) {
      await inParallel(acknowledged, atOnce, async ({ accessToken }) => {
        if ((await verify(node, accessToken)) !== 401) acceptedAfterwards.push(when)
      })
      for (const { accessToken } of stay) if ((await verify(node, accessToken)) !== 200) refused.push(`a session that nobody ended, ${when}`)
    }
  }
  await probe(nodes, 'after the storm')
  for (const node of nodes) await node.stop('SIGTERM')
  await probe(await start(), 'after a restart')
  t.same(acceptedAfterwards, [])
  t.same(refused, [])
})

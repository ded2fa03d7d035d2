import { setTimeout as pause } from 'node:timers/promises'
import t from 'tap'
import { startTestApp } from '../support/app.js'
import { call, type Call } from '../support/auth-client.js'
import { clients, enter, newPerson, untilDead } from '../support/dialect-clients.js'
import { startDurableServer } from '../support/durable-server.js'
import { watchLateness } from '../support/lateness.js'
import { startNodeProcess } from '../support/node-process.js'

const pauseMs = 30_000
const lagMs = 2000
/** The node checks the news this often, so what it knows is as old as this when the pause begins. */
const newsEveryMs = lagMs / 4
const writeMs = 2000
const recoveryMs = 2000

interface Observation {
  readonly status: number
  /** Since the pause began. */
  readonly sentAfterMs: number
  readonly tookMs: number
}

await t.test(`fault 3: PostgreSQL is paused for ${pauseMs / 1000} s: writes get 503, verification goes on until the lag limit`, { timeout: 120_000 }, async (t) => {
  const server = await startDurableServer(t)
  const app = await startTestApp(t, { database: server.database })
  const node = await startNodeProcess(t, { database: server.database, environment: { PUBLIC_URL: app.config.publicUrl.href, LOG_LEVEL: 'warn' } })
  const person = await newPerson(app)
  const [live, writing, loggedOut] = [await enter(app, 'directus', person), await enter(app, 'directus', person), await enter(app, 'directus', person)]
  await clients.directus.logout?.(app, loggedOut)
  await untilDead({ url: node.url, config: app.config }, loggedOut)
  await app.close()
  const lateness = watchLateness(t)

  let pausedAt = 0
  let isPaused = true
  async function observe(path: string, request: Call): Promise<Observation | null> {
    const sentAt = performance.now()
    const { status } = await call(node, path, request)
    const observation = { status, sentAfterMs: sentAt - pausedAt, tookMs: performance.now() - sentAt }
    return isPaused ? observation : null // what was answered afterwards says nothing about the pause
  }
  const requests = {
    live: () => observe('/verify', { method: 'GET', headers: { authorization: `Bearer ${live.accessToken}` } }),
    dead: () => observe('/verify', { method: 'GET', headers: { authorization: `Bearer ${loggedOut.accessToken}` } }),
    login: () => observe('/api/v1/auth/login', { body: { username: person.username, password: person.password } }),
    refresh: () => observe('/auth/refresh', { body: { refresh_token: writing.refreshToken, mode: 'json' } }),
    logout: () => observe('/auth/logout', { body: { refresh_token: live.refreshToken } }),
  }
  /** Not one after the other: those that wait do not keep the next one from being sent. */
  async function keepAsking(request: () => Promise<Observation | null>, everyMs: number): Promise<Observation[]> {
    const asked: Promise<Observation | null>[] = []
    while (isPaused) {
      asked.push(request())
      await pause(everyMs)
    }
    return (await Promise.all(asked)).filter((observation) => observation !== null)
  }

  server.processes.pause()
  t.teardown(() => {
    server.processes.resume()
  })
  pausedAt = performance.now()
  const asking = Promise.all([keepAsking(requests.live, 50), keepAsking(requests.dead, 200), ...[requests.login, requests.refresh, requests.logout].map((request) => keepAsking(request, 200))])
  await pause(pauseMs)
  isPaused = false
  server.processes.resume()
  const resumedAt = performance.now()
  const untilOk = async (request: () => Promise<unknown>, path: string): Promise<number> => {
    for (;;) {
      const status = await request()
      if (status === 200) return performance.now() - resumedAt
      if (status !== 503) t.fail(`${path} answered ${String(status)} after the pause`)
      await pause(20)
    }
  }
  const statusOf = async (path: string, request: Call) => (await call(node, path, request)).status
  const backAfterMs = await Promise.all([
    untilOk(() => statusOf('/verify', { method: 'GET', headers: { authorization: `Bearer ${writing.accessToken}` } }), '/verify'),
    untilOk(() => statusOf('/auth/refresh', { body: { refresh_token: writing.refreshToken, mode: 'json' } }), '/auth/refresh'),
    untilOk(() => statusOf('/api/v1/auth/login', { body: { username: person.username, password: person.password } }), 'login'),
  ])
  const [alive, dead, ...writes] = await asking
  const lateMs = lateness()
  const slowest = (observations: readonly Observation[]) => Math.max(...observations.map(({ tookMs }) => tookMs))
  const statuses = (observations: readonly Observation[]) => [...new Set(observations.map(({ status }) => status))].sort()

  for (const [name, observations] of Object.entries({ login: writes[0], refresh: writes[1], logout: writes[2] })) {
    if (observations === undefined) continue
    t.same(statuses(observations), [503], `${name}: ${observations.length} times 503`)
    t.ok(slowest(observations) <= writeMs + lateMs, `${name} within ${writeMs} ms`)
  }
  const before = alive.filter(({ sentAfterMs }) => sentAfterMs <= lagMs - newsEveryMs - lateMs)
  const after = alive.filter(({ sentAfterMs }) => sentAfterMs > lagMs)
  t.ok(before.length > 0 && after.length > 0)
  t.same(statuses(before), [200], 'verification goes on')
  t.same(statuses(after), [503], 'past the limit neither a 200 nor a 401')
  t.same(statuses(alive), [200, 503], 'never a 401')
  t.ok(slowest(alive) <= writeMs + lateMs)
  t.same(statuses(dead), [401], 'what is known to be dead stays dead')
  t.ok(Math.max(...backAfterMs) <= recoveryMs + lateMs, 'recovered')
  t.comment(
    `${alive.length + dead.length} verifications, ${writes.flat().length} writes; slowest write ${slowest(writes.flat()).toFixed(0)} ms; last 200 after ` +
      `${Math.max(...alive.filter(({ status }) => status === 200).map(({ sentAfterMs }) => sentAfterMs)).toFixed(0)} ms; ` +
      `back after ${backAfterMs.map((ms) => ms.toFixed(0)).join(', ')} ms; the machine was ${lateMs} ms late`,
  )
})

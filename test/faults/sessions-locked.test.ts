import { setTimeout as pause } from 'node:timers/promises'
import t from 'tap'
import { startTestApp } from '../support/app.js'
import { call, type Call } from '../support/auth-client.js'
import { enter, newPerson } from '../support/dialect-clients.js'
import { watchLateness } from '../support/lateness.js'
import { startNodeProcess } from '../support/node-process.js'
import { quantile } from '../support/statistics.js'

const sessionCount = 60
const peopleCount = 15
const withinMs = 1000
/** Not in waves: then whoever gets a connection late finds the others gone. */
const requests = 300
const everyMs = 10

await t.test('fault 4: `sessions` is locked by another client and no connection is left: 503 within a second, verification unaffected', { timeout: 120_000 }, async (t) => {
  const app = await startTestApp(t)
  const node = await startNodeProcess(t, { database: app.database, environment: { PUBLIC_URL: app.config.publicUrl.href, LOG_LEVEL: 'warn' } })
  const people = await Promise.all(Array.from({ length: peopleCount }, () => newPerson(app)))
  const sessions = (await Promise.all(Array.from({ length: sessionCount / peopleCount }, () => Promise.all(people.map((person) => enter(app, 'directus', person)))))).flat()
  const lateness = watchLateness(t)

  const ask = async (path: string, request: Call) => {
    const sentAt = performance.now()
    const { status, headers } = await call(node, path, request)
    return { status, retryAfter: headers.get('retry-after'), tookMs: performance.now() - sentAt }
  }
  const refresh = (index: number) => ask('/auth/refresh', { body: { refresh_token: sessions[index % sessionCount]?.refreshToken, mode: 'json' } })
  const logIn = (index: number) => ask('/api/v1/auth/login', { body: { username: people[index % peopleCount]?.username, password: people[index % peopleCount]?.password } })
  /** Verifies one after the other until told to stop. */
  const verifyMeanwhile = async (isOver: () => boolean) => {
    const answers = []
    for (let index = 0; !isOver(); index += 1) {
      answers.push(await ask('/verify', { method: 'GET', headers: { authorization: `Bearer ${sessions[index % sessionCount]?.accessToken ?? ''}` } }))
      await pause(5)
    }
    return answers
  }

  let isOver = false
  const verifying = verifyMeanwhile(() => isOver)
  const locker = await app.database.client()
  await locker.query('BEGIN')
  await locker.query('LOCK TABLE sessions IN ACCESS EXCLUSIVE MODE')
  const [refreshes, logins] = [[refresh(0)], [logIn(0)]]
  for (let index = 1; index < requests; index += 1) {
    if (index % 4 === 0) logins.push(logIn(index))
    else refreshes.push(refresh(index))
    await pause(everyMs)
  }
  const answers = { refresh: await Promise.all(refreshes), login: await Promise.all(logins) }
  const refused = Object.values(answers).flat()
  isOver = true
  const verified = await verifying
  await locker.query('ROLLBACK')
  const lateMs = lateness()

  const slowestMs = (some: readonly { tookMs: number }[]) => Math.max(...some.map(({ tookMs }) => tookMs))
  const verifiedMs = verified.map(({ tookMs }) => tookMs)
  t.same([...new Set(refused.map(({ status }) => status))], [503])
  t.ok(refused.every(({ retryAfter }) => retryAfter !== null))
  t.ok(slowestMs(refused) <= withinMs + lateMs, `503 within ${withinMs} ms`)
  t.same([...new Set(verified.map(({ status }) => status))], [200])
  t.ok(quantile(verifiedMs, 0.99) < withinMs / 10, 'verification waits for nothing')
  const afterwards = async (index: number): Promise<number> => {
    for (;;) {
      const { status } = await refresh(index)
      if (status !== 503) return status
    }
  }
  t.same([...new Set(await Promise.all(sessions.map((_, index) => afterwards(index))))], [200], 'and everybody goes on afterwards')
  t.comment(
    `${refused.length} times 503, at a refresh after ${slowestMs(answers.refresh).toFixed(0)} ms at worst, at a login after ${slowestMs(answers.login).toFixed(0)} ms; ${verified.length} verifications, ` +
      `median ${quantile(verifiedMs, 0.5).toFixed(1)} ms, p99 ${quantile(verifiedMs, 0.99).toFixed(1)} ms; the machine was ${lateMs} ms late`,
  )
})

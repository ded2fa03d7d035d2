import t from 'tap'
import { revokeUser } from '../../src/domain/operators.js'
import type { User } from '../../src/domain/model.js'
import { startTestApp, type TestApp } from '../support/app.js'
import { testOrigin } from '../support/log-in.js'
import { startNodeProcess } from '../support/node-process.js'
import { openSession, openSessions, untilAcknowledged } from '../support/sessions.js'
import { inParallel, quantile } from '../support/statistics.js'
import { createTcpProxy, type TcpProxy } from '../support/tcp-proxy.js'

const logouts = 10_000
const limitMs = 2000

const statusOf = async (url: string, token: string): Promise<number> => {
  const response = await fetch(`${url}/verify`, { headers: { authorization: `Bearer ${token}` } })
  await response.body?.cancel()
  return response.status
}

async function logOut(node: TestApp, user: User, sessionId: string): Promise<void> {
  const principal = { kind: 'session', userId: user.id, username: null, email: null, sessionId, epoch: 0, amr: [], tokenId: '', expiresAt: new Date(), scopes: [] } as const
  await node.app.identity.logout(principal, testOrigin)
}

const withUser = (node: TestApp): Promise<User> => node.createUser({ username: 'jane', password: 'correct horse' })

await t.test(`fault 6: of ${logouts} logouts that one node acknowledged, another accepts none past the limit`, { timeout: 300_000 }, async (t) => {
  const a = await startTestApp(t)
  const b = await startNodeProcess(t, { database: a.database, environment: { PUBLIC_URL: a.config.publicUrl.href } })
  const user = await withUser(a)
  const delays: number[] = []
  let acceptedOnA = 0
  let acceptedPastLimit = 0
  await inParallel(Array.from({ length: logouts }), 8, async () => {
    const { accessToken, state } = await untilAcknowledged(() => openSession(a, user))
    await untilAcknowledged(() => logOut(a, user, state.session.id))
    const acknowledgedAt = performance.now()
    if ((await statusOf(a.url, accessToken)) !== 401) acceptedOnA += 1
    for (;;) {
      const askedAt = performance.now()
      const status = await statusOf(b.url, accessToken)
      if (status === 401) break
      if (askedAt - acknowledgedAt > limitMs) acceptedPastLimit += 1
    }
    delays.push(performance.now() - acknowledgedAt)
  })
  t.equal(acceptedOnA, 0)
  t.equal(acceptedPastLimit, 0)
  const p99 = quantile(delays, 0.99)
  t.comment(`${logouts} logouts: the other node refuses after ${quantile(delays, 0.5).toFixed(1)} ms (median), ${p99.toFixed(1)} ms (p99), ${quantile(delays, 1).toFixed(1)} ms (last)`)
  t.ok(p99 <= limitMs, 'p99 within the limit')
})

await t.test('fault 7: "revoke everything of" a user with 10,000 sessions is one row', { timeout: 120_000 }, async (t) => {
  const node = await startTestApp(t)
  const user = await withUser(node)
  const grants = await openSessions(node, user, 10_000)
  const listener = await node.database.client()
  let notified = 0
  listener.on('notification', () => (notified += 1))
  await listener.query('LISTEN tessera')
  await revokeUser(node.core.service, user.id, { kind: 'operator', id: 'test' })
  const client = await node.database.client()
  const { rows } = await client.query<{ count: string }>('SELECT count(*) FROM revocations')
  t.equal(rows[0]?.count, '1')
  await listener.query('SELECT 1')
  t.equal(notified, 1, 'and one notification')
  for (const { accessToken } of grants.slice(0, 100)) t.equal(await statusOf(node.url, accessToken), 401)
})

const faults = {
  cut: (proxy: TcpProxy) => {
    proxy.cut()
  },
  freeze: (proxy: TcpProxy) => {
    proxy.silence()
    proxy.silenceNewOnes(true)
  },
}

for (const fault of ['cut', 'freeze'] as const) {
  await t.test(`fault 5: with the listening connection ${fault === 'cut' ? 'cut' : 'silently dead'}, nothing is accepted past the limit`, { timeout: 120_000 }, async (t) => {
    const a = await startTestApp(t)
    const proxy = await createTcpProxy(t, a.database.connectionString)
    const b = await startTestApp(t, { database: a.database, environment: { DATABASE_LISTEN_URL: proxy.connectionString, REVOCATION_MAX_LAG_MS: '1000' } })
    const user = await withUser(a)
    const grants = await Promise.all(Array.from({ length: 50 }, () => openSession(a, user)))
    for (const { accessToken } of grants) t.equal(await statusOf(b.url, accessToken), 200)
    faults[fault](proxy)
    await Promise.all(grants.map(({ state }) => logOut(a, user, state.session.id)))
    const acknowledgedAt = performance.now()
    let late = 0
    for (const { accessToken } of grants) {
      for (let status = 0; status !== 401; ) {
        const askedAt = performance.now()
        status = await statusOf(b.url, accessToken)
        if (status !== 401 && askedAt - acknowledgedAt > 1000) late += 1
      }
    }
    t.equal(late, 0)
  })
}

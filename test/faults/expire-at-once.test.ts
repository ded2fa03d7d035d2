import t from 'tap'
import { startTestApp } from '../support/app.js'
import { call, parseSetCookies } from '../support/auth-client.js'
import { openSessions } from '../support/sessions.js'
import { watchLateness } from '../support/lateness.js'

const sessions = 1000
const withinMs = 30_000
const retryMs = 200

await t.test(`fault 18: ${sessions} tokens of one minute expire at once: all are refreshed, nobody is logged out`, { timeout: 120_000 }, async (t) => {
  const a = await startTestApp(t)
  const b = await startTestApp(t, { database: a.database, clock: a.clock })
  const user = await a.createUser({ username: 'jane', pin: '471100' })
  const grants = await openSessions(a, user, sessions, 'pin')
  const lateness = watchLateness(t)
  const statuses = { verify: new Map<number, number>(), renewed: new Map<number, number>(), refresh: new Map<number, number>() }
  const count = (counts: Map<number, number>, status: number) => counts.set(status, (counts.get(status) ?? 0) + 1)

  const verify = async (node: typeof a, accessToken: string): Promise<number> =>
    (await call(node, '/verify', { method: 'GET', headers: { authorization: `Bearer ${accessToken}` } })).status
  t.equal(await verify(a, grants[0]?.accessToken ?? ''), 200)
  await a.clock.advance(66) // and the 5 s by which clocks may differ
  const startedAt = performance.now()
  const tookMs = await Promise.all(
    grants.map(async ({ accessToken, refreshToken }, index) => {
      const node = index % 2 === 0 ? a : b
      count(statuses.verify, await verify(node, accessToken))
      for (;;) {
        const { status, headers } = await call(node, '/auth/refresh', { headers: { cookie: `refreshToken=${refreshToken}` } })
        count(statuses.refresh, status)
        if (status === 503) {
          await new Promise((resolve) => setTimeout(resolve, retryMs))
          continue
        }
        const renewed = parseSetCookies(headers.getSetCookie()).accessToken?.value ?? ''
        count(statuses.renewed, await verify(node, renewed))
        return performance.now() - startedAt
      }
    }),
  )
  const { rows } = await a.core.pool.query<object>('SELECT generation, revoked_at IS NOT NULL AS revoked, count(*)::int FROM sessions GROUP BY 1, 2')
  t.same(rows, [{ generation: 1, revoked: false, count: sessions }])
  t.same([...statuses.verify.keys()], [401], 'all had expired')
  t.equal(statuses.refresh.get(200), sessions)
  t.same([...statuses.renewed], [[200, sessions]], 'what they got is good')
  t.ok(Math.max(...tookMs) <= withinMs + lateness())
  t.comment(`the last after ${Math.max(...tookMs).toFixed(0)} ms; refreshes by status ${JSON.stringify([...statuses.refresh])}`)
})

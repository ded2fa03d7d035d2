import t from 'tap'
import { startTestApp } from '../support/app.js'
import { countSessionChanges, raceLogoutAgainstRefresh, refreshAllAtOnce } from '../support/logout-races.js'
import { startNodeProcess } from '../support/node-process.js'

const races = 1000

await t.test('nodes as processes of their own', { timeout: 300_000 }, async (t) => {
  const app = await startTestApp(t)
  const node = async () => {
    const { url } = await startNodeProcess(t, { database: app.database, environment: { PUBLIC_URL: app.config.publicUrl.href, LOG_LEVEL: 'warn' } })
    return { url, config: app.config }
  }
  const [a, b, c] = [await node(), await node(), await node()]

  await t.test(`fault 10: a logout against refreshes, ${races} times: nothing lives after the acknowledgement`, (t) =>
    raceLogoutAgainstRefresh(t, { app, nodes: [a, b] }, races))

  await t.test('50 refreshes with one token at once, over three nodes: one successor, one change of the row', async (t) => {
    await app.core.pool.query(countSessionChanges)
    for (let round = 0; round < 5; round += 1) await refreshAllAtOnce(t, { app, nodes: [a, b, c] }, 50)
  })
})

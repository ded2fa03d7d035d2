import t from 'tap'
import { startFleet } from '../../support/fleet.js'
import { countSessionChanges, raceLogoutAgainstRefresh, refreshAllAtOnce } from '../../support/logout-races.js'

/** The short form of test/races/logout.test.ts. */
const [a, b = a, c = a] = await startFleet(t, 3)

await t.test('case 24: a logout against refreshes over two nodes: nothing lives after the acknowledgement', (t) =>
  raceLogoutAgainstRefresh(t, { app: a, nodes: [a, b] }, 50))

await t.test('case 19: 50 refreshes with one token at once, over three nodes: one successor, one change of the row', async (t) => {
  await a.core.pool.query(countSessionChanges)
  await refreshAllAtOnce(t, { app: a, nodes: [a, b, c] }, 50)
})

import t from 'tap'
import { startTestApp } from '../support/app.js'
import { raceAgainstPasswordChange, raceForOneToken } from '../support/races.js'

// Briefly, and in one process: test/races does it a thousand times over, with real nodes.
const races = 50

await t.test('two nodes over one database', async (t) => {
  const app = await startTestApp(t)
  const track = { app, nodes: [app, await startTestApp(t, { database: app.database })] } as const

  await t.test('race for one refresh token: one successor each time', (t) => raceForOneToken(t, track, races))

  await t.test('get logins with the old password while it changes: nothing lives on', (t) => raceAgainstPasswordChange(t, track, races))
})

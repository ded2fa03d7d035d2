import t from 'tap'
import { startTestApp } from '../support/app.js'
import { startNodeProcess } from '../support/node-process.js'
import { raceAgainstPasswordChange, raceForOneToken } from '../support/races.js'

const races = 1000

await t.test('two nodes, as processes of their own', { timeout: 300_000 }, async (t) => {
  const app = await startTestApp(t)
  const node = async () => {
    const { url } = await startNodeProcess(t, { database: app.database, environment: { PUBLIC_URL: app.config.publicUrl.href, LOG_LEVEL: 'warn' } })
    return { url, config: app.config }
  }
  const track = { app, nodes: [await node(), await node()] } as const

  await t.test(`fault 9: race for one refresh token, ${races} times: one successor each time`, (t) => raceForOneToken(t, track, races))

  await t.test(`fault 10: a change of password against logins with the old one, ${races} times: nothing lives on`, (t) =>
    raceAgainstPasswordChange(t, track, races))
})

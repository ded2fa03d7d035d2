import t from 'tap'
import { newAdmin } from '../support/admin.js'
import { startTestApp } from '../support/app.js'
import { raceAgainstTheEnd, raceOperators, roundsOf } from '../support/authority-races.js'
import { startNodeProcess } from '../support/node-process.js'

const rounds = 50

await t.test('two nodes, as processes of their own', { timeout: 300_000 }, async (t) => {
  const app = await startTestApp(t)
  const node = async () => {
    const { url } = await startNodeProcess(t, { database: app.database, environment: { PUBLIC_URL: app.config.publicUrl.href, LOG_LEVEL: 'warn' } })
    return { url, config: app.config }
  }
  const track = { app, nodes: [await node(), await node()] } as const
  for (const [what, prepare] of Object.entries(roundsOf(track, await newAdmin(app)))) {
    const fault = what.includes('operator') ? 'operator-against-demotion' : 'mint-against-revocation'
    await t.test(`${what}, ${rounds} times: nothing is done after the end [fault:${fault}]`, (t) => raceAgainstTheEnd(t, track, rounds, prepare))
  }
})

await t.test('operators change each other and themselves at once: no deadlock [fault:operators-against-each-other]', { timeout: 120_000 }, async (t) => {
  const one = await startTestApp(t)
  await raceOperators(t, [one, await startTestApp(t, { database: one.database, clock: one.clock })], rounds)
})

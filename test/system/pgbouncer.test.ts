import { setTimeout as pause } from 'node:timers/promises'
import t from 'tap'
import { startTestApp } from '../support/app.js'
import { createCli } from '../support/cli.js'
import { clients, enter, everyDialect, isLive, newPerson, renew, untilDead } from '../support/dialect-clients.js'
import { startNodeProcess } from '../support/node-process.js'
import { skipWithoutPgBouncer as skip, startPgBouncer } from '../support/pgbouncer.js'
import { times } from '../support/repository.js'
import { inParallel } from '../support/statistics.js'

/** Fewer than the nodes' pools together: each transaction meets another connection than the one before. */
const connectionsOfPooler = 3
const logins = 60

await t.test('two nodes behind PgBouncer in transaction mode, as it comes', { skip, timeout: 120_000 }, async (t) => {
  const app = await startTestApp(t)
  const direct = app.database.connectionString
  const pooled = await startPgBouncer(t, direct, connectionsOfPooler)
  const environment = { DATABASE_URL: pooled, DATABASE_LISTEN_URL: direct, PUBLIC_URL: app.config.publicUrl.href, LOG_LEVEL: 'warn' }
  const node = () => startNodeProcess(t, { environment })
  const [a, b] = [await node(), await node()]
  const people = await Promise.all(times(10, () => newPerson(app)))

  await t.test(`${logins} logins, ten at once, over both nodes and all dialects`, async (t) => {
    const statuses: number[] = []
    await inParallel(times(logins, (index) => index), 10, async (index) => {
      const [person, dialect] = [people[index % people.length], everyDialect[index % everyDialect.length]]
      if (!person || !dialect) throw new Error('nobody')
      const node = index % 2 === 0 ? a : b
      for (;;) {
        const { status } = await clients[dialect].login(node, person)
        statuses.push(status)
        if (status !== 503) return
        await pause(20) // the queue was full, as it may be
      }
    })
    t.same(statuses.filter((status) => status !== 200 && status !== 503), [], 'nothing went wrong')
    t.equal(statuses.filter((status) => status === 200).length, logins)
  })

  for (const dialect of everyDialect) {
    await t.test(`${dialect}: refreshed at one node, logged out at the other`, async (t) => {
      const [person] = people
      if (!person) throw new Error('nobody')
      const first = await enter(a, dialect, person)
      const second = await renew(b, dialect, first.refreshToken)
      t.equal(await isLive(a, second), true)
      const client = clients[dialect]
      if (!client.logout) return
      t.ok((await client.logout(a, second)).status < 300)
      await untilDead({ url: b.url, config: app.config }, second)
      t.pass('the word travels past the pooler')
    })
  }

  await t.test('the command line works through it as well', async (t) => {
    const [, person] = people
    if (!person) throw new Error('nobody')
    const tokens = await enter(a, 'bearer', person)
    const tessera = createCli({ DATABASE_URL: pooled, DATABASE_LISTEN_URL: direct, MASTER_SECRET: app.config.masterSecret ?? '' })
    const doctor = await tessera(['doctor'])
    t.equal(doctor.status, 0, doctor.stderr + doctor.stdout)
    t.match(doctor.stdout, /limits.*no statement_timeout, lock_timeout, idle_in_transaction_session_timeout/)
    t.equal((await tessera(['audit', 'verify'])).status, 0)
    t.equal((await tessera(['user', 'suspend', '--username', person.username])).status, 0)
    await untilDead({ url: b.url, config: app.config }, tokens)
    t.pass('a suspension is heard of by the nodes')
  })
})

import t from 'tap'
import { startTestApp } from '../support/app.js'
import { claimsOf } from '../support/auth-client.js'
import { cliBeside } from '../support/cli.js'
import { enter, everyDialect, isLive, newPerson, renew } from '../support/dialect-clients.js'
import { createEmptyDatabase } from '../support/database.js'

await t.test('tessera database copy moves everything: sessions, PINs, keys, second factors and the trail go on', async (t) => {
  const here = await startTestApp(t)
  const person = await newPerson(here)
  const grants = new Map(await Promise.all(everyDialect.map(async (dialect) => [dialect, await enter(here, dialect, person)] as const)))
  const target = await createEmptyDatabase(t)
  const copy = (input: string) => cliBeside(here)(['database', 'copy', '--to', '-'], { input })

  t.match(await copy(target.connectionString), { status: 1, stderr: /the database is in use by “tessera.*”: stop the service, and run this again/ })
  await here.close()
  t.match(await copy(`${target.connectionString}\n`), { status: 0, stdout: /^TABLE +ROWS\n/, stderr: /with the same master secret/ })
  t.match(await copy(target.connectionString), { status: 1, stderr: /the other database is in use: it holds users or keys; give an empty one/ })

  const there = await startTestApp(t, { database: target, clock: here.clock })
  for (const [dialect, grant] of grants) {
    t.ok(await isLive(there, grant), dialect)
    const renewed = await renew(there, dialect, grant.refreshToken)
    t.equal(claimsOf(renewed.accessToken).sub, person.id, dialect)
    t.equal(claimsOf((await enter(there, dialect, person)).accessToken).sub, person.id, `${dialect}: with the same secret`)
  }
  t.match(await cliBeside(there)(['audit', 'verify']), { status: 0, stdout: /^intact: / })
  t.ok(await newPerson(there), 'new rows get new numbers')
})

await t.test('what --to names must be a database', async (t) => {
  const node = await startTestApp(t)
  const unreachable = await cliBeside(node)(['database', 'copy', '--to', '-'], { input: 'postgresql://me:tr0ub4dor@127.0.0.1:1/x' })
  t.match(unreachable, { status: 1, stdout: '', stderr: /^tessera: cannot use PostgreSQL at 127\.0\.0\.1:1\/x \(ECONNREFUSED\): .*--to/ })
  t.notMatch(unreachable.stderr, /tr0ub4dor|this should not/)
  const run = await cliBeside(node)(['database', 'copy', '--to', '-'], { input: 'mysql://me:tr0ub4dor@db/x' })
  t.strictSame(run, { status: 1, stdout: '', stderr: 'tessera: --to must name a file that holds a URL such as postgresql://user@host:5432/database\n' })
})

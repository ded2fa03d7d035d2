import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { text } from 'node:stream/consumers'
import { setTimeout as sleep } from 'node:timers/promises'
import type pg from 'pg'
import t from 'tap'
import type { Test } from 'tap'
import { packageRoot } from '../../src/package-root.js'
import { MigrationError, migrate, pendingMigrations } from '../../src/repository/migrate.js'
import { createTestDatabase } from '../support/database.js'

/** A database with nothing in it, and a folder with these files. */
async function emptyDatabase(t: Test, files: Record<string, string>) {
  const database = await createTestDatabase(t)
  const { connectionString } = database
  const client = await database.client()
  await client.query('drop schema public cascade; create schema public')
  const directory = mkdtempSync(path.join(tmpdir(), 'tessera-migrations-'))
  t.teardown(() => { rmSync(directory, { recursive: true, force: true }) })
  const write = (name: string, sql: string) => { writeFileSync(path.join(directory, name), sql) }
  for (const [name, sql] of Object.entries(files)) write(name, sql)
  return { connectionString, client, directory, write }
}

async function valuesOf(client: pg.Client, sql: string): Promise<unknown[]> {
  const { rows } = await client.query<Record<string, unknown>>(sql)
  return rows.flatMap((row) => Object.values(row))
}

const refused = (message: RegExp) => ({ name: 'MigrationError', message })
const oneLine = /^[^\n]+$/

const twoSteps = {
  '0001_first.sql': 'create table steps (name text); insert into steps values (\'first\');',
  '0002_second.sql': 'insert into steps values (\'second\');',
}

await t.test('migrations are applied in order, once', async (t) => {
  const { connectionString, client, directory } = await emptyDatabase(t, { ...twoSteps, 'README.md': 'not one' })
  t.strictSame(await pendingMigrations(client, directory), ['0001_first', '0002_second'])
  const said: string[] = []
  const log = (message: string) => said.push(message)
  t.strictSame(await migrate(connectionString, { directory, log }), { applied: ['0001_first', '0002_second'] })
  t.equal(said.length, 2)
  t.strictSame(await pendingMigrations(client, directory), [])
  t.strictSame(await migrate(connectionString, { directory, log }), { applied: [] })
  t.equal(said.length, 2)
  t.strictSame(await valuesOf(client, 'select name from steps'), ['first', 'second'])
  const { rows } = await client.query('select version, name, length(checksum) as bits, applied_at from schema_migrations order by version')
  t.match(rows, [{ version: 1, name: '0001_first', bits: 64, applied_at: Date }, { version: 2, name: '0002_second' }])
})

await t.test('no folder, or an empty one, is nothing to do', async (t) => {
  const { connectionString, client, directory } = await emptyDatabase(t, {})
  for (const folder of [directory, path.join(directory, 'nowhere')]) {
    t.strictSame(await migrate(connectionString, { directory: folder }), { applied: [] })
    t.strictSame(await pendingMigrations(client, folder), [])
  }
})

await t.test('the migrations of the package are those that a test database has', async (t) => {
  const database = await createTestDatabase(t)
  const { connectionString } = database
  const client = await database.client()
  const files = readdirSync(path.join(packageRoot, 'migrations')).filter((name) => name.endsWith('.sql'))
  t.strictSame(await pendingMigrations(client), [])
  t.strictSame(await migrate(connectionString), { applied: [] })
  const names = await valuesOf(client, 'select name from schema_migrations order by version')
  t.strictSame(names.map((name) => `${String(name)}.sql`), files.sort())
})

await t.test('a migration that was changed after it had been applied stops the start', async (t) => {
  const { connectionString, client, directory, write } = await emptyDatabase(t, twoSteps)
  await migrate(connectionString, { directory })
  write('0001_first.sql', twoSteps['0001_first.sql'].replace('first', 'fist'))
  await t.rejects(migrate(connectionString, { directory }), refused(/0001_first was changed after it had been applied/))
  await t.rejects(migrate(connectionString, { directory }), refused(oneLine))
  await t.rejects(pendingMigrations(client, directory), MigrationError)
})

await t.test('line ends that a checkout turned round are no change', async (t) => {
  const { connectionString, directory, write } = await emptyDatabase(t, { '0001_first.sql': 'create table steps ();\n' })
  await migrate(connectionString, { directory })
  write('0001_first.sql', 'create table steps ();\r\n')
  t.strictSame(await migrate(connectionString, { directory }), { applied: [] })
})

await t.test('a database that a newer release has migrated is accepted', async (t) => {
  const { connectionString, client, directory } = await emptyDatabase(t, twoSteps)
  await migrate(connectionString, { directory })
  rmSync(path.join(directory, '0002_second.sql'))
  t.strictSame(await migrate(connectionString, { directory }), { applied: [] })
  t.strictSame(await pendingMigrations(client, directory), [])
})

await t.test('a migration that fails leaves nothing of itself, and all of those before it', async (t) => {
  const { connectionString, client, directory, write } = await emptyDatabase(t, {
    ...twoSteps,
    '0003_third.sql': `insert into steps values ('third');\n\ninsert into nowhere\nvalues (1);`,
  })
  const attempt = migrate(connectionString, { directory })
  await t.rejects(attempt, refused(/^Migration 0003_third failed in line 3: relation "nowhere" does not exist$/))
  t.strictSame(await valuesOf(client, 'select name from steps'), ['first', 'second'])
  t.strictSame(await pendingMigrations(client, directory), ['0003_third'])
  write('0003_third.sql', `insert into steps values ('third');`)
  t.strictSame(await migrate(connectionString, { directory }), { applied: ['0003_third'] })
})

await t.test('a role that may not change the schema can serve one that is up to date, and is told in one line what is missing from another', async (t) => {
  const { connectionString, client, directory } = await emptyDatabase(t, twoSteps)
  const mayNotCreate = 'revoke create on schema public from current_user'
  await client.query(mayNotCreate)
  await t.rejects(migrate(connectionString, { directory }), refused(/^The schema cannot be brought up to date: permission denied for schema public\. [^\n]+$/))
  await client.query('grant create on schema public to current_user')
  await migrate(connectionString, { directory })
  await client.query(mayNotCreate)
  t.strictSame(await migrate(connectionString, { directory }), { applied: [] })
})

await t.test('files that cannot be put in order are refused before anything is applied', async (t) => {
  const { connectionString, client, directory, write } = await emptyDatabase(t, twoSteps)
  write('0002_twice.sql', 'select 1')
  await t.rejects(migrate(connectionString, { directory }), refused(/^0002_second and 0002_twice have one number/))
  rmSync(path.join(directory, '0002_twice.sql'))
  write('3_short.sql', 'select 1')
  await t.rejects(migrate(connectionString, { directory }), refused(/^3_short\.sql is no name for a migration/))
  rmSync(path.join(directory, '3_short.sql'))
  t.strictSame(await pendingMigrations(client, directory), ['0001_first', '0002_second'])

  write('0004_fourth.sql', 'select 1')
  await migrate(connectionString, { directory })
  write('0003_late.sql', 'select 1')
  await t.rejects(migrate(connectionString, { directory }), refused(/^Migration 0003_late comes before 4, which has been applied/))
})

const nodeScript = path.join(packageRoot, 'dist/test/support/migrating-node.js')

function startNode(t: Test, connectionString: string, directory: string) {
  const child = spawn(process.execPath, [nodeScript, connectionString, directory], { stdio: ['ignore', 'pipe', 'inherit'] })
  t.teardown(() => child.kill('SIGKILL'))
  const ended = once(child, 'close')
  const applied = text(child.stdout).then((said) => (JSON.parse(said) as { applied: string[] }).applied)
  return { child, ended, applied }
}

/** Backends of this database that migrate it. */
const migrating = `select pid from pg_stat_activity where datname = current_database() and application_name = 'tessera migrate'`

async function untilThereAre(client: pg.Client, count: number, backends = migrating): Promise<unknown[]> {
  for (;;) {
    const pids = await valuesOf(client, backends)
    if (pids.length === count) return pids
    await sleep(20)
  }
}

await t.test('fault 16: of four nodes that start at once on an empty schema one migrates', async (t) => {
  const { connectionString, client, directory } = await emptyDatabase(t, twoSteps)
  const nodes = [1, 2, 3, 4].map(() => startNode(t, connectionString, directory))
  const applied = await Promise.all(nodes.map((node) => node.applied))
  t.strictSame(applied.flat(), ['0001_first', '0002_second'])
  t.strictSame(await valuesOf(client, 'select name from steps'), ['first', 'second'])
})

await t.test('fault 16: when the node that migrates is killed, the next one completes it', async (t) => {
  const { connectionString, client, directory } = await emptyDatabase(t, {
    '0001_first.sql': twoSteps['0001_first.sql'],
    '0002_second.sql': `insert into steps values ('second'); select pg_advisory_xact_lock(42);`,
  })
  await client.query('select pg_advisory_lock(42)') // holds up the second migration
  const first = startNode(t, connectionString, directory)
  first.applied.catch(() => undefined)
  const [firstBackend] = await untilThereAre(client, 1, `${migrating} and wait_event_type = 'Lock'`)
  const others = [1, 2, 3].map(() => startNode(t, connectionString, directory))
  await untilThereAre(client, 4)

  first.child.kill('SIGKILL')
  await first.ended
  t.notOk((await untilThereAre(client, 3)).includes(firstBackend), 'the lock of the dead is free while its statement still waits')
  t.strictSame(await valuesOf(client, 'select name from steps'), ['first'], 'half a migration has left nothing')
  await client.query('select pg_advisory_unlock(42)')
  const applied = await Promise.all(others.map((node) => node.applied))
  t.strictSame(applied.flat(), ['0002_second'])
  t.strictSame(await valuesOf(client, 'select name from steps'), ['first', 'second'])
})

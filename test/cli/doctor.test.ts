import t from 'tap'
import { startTestApp } from '../support/app.js'
import { cliBeside, createCli, failedWith, jsonOf, type CliRun } from '../support/cli.js'
import { createTestDatabase } from '../support/database.js'

const secret = 'a master secret for tests, and for tests alone'
const nobodyListens = 'postgresql://nobody:tr0ub4dor@127.0.0.1:1/none'

const names = ['environment', 'database', 'versions', 'migrations', 'role', 'limits', 'keys', 'clock', 'feed', 'fleet']

/** check → verdict and detail */
function findingsOf(run: CliRun): Record<string, string> {
  return Object.fromEntries(run.stdout.trimEnd().split('\n').map((line) => {
    const [, verdict = '', check = '', detail = ''] = /^(\w+) +(\w+) +(.*)$/.exec(line) ?? []
    return [check, `${verdict}: ${detail}`]
  }))
}

void t.test('tessera doctor', async (t) => {
  const node = await startTestApp(t)
  const tessera = cliBeside(node)

  await t.test('where all is well each check is one line, and the status 0', async (t) => {
    const run = await tessera(['doctor'])
    t.match(run, { status: 0, stderr: /^$/ })
    t.match(findingsOf(run), {
      environment: 'ok: DATABASE_URL is set',
      database: 'ok: answers',
      versions: /^ok: tessera \d+\.\d+\.\d+, Node \d+\.\d+\.\d+, PostgreSQL \d+/,
      migrations: 'ok: all applied',
      role: /^ok: \S+ does everything: MIGRATION_DATABASE_URL would let it only append/,
      limits: /^ok: statement_timeout 1500ms, lock_timeout 800ms/,
      keys: /^ok: the master secret opens all \d+$/,
      clock: /^ok: \d+ ms from the database's$/,
      feed: /^ok: a notification arrives within \d+ ms$/,
      fleet: /^ok: no token lives longer than 3600 s; ARGON2_MEMORY_KIB 1024, .*SIGNING_ALG ES256/,
    })
    t.strictSame(Object.keys(findingsOf(run)), names)
    const asJson = jsonOf(await tessera(['doctor', '--json']))
    t.match(asJson, { healthy: true, findings: names.map((check) => ({ check, verdict: 'ok' })) })
  })

  await t.test('a wrong environment', async (t) => {
    const run = await tessera(['doctor'], { environment: { PORT: 'x' } })
    t.equal(run.status, 1)
    t.match(findingsOf(run), { environment: 'wrong: PORT must be a whole number from 0 to 65535 (it is "x")', database: /^skipped: /, feed: /^skipped: / })
    t.strictSame(Object.keys(findingsOf(run)), names)
  })

  await t.test('what the environment warns of is no failure', async (t) => {
    const run = await tessera(['doctor'], { environment: { PUBLIC_URL: 'http://id.example.com' } })
    t.equal(run.status, 0)
    t.match(run.stdout, /^warning +environment +PUBLIC_URL http:\/\/id\.example\.com is http and not loopback/m)
  })

  await t.test('a database that does not answer, or refuses us', async (t) => {
    const run = await tessera(['doctor'], { environment: { DATABASE_URL: nobodyListens } })
    t.equal(run.status, 1)
    t.match(findingsOf(run), { environment: /^ok/, database: /^wrong: cannot use PostgreSQL at 127\.0\.0\.1:1\/none \(ECONNREFUSED\)/, keys: /^skipped/ })
    t.notMatch(run.stdout + run.stderr, 'tr0ub4dor')
    const url = new URL(node.database.connectionString)
    url.password = 'tr0ub4dor'
    const refused = await tessera(['doctor'], { environment: { DATABASE_URL: url.href } })
    t.match(findingsOf(refused).database, /^wrong: cannot use PostgreSQL at .* \(28P01\): check user, password and database name in DATABASE_URL$/)
    t.notMatch(refused.stdout + refused.stderr, 'tr0ub4dor')
  })

  await t.test('another master secret', async (t) => {
    const run = await tessera(['doctor'], { environment: { MASTER_SECRET: 'another master secret, also long enough' } })
    t.equal(run.status, 1)
    t.match(findingsOf(run), { migrations: /^ok/, keys: /^wrong: MASTER_SECRET does not open the keys in this database/, clock: /^ok/ })
  })

  await t.test('a new master secret beside the old one is found good, and nothing is wrapped anew by looking', async (t) => {
    const { keys } = node.core.service.repository
    const before = (await keys.wraps()).length
    const run = await tessera(['doctor'], { environment: { MASTER_SECRET: 'another master secret, also long enough', MASTER_SECRET_PREVIOUS: secret } })
    t.match(findingsOf(run).keys, /^ok: the master secret opens all/)
    t.equal((await keys.wraps()).length, before)
  })

  await t.test('notifications that do not arrive', async (t) => {
    // Another database of the same server: LISTEN is taken, and nothing is passed on, as behind a transaction pooler.
    const other = await createTestDatabase(t)
    const run = await tessera(['doctor'], { environment: { DATABASE_LISTEN_URL: other.connectionString } })
    t.equal(run.status, 1)
    t.match(findingsOf(run), { clock: /^ok/, feed: 'wrong: notifications do not arrive: give a direct connection, past any transaction pooler, as DATABASE_LISTEN_URL' })
  })

  await t.test('a Redis that is configured and does not answer', async (t) => {
    const run = await tessera(['doctor'], { environment: { REDIS_URL: 'redis://:tr0ub4dor@127.0.0.1:1' } })
    t.equal(run.status, 1)
    t.match(findingsOf(run), { redis: /^wrong: it does not answer at REDIS_URL/, feed: /^ok/ })
    t.notMatch(run.stdout + run.stderr, 'tr0ub4dor')
  })

  await t.test('a clock that differs', async (t) => {
    const client = await node.database.client()
    await client.query(`
      create schema skewed;
      create function skewed.clock_timestamp() returns timestamptz language sql as $$ select pg_catalog.clock_timestamp() + interval '1 minute' $$`)
    const url = new URL(node.database.connectionString)
    url.searchParams.set('options', '-c search_path=skewed,pg_catalog,public')
    const run = await tessera(['doctor'], { environment: { DATABASE_URL: url.href } })
    t.equal(run.status, 1)
    t.match(findingsOf(run), { clock: /^wrong: (59|60) s from the database's/, feed: /^ok/ })
  })
})

void t.test('tessera migrate', async (t) => {
  const database = await createTestDatabase(t)
  const client = await database.client()
  await client.query('drop schema public cascade; create schema public')
  const tessera = createCli({ DATABASE_URL: database.connectionString, MASTER_SECRET: secret })

  await t.test('the doctor names what is not applied, and applies nothing', async (t) => {
    const run = await tessera(['doctor'])
    t.equal(run.status, 1)
    t.match(findingsOf(run).migrations, /^wrong: \d+ not applied, 0001_time_and_state is the first: `tessera migrate`/)
    t.strictSame((await client.query(`select from pg_tables where schemaname = 'public'`)).rowCount, 0)
  })

  await t.test('every migration is applied, once', async (t) => {
    const run = await tessera(['migrate', '--json'])
    t.match(run, { status: 0, stderr: /^$/ })
    const applied = jsonOf(run)
    t.match(applied, { applied: ['0001_time_and_state', '0002_users'] })
    t.strictSame(await tessera(['migrate']), { status: 0, stdout: 'the schema is up to date\n', stderr: '' })
    t.match(findingsOf(await tessera(['doctor'])), { migrations: 'ok: all applied', keys: 'ok: none yet: the first start makes them' })
    t.strictSame((await client.query('select from data_keys')).rowCount, 0)
  })

  await t.test('a migration that was changed since is one line', async (t) => {
    await client.query(`update schema_migrations set checksum = 'x' where version = 2`)
    const line = 'Migration 0002_users was changed after it had been applied: restore it, and put the change into a new one.'
    t.strictSame(await tessera(['migrate']), failedWith(line))
    t.match(findingsOf(await tessera(['doctor'])).migrations, `wrong: ${line}`)
    t.strictSame(await tessera(['user', 'list']), failedWith(line))
  })
})

void t.test('any command says in one line, at once, why there is nothing to work with', async (t) => {
  const tessera = createCli({ DATABASE_URL: nobodyListens, MASTER_SECRET: secret })
  const startedAt = performance.now()
  t.strictSame(await tessera(['user', 'list']), failedWith('cannot use PostgreSQL at 127.0.0.1:1/none (ECONNREFUSED): check that it runs and that DATABASE_URL is right'))
  t.ok(performance.now() - startedAt < 20_000, 'a service would wait for it; who types a command would not')
  t.strictSame(await tessera(['user', 'list'], { environment: { MASTER_SECRET: '' } }), failedWith(
    'MASTER_SECRET is required with DATABASE_URL: at least 32 random bytes, the same for all nodes, such as from `openssl rand -base64 32`'))
  t.strictSame(await tessera(['user', 'list'], { environment: { COOKIE_SAMSITE: 'lax' } }), failedWith(
    'COOKIE_SAMSITE is not a setting of tessera, and COOKIE_SAMESITE is: correct the name, or remove it (docs/configuration.md lists them all)'))
  const node = await startTestApp(t)
  const wrongSecret = await cliBeside(node)(['user', 'list'], { environment: { MASTER_SECRET: 'another master secret, also long enough' } })
  t.match(wrongSecret, { status: 1, stdout: /^$/, stderr: /^tessera: MASTER_SECRET does not open the keys in this database[^\n]*\n$/ })
})

import t from 'tap'
import { startTestApp, type TestApp } from '../support/app.js'
import { cliBeside, createCli, failedWith, jsonOf } from '../support/cli.js'

const password = 'a password of enough length'
const ofService = { SIGNING_ALG: 'EdDSA', SIGNING_KEY_MAX_AGE: '600', ARGON2_MEMORY_KIB: '2048', ARGON2_TIME: '3', BEARER_ACCESS_TTL: '2h' }

const node = await startTestApp(t, { environment: ofService })

/** The database and the master secret, as an operator's shell has them, and no setting of the service. */
const bareShell = ({ config, database }: TestApp) => createCli({ DATABASE_URL: database.connectionString, MASTER_SECRET: config.masterSecret ?? '' })
const tessera = bareShell(node)

const costOf = async (username: string): Promise<string> => {
  const { rows: [row] } = await node.core.pool.query<{ hash: string }>('SELECT p.hash FROM passwords p JOIN users u ON u.id = p.user_id WHERE u.username_canonical = $1', [username])
  return row?.hash.split('$')[3] ?? ''
}

const keys = () => node.core.service.repository.keys.signingKeys()

await t.test('a key that a bare shell rotates is of the fleet’s algorithm, and signs once the fleet’s max-age is over [fault:shell-without-the-services-settings]', async (t) => {
  t.match(await tessera(['key', 'rotate']), { status: 0, stderr: /^$/, stdout: /^\S+: published, and signs in 600 seconds\n$/ })
  const stored = await keys()
  t.same(stored.map(({ alg }) => alg), ['EdDSA', 'EdDSA'])
  const newest = stored.at(-1)
  t.equal((newest?.signsFrom.getTime() ?? 0) - (newest?.publishedAt.getTime() ?? 0), 600_000)
})

await t.test('passwords and PINs that a bare shell sets cost what the service’s cost', async (t) => {
  t.match(await tessera(['user', 'create', '--username', 'ada', '--password', password, '--pin', '1234']), { status: 0 })
  t.equal(await costOf('ada'), 'm=2048,t=3,p=1')
  t.match(await tessera(['user', 'set-password', '--username', 'ada', '--password', `${password}!`]), { status: 0 })
  t.equal(await costOf('ada'), 'm=2048,t=3,p=1')
  t.match(await tessera(['user', 'import', '-'], { input: `{"username":"eve","password":"${password}"}\n` }), { status: 0 })
  t.equal(await costOf('eve'), 'm=2048,t=3,p=1')
})

await t.test('a shell that says something else than the fleet is told so in one line, and changes nothing', async (t) => {
  const before = (await keys()).length
  t.strictSame(await tessera(['key', 'rotate'], { environment: { SIGNING_ALG: 'ES256' } }), failedWith(
    'SIGNING_ALG is ES256 here and EdDSA in the fleet: remove it from this environment, or restart the service with it first; nothing was changed'))
  t.match(await tessera(['key', 'rotate'], { environment: { SIGNING_KEY_MAX_AGE: '30s' } }), { status: 1, stderr: /^tessera: SIGNING_KEY_MAX_AGE is 30 here and 600 in the fleet/ })
  t.match(await tessera(['user', 'create', '--username', 'bob', '--password', password], { environment: { ARGON2_TIME: '1' } }), { status: 1, stderr: /^tessera: ARGON2_TIME is 1 here and 3 in the fleet/ })
  t.match(await tessera(['user', 'set-pin', '--username', 'ada', '--pin', '5678'], { environment: { ARGON2_TIME: '1' } }), { status: 1, stderr: /ARGON2_TIME is 1 here/ })
  t.equal((await keys()).length, before)
  t.equal(await costOf('bob'), '')
  // The same value in other words is no difference, and what a command does not work by does not stop it.
  t.match(await tessera(['key', 'rotate'], { environment: { SIGNING_KEY_MAX_AGE: '10m' } }), { status: 0 })
  t.match(await tessera(['user', 'suspend', '--username', 'ada'], { environment: { ARGON2_TIME: '1', SIGNING_ALG: 'RS256' } }), { status: 0 })
})

await t.test('the doctor shows what the fleet agreed on, and where a shell differs', async (t) => {
  const report = jsonOf(await tessera(['doctor', '--json'], { environment: { SIGNING_ALG: 'RS256' } })) as { findings: { check: string; verdict: string; detail: string }[] }
  const found = report.findings.filter(({ check }) => check === 'fleet')
  t.match(found[0], { verdict: 'ok', detail: /^no token lives longer than 7200 s; .*SIGNING_ALG EdDSA.*; not said here, and changed by a node that starts here: .*ARGON2_MEMORY_KIB/ })
  t.match(found[1], { verdict: 'warning', detail: /^SIGNING_ALG is RS256 here and EdDSA in the fleet/ })
})

await t.test('a node that starts with other settings says which in one line, and its values count from then on', async (t) => {
  const warned = ({ logLines }: TestApp): string[] => logLines.filter((line) => line.includes('other settings than its fleet'))
  t.same(warned(node), [])
  const same = await startTestApp(t, { database: node.database, clock: node.clock, environment: ofService })
  t.same(warned(same), [])
  const other = await startTestApp(t, { database: node.database, clock: node.clock, environment: { ...ofService, SIGNING_KEY_MAX_AGE: '60', AUDIENCE: 'orders' } })
  t.equal(warned(other).length, 1)
  t.match(warned(other)[0], /AUDIENCE is orders here and was http:\/\/127\.0\.0\.1:9154; SIGNING_KEY_MAX_AGE is 60 here and was 600/)
  t.match(await tessera(['key', 'rotate']), { status: 0, stdout: /signs in 60 seconds/ })
})

await t.test('before the first start of a service the environment counts', async (t) => {
  const fresh = await startTestApp(t)
  await fresh.core.pool.query('DELETE FROM fleet_settings')
  t.match(await cliBeside(fresh)(['key', 'rotate'], { environment: { SIGNING_KEY_MAX_AGE: '45' } }), { status: 0, stdout: /signs in 45 seconds/ })
})

// `npm test [-- test/x.test.ts test/folder …]`: compiles what changed, starts one embedded PostgreSQL with a migrated
// template database for the whole run, and runs the compiled tests against it.
import { chmod, mkdir, mkdtemp, readdir, readFile, rm, stat } from 'node:fs/promises'
import { availableParallelism, tmpdir } from 'node:os'
import path from 'node:path'
import { Canaries } from './canaries.mjs'
import { compile, packageRoot } from './compile.mjs'
import { Proofs, usualRun } from './proofs.mjs'
import { runTestFiles } from './test-files.mjs'

/** Folders below test/ that runs of their own are for: what takes long, and what needs programs of the system. */
const runsOfTheirOwn = { 'npm run test:faults': ['faults', 'races'], 'npm run test:system': ['system'] }
/** Most files wait a while, for a timer or a process; those of the other runs take all of a machine with two cores. */
const filesAtOnce = { usually: Math.min(4, availableParallelism() + 1), otherwise: 2 }
const leftOutByDefault = Object.values(runsOfTheirOwn).flat()

// A signal ends the tests; what is left to do here is to clean up after it.
const interruption = new AbortController()
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => interruption.abort())
// Nor does a reader that went away (`npm test | head`) end it.
process.stdout.on('error', () => interruption.abort())

const wanted = process.argv.slice(2)
const files = await testFiles(wanted)
const proofs = new Proofs()
await compile({ development: true })
const { counts, secrets } = await withDatabase(async ({ templateUrl, superuserUrl, canaries, log }) => ({
  counts: await runTestFiles(files, {
    atOnce: filesAtOnce[nameOfRun(wanted) === usualRun ? 'usually' : 'otherwise'],
    cwd: packageRoot,
    env: { ...process.env, TESSERA_TEST_TEMPLATE_URL: templateUrl, TESSERA_TEST_SUPERUSER_URL: superuserUrl },
    signal: interruption.signal,
    proofs,
    canaries,
  }),
  secrets: await canaries.search(log),
}))
for (const leak of secrets.leaks) console.log(`\n✖ ${leak}`)
console.log(`\n${secrets.leaks.length > 0 ? 'FAIL' : 'ok  '} ${secrets.summary}`)
const { passed, skipped } = counts
const { table, missing } = proofs.report(nameOfRun(wanted))
if (table !== '') console.log(`\n${table}\n`)
for (const line of missing) console.log(`✖ ${line}`)
const failed = counts.failed + secrets.leaks.length + missing.length
console.log(`${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ''}`)
if (failed > 0 || interruption.signal.aborted) process.exitCode = 1

/**
 * @param {string[]} wanted
 * @returns {string | null} null: not all of it
 */
function nameOfRun(wanted) {
  if (wanted.length === 0) return usualRun
  const places = wanted.map((place) => path.relative(packageRoot, path.resolve(place))).sort()
  const [run] = Object.entries(runsOfTheirOwn).find(([, folders]) => String(places) === String(folders.map((folder) => path.join('test', folder)))) ?? []
  return run ?? null
}

/**
 * @param {string[]} wanted files or folders; none means all
 * @returns {Promise<string[]>} the compiled files
 */
async function testFiles(wanted) {
  const places = wanted.length > 0 ? wanted.map((place) => path.resolve(place)) : [path.join(packageRoot, 'test')]
  const found = (await Promise.all(places.map((place) => testsBelow(place, wanted.length === 0)))).flat()
  return [...new Set(found)].map(
    (file) => path.join('dist', path.relative(packageRoot, file)).replace(/\.ts$/, '.js'),
  )
}

/**
 * @param {string} place a file or a folder
 * @param {boolean} isDefault
 * @returns {Promise<string[]>}
 */
async function testsBelow(place, isDefault) {
  const found = await stat(place).catch(() => undefined)
  if (found === undefined) {
    console.error(`There is no ${place}`)
    process.exit(2)
  }
  if (found.isFile()) return [place]
  const names = await readdir(place, { recursive: true })
  return names
    .filter((name) => name.endsWith('.test.ts'))
    .filter((name) => !isDefault || !leftOutByDefault.includes(name.split(path.sep)[0]))
    .sort()
    .map((name) => path.join(place, name))
}

/**
 * @typedef {{ templateUrl: string, superuserUrl: string, canaries: Canaries, log: string }} TestDatabase `log`: the server's
 */

/**
 * @template T
 * @param {(database: TestDatabase) => Promise<T>} use
 */
async function withDatabase(use) {
  const { joinEmbeddedServer } = await import('../dist/src/repository/embedded/index.js')
  const { layoutOf } = await import('../dist/src/repository/embedded/layout.js')
  const { migrate } = await import('../dist/src/repository/migrate.js')
  await removeAbandoned()
  const dataDir = await mkdtemp(path.join(tmpdir(), `tessera-test-${process.pid}-`))
  await chmod(dataDir, 0o711) // as root the server may run as another user
  let server
  try {
    server = await joinEmbeddedServer({
      dataDir,
      database: 'tessera_template',
      log: () => {},
      // Nothing here has to survive a crash. It logs what servers usually log, statements that fail among it: so it shows
      // that no secret stands in one.
      serverSettings: { log_min_error_statement: 'error', log_error_verbosity: 'default', fsync: 'off', synchronous_commit: 'off', full_page_writes: 'off', wal_level: 'minimal', max_wal_senders: '0' },
    })
    await migrate(server.connectionString)
    const notes = path.join(dataDir, 'canaries')
    await mkdir(notes)
    const { connectionString: templateUrl } = server
    return await use({ templateUrl, superuserUrl: await superuserUrlOf(templateUrl, dataDir), canaries: new Canaries(notes), log: layoutOf(dataDir).log })
  } finally {
    await server?.leave()
    await rm(dataDir, { recursive: true, force: true })
  }
}

/**
 * For tests that make roles.
 * @param {string} connectionString
 * @param {string} dataDir
 */
async function superuserUrlOf(connectionString, dataDir) {
  const { superuser } = await import('../dist/src/repository/embedded/cluster.js')
  const url = new URL(connectionString)
  url.username = superuser
  url.password = (await readFile(path.join(dataDir, 'postgres-password'), 'utf8')).trim()
  url.pathname = '/postgres'
  return url.href
}

/** Stops servers of runs that were killed before they could clean up. */
async function removeAbandoned() {
  const { layoutOf } = await import('../dist/src/repository/embedded/layout.js')
  const { isAlive } = await import('../dist/src/repository/embedded/pid-file.js')
  const { stopServer } = await import('../dist/src/repository/embedded/server.js')
  for (const name of await readdir(tmpdir())) {
    const [, pid] = /^tessera-test-(\d+)-/.exec(name) ?? []
    if (pid === undefined || isAlive(Number(pid))) continue
    const folder = path.join(tmpdir(), name)
    const owner = await stat(folder).then(({ uid }) => uid, () => undefined) // another run may clean up as well
    if (owner !== process.getuid?.()) continue
    await stopServer(layoutOf(folder))
    await rm(folder, { recursive: true, force: true })
  }
}

// `npm test [-- test/x.test.ts test/folder …]`: compiles what changed, starts one embedded PostgreSQL with a migrated
// template database for the whole run, and lets tap run the compiled tests against it.
import { spawn } from 'node:child_process'
import { mkdtemp, readdir, rm, stat } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { compile, packageRoot } from './compile.mjs'
import { reportTap } from './report-tap.mjs'

/** Long ones, which `npm run test:faults` runs. */
const leftOutByDefault = ['faults']
const secondsPerFile = 120

const files = await testFiles(process.argv.slice(2))
await compile({ development: true })
process.exitCode = await withDatabase((templateUrl) => runTap(files, templateUrl))

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
  if ((await stat(place)).isFile()) return [place]
  const names = await readdir(place, { recursive: true })
  return names
    .filter((name) => name.endsWith('.test.ts'))
    .filter((name) => !isDefault || !leftOutByDefault.includes(name.split(path.sep)[0]))
    .sort()
    .map((name) => path.join(place, name))
}

/**
 * @template T
 * @param {(templateUrl: string) => Promise<T>} use
 */
async function withDatabase(use) {
  const { joinEmbeddedServer } = await import('../dist/src/repository/embedded/index.js')
  const { migrate } = await import('../dist/src/repository/migrate.js')
  const dataDir = await mkdtemp(path.join(tmpdir(), 'tessera-test-'))
  // Ctrl-C reaches tap too, which ends; what is left to do here is to clean up after it.
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => {})
  let server
  try {
    server = await joinEmbeddedServer({
      dataDir,
      database: 'tessera_template',
      log: () => {},
      // Nothing here has to survive a crash.
      serverSettings: { fsync: 'off', synchronous_commit: 'off', full_page_writes: 'off', wal_level: 'minimal', max_wal_senders: '0' },
    })
    await migrate(server.connectionString)
    return await use(server.connectionString)
  } finally {
    await server?.leave()
    await rm(dataDir, { recursive: true, force: true })
  }
}

/**
 * @param {string[]} compiled
 * @param {string} templateUrl
 * @returns {Promise<number>} the exit status
 */
async function runTap(compiled, templateUrl) {
  if (compiled.length === 0) {
    console.log('0 passed, 0 failed')
    return 0
  }
  const tap = createRequire(import.meta.url).resolve('tap/package.json')
  const child = spawn(
    process.execPath,
    [
      path.join(path.dirname(tap), 'dist/esm/run.mjs'),
      'run',
      '--reporter=tap',
      '--no-color',
      '--jobs=2',
      `--timeout=${secondsPerFile}`,
      '--disable-coverage',
      '--plugin=!@tapjs/typescript', // dist/ is JavaScript already
      '--node-arg=--enable-source-maps',
      ...compiled,
    ],
    { cwd: packageRoot, env: { ...process.env, TESSERA_TEST_TEMPLATE_URL: templateUrl }, stdio: ['ignore', 'pipe', 'inherit'] },
  )
  const [{ passed, failed, skipped }, status] = await Promise.all([
    reportTap(child.stdout),
    new Promise((resolve) => child.on('close', (code) => resolve(code ?? 1))),
  ])
  console.log(`${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ''}`)
  return status
}

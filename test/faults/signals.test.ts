import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { packageRoot } from '../../src/package-root.js'
import { layoutOf } from '../../src/repository/embedded/layout.js'
import { isLivingServer, readPidFile } from '../../src/repository/embedded/pid-file.js'
import { stopServer } from '../../src/repository/embedded/server.js'
import { password } from '../support/account.js'
import { startTestApp, testEnvironment } from '../support/app.js'
import { startNodeProcess } from '../support/node-process.js'

const main = path.join(packageRoot, 'dist/src/main.js')
const base = { PATH: process.env.PATH, PORT: '0', LOG_LEVEL: 'info' }

function folder(t: Test): string {
  const made = mkdtempSync(path.join(tmpdir(), 'tessera-signals-'))
  t.teardown(async () => {
    await stopServer(layoutOf(path.join(made, 'data')))
    rmSync(made, { recursive: true, force: true })
  })
  return made
}

function isServed(dataDir: string): boolean {
  const { cluster } = layoutOf(dataDir)
  const found = readPidFile(cluster)
  return found !== undefined && isLivingServer(cluster, found)
}

async function untilItIs(condition: () => boolean): Promise<void> {
  const deadline = Date.now() + 30_000
  while (!condition()) {
    if (Date.now() > deadline) throw new Error('it never was')
    await pause(10)
  }
}

function list(dataDir: string): string[] {
  try {
    return readdirSync(dataDir)
  } catch {
    return []
  }
}

for (const signals of [['SIGHUP'], ['SIGQUIT'], ['SIGINT', 'SIGINT'], ['SIGHUP', 'SIGTERM']] as const) {
  await t.test(`${signals.join(', ')} while a login is under way: it is answered, and the process ends with 0 [fault:stop-by-any-signal]`, async (t) => {
    const app = await startTestApp(t)
    await app.createUser({ username: 'jane', password })
    const slow = { ARGON2_MEMORY_KIB: '65536', ARGON2_TIME: '12', PUBLIC_URL: app.config.publicUrl.href }
    const node = await startNodeProcess(t, { database: app.database, environment: slow })
    let isAnswered = false
    const login = fetch(`${node.url}/api/v1/auth/login`, {
      method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify({ username: 'nobody', password }),
    }).then(({ status }) => { isAnswered = true; return status })
    await pause(100)
    t.equal(isAnswered, false)
    const ended = once(node.process, 'exit')
    for (const signal of signals) node.process.kill(signal)
    t.equal(await login, 401)
    t.same(await ended, [0, null])
  })
}

await t.test('SIGUSR1 opens no debugger, and the service goes on [attack:debugger-by-signal]', async (t) => {
  const app = await startTestApp(t)
  const node = await startNodeProcess(t, { database: app.database })
  for (let i = 0; i < 3; i += 1) node.process.kill('SIGUSR1')
  await pause(500)
  t.equal((await fetch(`${node.url}/health/live`)).status, 200)
  t.notMatch(node.output(), /Debugger listening/)
})

await t.test('SIGUSR1 opens no debugger in the command line, nor in `npm start` before it has compiled', async (t) => {
  for (const script of ['bin/tessera.mjs', 'scripts/start.mjs']) {
    const child = spawn(process.execPath, ['--import', 'data:text/javascript,setTimeout(() => process.kill(process.pid, "SIGUSR1"), 60)', path.join(packageRoot, script), 'user', 'list'], {
      env: { ...base, ...testEnvironment, DATABASE_URL: 'postgresql://nobody@127.0.0.1:1/none' }, stdio: ['ignore', 'pipe', 'pipe'],
    })
    t.teardown(() => child.kill('SIGKILL'))
    let output = ''
    for (const stream of [child.stdout, child.stderr]) stream.setEncoding('utf8').on('data', (text: string) => (output += text))
    await Promise.race([once(child, 'exit'), pause(1500)])
    child.kill('SIGTERM')
    t.notMatch(output, /Debugger listening/, script)
  }
})

await t.test('a terminal that is closed stops the service and its embedded PostgreSQL [fault:terminal-closed]', { skip: spawnSync('script', ['--version']).status === 0 ? false : 'there is no `script` here' }, async (t) => {
  const dataDir = path.join(folder(t), 'data')
  const terminal = spawn('script', ['-qec', `${process.execPath} ${main}`, '/dev/null'], { env: { ...base, DATA_DIR: dataDir }, stdio: ['pipe', 'pipe', 'ignore'] })
  let output = ''
  terminal.stdout.setEncoding('utf8').on('data', (text: string) => (output += text))
  await untilItIs(() => output.includes('ready'))
  t.ok(isServed(dataDir))
  terminal.kill('SIGKILL') // the other end of the terminal goes with it
  await untilItIs(() => !isServed(dataDir))
})

await t.test('a stop in any moment of an embedded start ends it, with nothing left running [fault:stop-while-starting]', async (t) => {
  for (const [moment, isThere] of [
    ['before anything', () => true],
    ['while the files are made', (dataDir: string) => list(dataDir).some((name) => name.startsWith('postgres.new-'))],
    ['while the server starts', (dataDir: string) => list(dataDir).includes('postgres')],
    ['once the server runs', isServed],
  ] as const) {
    const dataDir = path.join(folder(t), 'data')
    const child = spawn(process.execPath, [main], { env: { ...base, DATA_DIR: dataDir }, stdio: ['ignore', 'pipe', 'inherit'] })
    t.teardown(() => child.kill('SIGKILL'))
    child.stdout.resume()
    const ended = once(child, 'exit')
    await pause(250)
    await untilItIs(() => isThere(dataDir))
    const askedAt = performance.now()
    child.kill('SIGTERM')
    t.same(await ended, [0, null], moment)
    t.ok(performance.now() - askedAt < 10_000)
    t.equal(isServed(dataDir), false, `${moment}: no server is left`)
    t.same(list(dataDir).filter((name) => name.startsWith('postgres.')), list(dataDir).filter((name) => name === 'postgres.log'), 'nothing half made is left')
  }
})

await t.test('a DATA_DIR that cannot be is one line, and status 1 [fault:impossible-data-dir]', async (t) => {
  const made = folder(t)
  writeFileSync(path.join(made, 'file'), '')
  symlinkSync(path.join(made, 'nowhere'), path.join(made, 'dangling'))
  symlinkSync(path.join(made, 'loop'), path.join(made, 'loop'))
  mkdirSync(path.join(made, 'closed'), { mode: 0o500 })
  const impossible = ['/proc/foo', '/proc/foo/bar', '/sys/foo', '/dev/null/x', ...['file', 'file/x', 'dangling', 'loop', 'n'.repeat(300)].map((name) => path.join(made, name))]
  await Promise.all(impossible.map(async (dataDir) => {
    const child = spawn(process.execPath, [main], { env: { ...base, DATA_DIR: dataDir }, stdio: ['ignore', 'ignore', 'pipe'] })
    t.teardown(() => child.kill('SIGKILL'))
    let errors = ''
    child.stderr.setEncoding('utf8').on('data', (text: string) => (errors += text))
    const [status] = (await once(child, 'exit')) as [number | null]
    t.equal(status, 1, dataDir.slice(0, 80))
    t.match(errors, /^tessera: The data directory [^\n]+ set DATA_DIR to a folder that is\.\n$/)
  }))
})

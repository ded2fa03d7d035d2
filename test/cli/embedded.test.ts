import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { rmSync } from 'node:fs'
import path from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout as pause } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { packageRoot } from '../../src/package-root.js'
import { createCli, failedWith, jsonOf } from '../support/cli.js'
import { livingPostmaster, postmaster, privateFolder } from '../support/embedded.js'
import { freePort } from '../support/free-port.js'

t.setTimeout(600_000) // many starts, on machines of any speed

const password = 'a password of enough length'

interface RunningService {
  readonly url: string
  /** What it has written so far. */
  readonly stdout: readonly string[]
  stderr(): string
  /** @returns its exit status */
  stop(): Promise<unknown>
}

/** `npm start`, on a port that is free now. */
async function startService(t: Test, dataDir: string, environment: Readonly<Record<string, string>> = {}): Promise<RunningService> {
  const port = await freePort()
  const service = spawn(process.execPath, [path.join(packageRoot, 'dist/src/main.js')], {
    env: { PATH: process.env.PATH, DATA_DIR: dataDir, PORT: String(port), ...environment },
    cwd: packageRoot,
  })
  t.teardown(() => service.kill('SIGKILL'))
  const exited = once(service, 'close') // all it wrote has arrived then
  const stdout: string[] = []
  let stderr = ''
  service.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text))
  const ready = new Promise<void>((resolve) => {
    createInterface({ input: service.stdout }).on('line', (line) => {
      stdout.push(line)
      if (line.includes('"msg":"ready"')) resolve()
    })
  })
  await Promise.race([ready, exited.then(() => { throw new Error(`the service has ended: ${stderr}`) })])
  return {
    url: `http://127.0.0.1:${port}`,
    stdout,
    stderr: () => stderr,
    async stop() {
      service.kill('SIGTERM')
      const [status] = (await exited) as unknown[]
      return status
    },
  }
}

const post = (url: string, body: unknown): Promise<Response> =>
  fetch(url, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) })

async function logIn(url: string, username: string, secret: string): Promise<string> {
  const body: unknown = await (await post(`${url}/api/v1/auth/login`, { username, password: secret })).json()
  return typeof body === 'object' && body !== null && 'token' in body ? String(body.token) : ''
}

const statusOf = async (url: string, token: string): Promise<number> => (await fetch(`${url}/api/v1/auth/keys`, { headers: { authorization: `Bearer ${token}` } })).status

void t.test('with no service running the command line starts the server for its command, and stops it', async (t) => {
  const dataDir = privateFolder(t)
  const tessera = createCli({ DATA_DIR: dataDir })
  const created = await tessera(['user', 'create', '--username', 'ada', '--password', password])
  t.match(created, { status: 0, stdout: /^id /, stderr: /^Making an embedded PostgreSQL/ }, 'what takes a while is told')
  t.equal(postmaster(dataDir), undefined, 'the server is stopped again')
  const list = await tessera(['user', 'list', '--json'])
  t.match(list, { status: 0, stderr: /^$/ })
  t.match(jsonOf(list), [{ username: 'ada' }])
  t.match(await tessera(['doctor']), { status: 0, stdout: /^ok +keys +the master secret opens all/m })
  t.equal(postmaster(dataDir), undefined)

  const failed = await tessera(['user', 'show', '--username', 'eve'])
  t.strictSame(failed, failedWith('there is no such user'))
  t.equal(postmaster(dataDir), undefined, 'after a failure too')
})

void t.test('a command that is interrupted leaves no server behind', async (t) => {
  const dataDir = privateFolder(t)
  const environment = { PATH: process.env.PATH, DATA_DIR: dataDir }
  await createCli({ DATA_DIR: dataDir })(['user', 'create', '--username', 'ada'])
  const child = spawn(process.execPath, [path.join(packageRoot, 'dist/src/cli/main.js'), 'user', 'set-password', '--username', 'ada', '--password-stdin'], { env: environment })
  t.teardown(() => child.kill('SIGKILL'))
  let stderr = ''
  child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text))
  const ended = once(child, 'close')
  // It waits for the password, with the server up.
  while (postmaster(dataDir)?.status !== 'ready') await pause(20)
  child.kill('SIGINT')
  t.strictSame(await ended, [1, null])
  t.equal(stderr, 'tessera: interrupted\n')
  t.equal(postmaster(dataDir), undefined)
})

void t.test('beside a running service', async (t) => {
  const dataDir = privateFolder(t)
  const service = await startService(t, dataDir)
  const tessera = createCli({ DATA_DIR: dataDir })
  const server = livingPostmaster(dataDir)

  await t.test('a user who is suspended is refused within a second', async (t) => {
    const token = await logIn(service.url, 'jane.doe', 'correct horse battery staple')
    t.equal(await statusOf(service.url, token), 200)
    t.match(await tessera(['user', 'suspend', '--username', 'jane.doe']), { status: 0, stderr: /^$/ })
    const toldAt = performance.now()
    let status = await statusOf(service.url, token)
    while (status === 200 && performance.now() - toldAt < 1000) status = await statusOf(service.url, token)
    t.equal(status, 401)
    t.equal(await logIn(service.url, 'jane.doe', 'correct horse battery staple'), '')
  })

  await t.test('the server stays as it is, for the service', async (t) => {
    t.equal(livingPostmaster(dataDir), server)
    t.match(await tessera(['doctor']), { status: 0 })
    t.equal(livingPostmaster(dataDir), server)
    t.equal((await fetch(`${service.url}/.well-known/jwks.json`)).status, 200)
  })

  await t.test('who is last stops it', async (t) => {
    t.equal(await service.stop(), 0)
    t.equal(postmaster(dataDir), undefined)
  })

  await t.test('the service has greeted with the demo accounts, and its log is JSON line by line', (t) => {
    t.match(service.stderr(), /Demo accounts, for this machine alone:\n {2}cooluser1 /)
    t.match(service.stderr(), `curl -i ${service.url}/auth/login`)
    for (const line of service.stdout) t.type(JSON.parse(line), 'object')
    t.notMatch(service.stdout.join('\n'), /Z1Tu5|battery staple/)
    t.end()
  })

  await t.test('the same data behind a public address keeps no demo account', async (t) => {
    const taken = await startService(t, dataDir, { PUBLIC_URL: 'https://id.example.com' })
    t.notMatch(taken.stderr(), 'Demo accounts')
    const warnings = taken.stdout.filter((line) => line.includes('everybody knows the secret'))
    t.match(warnings, [/cooluser1 is suspended/, /admin@example\.com is suspended/])
    t.equal(warnings.length, 2, 'jane.doe was suspended before')
    t.equal((await post(`${taken.url}/auth/login`, { email: 'admin@example.com', password: 'Z1Tu5' })).status, 401)
    t.equal(await taken.stop(), 0)
  })

  await t.test('a master secret that is lost is told, and not made anew', async (t) => {
    rmSync(path.join(dataDir, 'master-secret'))
    const line = `${path.join(dataDir, 'master-secret')} is missing, and only it opens the keys in this database: put it back, or give what it held as MASTER_SECRET`
    t.strictSame(await tessera(['user', 'list']), failedWith(line))
    t.match(await tessera(['doctor']), { status: 1, stdout: `keys         ${line}\n` })
    t.strictSame(await tessera(['user', 'list']), failedWith(line), 'nothing was made meanwhile')
  })
})

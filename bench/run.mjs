// `npm run bench`: what one node costs, per operation. One process of the service on its embedded PostgreSQL, asked over HTTP by
// this process, on this machine: so requests a second say little, and the CPU time per request, read from /proc, says more.
// Linux only. Options: --seconds N (a figure for each operation; 5), --connections N (16).
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmod, mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import http from 'node:http'
import { cpus, tmpdir } from 'node:os'
import path from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { compile, packageRoot } from '../scripts/compile.mjs'

const { values: given } = parseArgs({ options: { seconds: { type: 'string', default: '5' }, connections: { type: 'string', default: '16' } } })
const [seconds, connections] = [Number(given.seconds), Number(given.connections)]
const port = 19_154
const agent = new http.Agent({ keepAlive: true, maxSockets: connections })
const password = 'correct horse battery staple'
/** Logins at once: no more than hash at once anyway, each by an account of its own. */
const people = cpus().length * 2
const newTokens = 200
const ticksPerSecond = 100

/**
 * @param {string} method
 * @param {string} target
 * @param {unknown} [body]
 * @param {Record<string, string>} [headers]
 * @returns {Promise<any>} the body, parsed
 */
function ask(method, target, body, headers = {}) {
  const text = body === undefined ? undefined : typeof body === 'string' ? body : JSON.stringify(body)
  const type = typeof body === 'string' ? 'application/x-www-form-urlencoded' : 'application/json'
  return new Promise((resolve, reject) => {
    const request = http.request({ port, host: '127.0.0.1', method, path: target, agent, headers: { ...(text === undefined ? {} : { 'content-type': type, 'content-length': Buffer.byteLength(text) }), ...headers } }, (response) => {
      let answer = ''
      response.setEncoding('utf8')
      response.on('data', (chunk) => (answer += chunk))
      response.on('end', () => {
        if (response.statusCode === 200) resolve(answer === '' ? undefined : JSON.parse(answer))
        else reject(new Error(`${method} ${target} answered ${String(response.statusCode)}: ${answer}`))
      })
    })
    request.on('error', reject)
    request.end(text)
  })
}

/** @param {number} pid @returns {Promise<{ ppid: number, cpuMs: number }>} */
async function usageOf(pid) {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8')
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  return { ppid: Number(fields[1]), cpuMs: ((Number(fields[11]) + Number(fields[12])) * 1000) / ticksPerSecond }
}

/** CPU time of a process and of what it has started. @param {number} root */
async function cpuOfTree(root) {
  let cpuMs = 0
  for (const name of await readdir('/proc')) {
    if (!/^\d+$/.test(name)) continue
    const usage = await usageOf(Number(name)).catch(() => undefined)
    if (usage && (Number(name) === root || usage.ppid === root)) cpuMs += usage.cpuMs
  }
  return cpuMs
}

/** @param {number} pid */
const memoryMiB = async (pid) => Math.round(Number(/VmRSS:\s+(\d+)/.exec(await readFile(`/proc/${pid}/status`, 'utf8'))?.[1]) / 1024)

/** @param {string} dataDir */
async function postmasterOf(dataDir) {
  const folder = await readFile(path.join(dataDir, 'postgres-location'), 'utf8').then((text) => text.trim(), () => path.join(dataDir, 'postgres'))
  const found = await readFile(path.join(folder, 'postmaster.pid'), 'utf8').catch(() => readFile(path.join(folder, 'postgres', 'postmaster.pid'), 'utf8'))
  return Number(found.split('\n', 1)[0])
}

/** @param {number[]} sorted @param {number} share */
const quantile = (sorted, share) => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? NaN

/**
 * @param {string} name
 * @param {{ node: number, postmaster: number }} processes
 * @param {(lane: number) => Promise<() => (Promise<unknown> | null)>} prepare what each connection does again and again, until there is no more
 * @param {number} [width] how many connections
 */
async function measure(name, processes, prepare, width = connections) {
  const lanes = []
  for (let lane = 0; lane < width; lane += 1) lanes.push(await prepare(lane))
  for (const work of lanes) for (let i = 0; i < 5; i += 1) await work()
  /** @type {number[]} */
  const tookMs = []
  const before = { node: (await usageOf(processes.node)).cpuMs, postgres: await cpuOfTree(processes.postmaster), at: performance.now() }
  const until = before.at + seconds * 1000
  await Promise.all(lanes.map(async (work) => {
    while (performance.now() < until) {
      const startedAt = performance.now()
      const call = work()
      if (call === null) return
      await call
      tookMs.push(performance.now() - startedAt)
    }
  }))
  const elapsed = (performance.now() - before.at) / 1000
  const node = ((await usageOf(processes.node)).cpuMs - before.node) / tookMs.length
  const postgres = ((await cpuOfTree(processes.postmaster)) - before.postgres) / tookMs.length
  tookMs.sort((a, b) => a - b)
  const row = [name, Math.round(tookMs.length / elapsed), quantile(tookMs, 0.5).toFixed(1), quantile(tookMs, 0.99).toFixed(1), node.toFixed(2), Math.round(1000 / node), postgres.toFixed(2), await memoryMiB(processes.node)]
  console.log(`| ${row.join(' | ')} |`)
}

await compile({ development: true })
const dataDir = await mkdtemp(path.join(tmpdir(), 'tessera-bench-'))
await chmod(dataDir, 0o711)
const environment = { PATH: process.env.PATH, HOME: process.env.HOME, MALLOC_MMAP_THRESHOLD_: '1048576', HOST: '127.0.0.1', PORT: String(port), DATA_DIR: dataDir, RATE_LIMIT: 'off', LOG_LEVEL: 'warn', HASH_QUEUE: '1000' }
const service = spawn(process.execPath, [path.join(packageRoot, 'dist/src/main.js')], { env: environment, stdio: 'ignore' })

/** @param {string[]} args @param {string} [input] @returns {Promise<string>} what it printed */
async function tessera(args, input = '') {
  const cli = spawn(process.execPath, [path.join(packageRoot, 'dist/src/cli/main.js'), ...args], { env: environment, stdio: ['pipe', 'pipe', 'ignore'] })
  let printed = ''
  cli.stdout.on('data', (chunk) => (printed += chunk))
  cli.stdin.end(input)
  const [status] = await once(cli, 'close')
  if (status !== 0) throw new Error(`tessera ${args.join(' ')} failed`)
  return printed
}

try {
  while (!(await ask('GET', '/health/ready').then(() => true, () => false))) await pause(100)
  const client = JSON.parse(await tessera(['client', 'create', '--name', 'bench', '--scope', 'introspect', '--json']))
  await tessera(['user', 'import', '-'], Array.from({ length: people }, (_, i) => JSON.stringify({ username: `person${i}`, password })).join('\n'))
  const processes = { node: service.pid ?? 0, postmaster: await postmasterOf(dataDir) }
  const logIn = (lane = 0) => ask('POST', '/api/v1/auth/login', { username: `person${lane % people}`, password })
  const basic = { authorization: `Basic ${Buffer.from(`${client.clientId}:${client.clientSecret}`).toString('base64')}` }

  console.log(`${cpus().length} cores (${cpus()[0]?.model ?? ''}), Node ${process.version}, ${connections} connections, ${seconds} s each; ${await memoryMiB(processes.node)} MiB before\n`)
  console.log('| operation | requests/s here | median ms | p99 ms | CPU ms of the node | so requests/s of one core | CPU ms of PostgreSQL | MiB of the node |')
  console.log('| --- | --- | --- | --- | --- | --- | --- | --- |')
  await measure('nothing (`/health/live`)', processes, async () => () => ask('GET', '/health/live'))
  await measure('verify, a token seen before', processes, async () => {
    const { token } = await logIn()
    return () => ask('GET', '/verify', undefined, { authorization: `Bearer ${token}` })
  })
  await measure('verify, each token new', processes, async () => {
    const tokens = []
    for (let i = 0; i < newTokens; i += 1) tokens.push((await ask('POST', '/oauth/token', 'grant_type=client_credentials', basic)).access_token)
    return () => {
      const token = tokens.pop()
      return token === undefined ? null : ask('GET', '/verify', undefined, { authorization: `Bearer ${token}` })
    }
  })
  await measure('refresh', processes, async () => {
    let { refreshToken } = await logIn()
    return async () => {
      ;({ refreshToken } = await ask('POST', '/api/v1/auth/refresh', { refreshToken }))
    }
  })
  await measure('client_credentials', processes, async () => () => ask('POST', '/oauth/token', 'grant_type=client_credentials', basic))
  await measure('introspect, by a client', processes, async () => {
    const { token } = await logIn()
    return () => ask('POST', '/oauth/introspect', `token=${token}`, basic)
  })
  await measure('login', processes, async (lane) => () => logIn(lane), people)
} finally {
  service.kill('SIGTERM')
  await once(service, 'exit')
  agent.destroy()
  await rm(dataDir, { recursive: true, force: true })
}

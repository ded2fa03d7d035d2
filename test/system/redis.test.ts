import { spawn, spawnSync, type ChildProcess } from 'node:child_process'
import { setTimeout as pause } from 'node:timers/promises'
import { Redis } from 'ioredis'
import t, { type Test } from 'tap'
import { startTestApp, type TestApp } from '../support/app.js'
import { clients, newPerson } from '../support/dialect-clients.js'
import { freePort } from '../support/free-port.js'

const isInstalled = spawnSync('redis-server', ['--version']).status === 0
const skip = isInstalled ? false : 'needs redis-server, which is not installed'

async function startRedis(t: Test, port: number): Promise<ChildProcess> {
  const server = spawn('redis-server', ['--port', String(port), '--bind', '127.0.0.1', '--save', '', '--appendonly', 'no'], { stdio: 'ignore' })
  t.teardown(() => {
    server.kill('SIGKILL')
  })
  const probe = new Redis(port, '127.0.0.1', { lazyConnect: false, retryStrategy: () => 50, maxRetriesPerRequest: null })
  probe.on('error', () => undefined)
  await probe.ping()
  probe.disconnect()
  return server
}

const environment = (port: number) => ({ RATE_LIMIT: 'on', RATE_LIMIT_DEFAULT: '5/min', REDIS_URL: `redis://127.0.0.1:${port}` })

const ask = async ({ url }: TestApp): Promise<number> => (await fetch(`${url}/nothing`)).status

/** How many of so many requests get through. */
async function letThrough(node: TestApp, requests: number): Promise<number> {
  let through = 0
  for (let i = 0; i < requests; i += 1) if ((await ask(node)) === 404) through += 1
  return through
}

await t.test('two nodes count together, and 429 says when to come back', { skip }, async (t) => {
  const port = await freePort()
  await startRedis(t, port)
  const a = await startTestApp(t, { environment: environment(port) })
  const b = await startTestApp(t, { database: a.database, environment: environment(port) })
  t.equal(await letThrough(a, 3), 3)
  t.equal(await letThrough(b, 3), 2)
  const refused = await fetch(`${a.url}/nothing`)
  t.equal(refused.status, 429)
  t.match(refused.headers.get('retry-after'), /^\d+$/)
})

await t.test('fault 11: with Redis killed, limits go on in memory, and are shared again when it is back', { skip }, async (t) => {
  const port = await freePort()
  const redis = await startRedis(t, port)
  const node = await startTestApp(t, { environment: environment(port) })
  t.equal(await letThrough(node, 2), 2)
  redis.kill('SIGKILL')
  t.equal(await letThrough(node, 8), 5, 'not unlimited, and no error')
  await startRedis(t, port)
  const deadline = Date.now() + 10_000
  while ((await ask(node)) !== 404 && Date.now() < deadline) await pause(100)
  t.ok(node.logLines.some((line) => line.includes('rate limits are shared again')))
})

await t.test('fault 11: with Redis paused, nobody waits for it', { skip }, async (t) => {
  const port = await freePort()
  const redis = await startRedis(t, port)
  const node = await startTestApp(t, { environment: { ...environment(port), RATE_LIMIT_DEFAULT: '1000/min' } })
  await ask(node)
  redis.kill('SIGSTOP')
  const startedAt = performance.now()
  t.equal(await letThrough(node, 20), 20)
  t.ok(performance.now() - startedAt < 1500, 'one wait of 100 ms, and then memory')
  redis.kill('SIGCONT')
})

await t.test('fault 11: with Redis flushed, counting begins anew, and nobody sees an error', { skip }, async (t) => {
  const port = await freePort()
  await startRedis(t, port)
  const node = await startTestApp(t, { environment: environment(port) })
  t.equal(await letThrough(node, 8), 5)
  const redis = new Redis(port, '127.0.0.1')
  await redis.flushall()
  redis.disconnect()
  t.equal(await letThrough(node, 8), 5)
})

await t.test('fault 11: whatever becomes of Redis, an account that is locked stays locked', { skip }, async (t) => {
  const port = await freePort()
  const redis = await startRedis(t, port)
  const node = await startTestApp(t, { environment: { ...environment(port), RATE_LIMIT_LOGIN: '1000/min' } })
  const person = await newPerson(node)
  const logIn = async (password: string) => (await clients.bearer.login(node, { ...person, password })).status
  for (let guess = 0; guess < 5; guess += 1) t.equal(await logIn('a wrong password'), 401)
  t.equal(await logIn(person.password), 401, 'the right one, of a locked account')
  const flusher = new Redis(port, '127.0.0.1')
  await flusher.flushall()
  flusher.disconnect()
  t.equal(await logIn(person.password), 401, 'flushed')
  redis.kill('SIGSTOP')
  t.equal(await logIn(person.password), 401, 'paused')
  redis.kill('SIGKILL')
  t.equal(await logIn(person.password), 401, 'killed')
  await node.clock.advance(31)
  t.equal(await logIn(person.password), 200, 'the wait is over, without Redis too')
})

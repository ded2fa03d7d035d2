import { spawn } from 'node:child_process'
import { once } from 'node:events'
import path from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { createApiKey } from '../../src/domain/api-keys.js'
import { packageRoot } from '../../src/package-root.js'
import { logIn } from '../support/log-in.js'
import { startTestApp, type TestApp } from '../support/app.js'

// As by default: with less, a loaded machine may itself be late.
const maxLagMs = 2000

/** The service of examples/, in a process of its own. */
async function startExample(t: Test, node: TestApp, whenStale: string): Promise<(token: string) => Promise<number>> {
  const operator = await node.createUser({ username: `operator-${whenStale}`, password: 'correct horse', role: 'admin' })
  const { secret } = await createApiKey(node.core.service, operator.id, { name: 'orders', scopes: ['revocations', 'introspect'], expiresAt: null }, { origin: null })
  const service = spawn(process.execPath, [path.join(packageRoot, 'examples/orders-service/server.mjs')], {
    env: { PATH: process.env.PATH, TESSERA_URL: node.url, TESSERA_API_KEY: secret, WHEN_STALE: whenStale, MAX_LAG_MS: String(maxLagMs), PORT: '0' },
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  t.teardown(() => service.kill('SIGKILL'))
  const [line] = (await once(service.stdout, 'data')) as [Buffer]
  const url = line.toString().trim()
  return async (token) => (await fetch(`${url}/orders`, { headers: { authorization: `Bearer ${token}` } })).status
}

/** Asks until the answer is the expected one. @returns milliseconds */
async function until(ask: () => Promise<number>, expected: number, withinMs: number): Promise<number> {
  const startedAt = performance.now()
  while ((await ask()) !== expected) {
    if (performance.now() - startedAt > withinMs) return Infinity
    await pause(10)
  }
  return performance.now() - startedAt
}

/** The issuer is the URL that the service calls: so the port must be known before. */
async function startNode(t: Test): Promise<TestApp> {
  const probe = await startTestApp(t)
  const { port } = new URL(probe.url)
  await probe.close()
  return startTestApp(t, { database: probe.database, port: Number(port), environment: { PUBLIC_URL: `http://127.0.0.1:${port}` } })
}

await t.test('the example service refuses a logged-out token within a second', async (t) => {
  const node = await startNode(t)
  const ask = await startExample(t, node, 'closed')
  const user = await node.createUser({ username: 'jane', password: 'correct horse' })
  const { accessToken, state } = await logIn(node, 'jane', 'correct horse')
  t.equal(await ask(accessToken), 200)
  await node.app.identity.logout(
    { kind: 'session', userId: user.id, username: null, email: null, sessionId: state.session.id, epoch: 0, amr: [], tokenId: '', expiresAt: new Date(), scopes: [] },
    { ip: '127.0.0.1', userAgent: null, requestId: null },
  )
  const tookMs = await until(() => ask(accessToken), 401, 5000)
  t.ok(tookMs < 1000, `it took ${Math.round(tookMs)} ms`)
  t.equal(await ask('nonsense'), 401)
})

await t.test('with tessera stopped it goes on for as long as configured', async (t) => {
  const node = await startNode(t)
  const [closed, open, introspect] = [await startExample(t, node, 'closed'), await startExample(t, node, 'open'), await startExample(t, node, 'introspect')]
  await node.createUser({ username: 'jane', password: 'correct horse' })
  const { accessToken } = await logIn(node, 'jane', 'correct horse')
  for (const ask of [closed, open, introspect]) t.equal(await ask(accessToken), 200)
  await node.close()
  t.equal(await closed(accessToken), 200, 'not at once')
  const tookMs = await until(() => closed(accessToken), 503, 10_000)
  t.ok(tookMs <= maxLagMs * 2, `closed after ${Math.round(tookMs)} ms`)
  t.equal(await until(() => introspect(accessToken), 503, 5000) < 5000, true, 'nobody to ask')
  t.equal(await open(accessToken), 200, 'open goes on')
})

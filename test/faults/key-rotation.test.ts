import { setTimeout as pause } from 'node:timers/promises'
import t from 'tap'
import { createVerifier } from '../../src/verify/index.js'
import { testMasterSecret } from '../support/app.js'
import { createCli, jsonOf } from '../support/cli.js'
import { createTestDatabase } from '../support/database.js'
import { kidOf, untilAnswer, verifierFate, verifyStatus } from '../support/fleet.js'
import { startNodeProcess } from '../support/node-process.js'
import { clientOf, tokenOf } from '../support/oauth.js'
import { quantile } from '../support/statistics.js'

const requestsPerSecond = 500
const maxAgeSeconds = 3
/** A round is a token by one node, verified by the other and by a verifier, at once and once more later on. */
const requestsPerRound = 4
const publicUrl = 'http://127.0.0.1:9154'

const member = (value: unknown, name: string): string => (typeof value === 'object' && value !== null && name in value ? String(Object.entries(value).find(([key]) => key === name)?.[1]) : '')

await t.test(`fault 17: a signing key is rotated twice at ${requestsPerSecond} requests/s, and revoked: none fails, and none of the revoked one is accepted`, { timeout: 120_000 }, async (t) => {
  const database = await createTestDatabase(t)
  const environment = { PUBLIC_URL: publicUrl, SIGNING_KEY_MAX_AGE: `${maxAgeSeconds}s`, LOG_LEVEL: 'warn' }
  const nodes = [await startNodeProcess(t, { database, environment }), await startNodeProcess(t, { database, environment })] as const
  const tessera = createCli({ ...environment, DATABASE_URL: database.connectionString, MASTER_SECRET: testMasterSecret })
  const created = jsonOf(await tessera(['client', 'create', '--name', 'load', '--scope', 'revocations', '--scope', 'introspect', '--json']))
  const credential = { clientId: member(created, 'clientId'), clientSecret: member(created, 'clientSecret') }
  const verifier = createVerifier({ issuer: publicUrl, baseUrl: nodes[0].url, credential })
  t.teardown(() => {
    verifier.close()
  })
  await verifier.ready()

  /** A machine that is overloaded says so, and that is no failure of the rotation: whoever is told to try again does. */
  async function patiently<T>(ask: () => Promise<T>, isBusy: (answer: T) => boolean): Promise<T> {
    for (;;) {
      const answer = await ask()
      if (!isBusy(answer)) return answer
      busy += 1
      await pause(50)
    }
  }

  let busy = 0
  const isUnavailable = (status: number): boolean => status === 503
  const judged = (node: { url: string }, token: string) => patiently(() => verifyStatus(node, token), isUnavailable)
  const judgedOffline = (token: string) => patiently(() => verifierFate(verifier, token), (fate) => fate === 'stale')
  const newToken = async (node: { url: string }) => (await patiently(() => tokenOf(node, clientOf(credential.clientId, credential.clientSecret)), ({ status }) => isUnavailable(status))).accessToken
  const failures: string[] = []
  const tookMs: number[] = []
  const kids = new Set<string>()
  let recent: string[] = []
  let requests = 0

  async function timed<T>(what: string, call: Promise<T>, expected: T): Promise<void> {
    const startedAt = performance.now()
    const answer = await call.catch((error: unknown) => String(error))
    requests += 1
    tookMs.push(performance.now() - startedAt)
    if (answer !== expected) failures.push(`${what}: ${String(answer)}`)
  }

  async function round(issuing: { url: string }, other: { url: string }): Promise<void> {
    const startedAt = performance.now()
    const token = await newToken(issuing).catch(String)
    requests += 1
    tookMs.push(performance.now() - startedAt)
    if (!token.startsWith('ey')) return void failures.push(`no token: ${token}`)
    kids.add(kidOf(token))
    recent = [token, ...recent].slice(0, 500)
    const older = recent.at(Math.floor(Math.random() * recent.length)) ?? token
    await Promise.all([timed('another node', judged(other, token), 200), timed('the verifier', judgedOffline(token), 'alive'), timed('a node, later on', judged(issuing, older), 200)])
  }

  const underWay = new Set<Promise<void>>()
  let rounds = 0
  const timer = setInterval(() => {
    const [one, other] = rounds % 2 === 0 ? nodes : [nodes[1], nodes[0]]
    rounds += 1
    const running = round(one, other).finally(() => underWay.delete(running))
    underWay.add(running)
  }, (1000 * requestsPerRound) / requestsPerSecond)
  t.teardown(() => {
    clearInterval(timer)
  })

  const startedAt = performance.now()
  const signs = (kid: string) => untilAnswer(() => Promise.resolve(kids.has(kid)), true, 30_000)
  for (const time of ['once', 'twice']) {
    const run = await tessera(['key', 'rotate'])
    t.match(run, { status: 0, stderr: /^$/ })
    const kid = run.stdout.split(':')[0] ?? ''
    t.ok(Number.isFinite(await signs(kid)), `rotated ${time}: the new key signs`)
  }
  await untilAnswer(() => Promise.resolve(recent.filter((token) => kidOf(token) === kidOf(recent[0] ?? '')).length >= 100), true)
  clearInterval(timer)
  await Promise.all(underWay)
  const seconds = (performance.now() - startedAt) / 1000
  t.strictSame(failures.slice(0, 5), [])
  t.equal(failures.length, 0, `of ${requests} requests none failed`)
  t.equal(kids.size, 3)
  t.comment(`${requests} requests in ${seconds.toFixed(1)} s (${Math.round(requests / seconds)}/s), two rotations: ${failures.length} failed, ${busy} told to try again; median ${quantile(tookMs, 0.5).toFixed(1)} ms, p99 ${quantile(tookMs, 0.99).toFixed(1)} ms`)

  const [revoked = ''] = recent
  const run = await tessera(['key', 'revoke', kidOf(revoked)])
  t.equal(run.status, 0)
  const delays = await Promise.all([
    ...nodes.map((node) => untilAnswer(() => verifyStatus(node, revoked), 401)),
    untilAnswer(() => verifierFate(verifier, revoked), 'invalid'),
  ])
  t.ok(delays.slice(0, 2).every((ms) => ms < 2000), 'the nodes, within the limit')
  t.ok(delays.every((ms) => ms < 5000), 'the verifier, within moments')
  t.comment(`a revoked key is refused after ${delays.map((ms) => `${Math.round(ms)} ms`).join(', ')} (node, node, verifier)`)
  for (const node of nodes) {
    const token = await newToken(node)
    t.not(kidOf(token), kidOf(revoked))
    t.strictSame(await Promise.all(nodes.map((other) => verifyStatus(other, token))), [200, 200], 'what the new key signs is good on both')
    t.ok(Number.isFinite(await untilAnswer(() => verifierFate(verifier, token), 'alive')))
    t.strictSame([await verifyStatus(node, revoked), await verifierFate(verifier, revoked)], [401, 'invalid'], 'and what the old one signed stays dead')
  }
})

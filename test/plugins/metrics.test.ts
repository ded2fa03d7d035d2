import t, { type Test } from 'tap'
import { rateClasses } from '../../plugins/rate-limit.js'
import { dialectNames } from '../../src/domain/model.js'
import { connectionEnds } from '../../src/http/connections.js'
import { newApiKey, password, refresh, send, somebody } from '../support/account.js'
import { startTestApp, type TestApp } from '../support/app.js'
import { RawClient } from '../support/http.js'

type Samples = ReadonlyMap<string, number>

/** Every sample, as `name{labels}`. */
async function scrape(node: TestApp): Promise<Samples> {
  const text = await textOf(node)
  return new Map(text.split('\n').filter((line) => line !== '' && !line.startsWith('#')).map((line): [string, number] => {
    const end = line.lastIndexOf(' ')
    return [line.slice(0, end), Number(line.slice(end + 1))]
  }))
}

async function textOf({ url }: TestApp): Promise<string> {
  const response = await fetch(`${url}/metrics`)
  return response.text()
}

/** By how much each of these grew. */
async function growth(node: TestApp, names: readonly string[], act: () => Promise<unknown>): Promise<number[]> {
  const before = await scrape(node)
  await act()
  const after = await scrape(node)
  return names.map((name) => (after.get(name) ?? 0) - (before.get(name) ?? 0))
}

const node = await startTestApp(t)
const bearerLogin = (username: string, secret: string) => send(node, { method: 'POST', path: '/api/v1/auth/login', body: { username, password: secret } })
const requests = (method: string, route: string, dialect: string, status: number) => `tessera_http_request_duration_seconds_count{method="${method}",route="${route}",dialect="${dialect}",status="${status}"}`

await t.test('it answers in the format of Prometheus, without a credential, and is not kept', async (t) => {
  const response = await fetch(`${node.url}/metrics`)
  const text = await response.text()
  t.equal(response.status, 200)
  t.equal(response.headers.get('content-type'), 'text/plain; version=0.0.4; charset=utf-8')
  t.equal(response.headers.get('cache-control'), 'no-store')
  t.match(text, /^# TYPE tessera_http_request_duration_seconds histogram$/m)
  t.match(text, /^process_cpu_seconds_total \d/m)
  t.notMatch(text, /nodejs_version|v\d+\.\d+\.\d+/, 'no version to look for holes of')
})

await t.test('requests by the pattern of the route, the dialect and the status', async (t) => {
  const person = await somebody(node)
  const names = [
    requests('POST', '/api/v1/auth/login', 'bearer', 200),
    requests('POST', '/api/v1/auth/login', 'bearer', 401),
    requests('DELETE', '/api/v1/auth/keys/:keyId', 'bearer', 404),
    requests('POST', '/auth/login', 'pin', 401),
    requests('POST', '/auth/login', 'directus', 200),
    requests('POST', '/v1/auth', 'tokenset', 400),
    requests('GET', 'unmatched', 'none', 404),
    requests('GET', '/users/me', 'none', 200),
  ]
  const grew = await growth(node, names, async () => {
    await bearerLogin(person.username, password)
    await bearerLogin(person.username, 'wrong wrong')
    await send(node, { method: 'DELETE', path: `/api/v1/auth/keys/key_${person.id}`, token: person.token })
    await send(node, { method: 'POST', path: '/auth/login', body: { name: person.username, pin: '0000' } })
    await send(node, { method: 'POST', path: '/auth/login', body: { email: `${person.username}@example.com`, password } })
    await send(node, { method: 'POST', path: '/v1/auth', body: { username: 'x', password: 'y' } })
    await send(node, { path: '/nobody/was/here' })
    await send(node, { path: '/users/me', token: person.token })
  })
  t.strictSame(grew, [1, 1, 1, 1, 1, 1, 1, 1])
})

await t.test('logins by dialect and outcome: why one was refused is told to nobody', async (t) => {
  const person = await somebody(node)
  const names = ['succeeded', 'refused', 'unavailable'].map((outcome) => `tessera_logins_total{dialect="bearer",outcome="${outcome}"}`)
  t.strictSame(await growth(node, names, () => bearerLogin(person.username, password)), [1, 0, 0])
  t.strictSame(await growth(node, names, () => bearerLogin(person.username, 'wrong wrong')), [0, 1, 0])
  t.strictSame(await growth(node, names, () => bearerLogin('nobody.at.all', 'wrong wrong')), [0, 1, 0], 'just as for a user who is there')
  t.strictSame(await growth(node, names, () => send(node, { method: 'POST', path: '/api/v1/auth/login', body: {} })), [0, 0, 0], 'what is malformed is no login')
})

await t.test('refreshes by what became of them', async (t) => {
  const person = await somebody(node, { dialect: 'bearer' })
  const refresh = (refreshToken: string) => send(node, { method: 'POST', path: '/api/v1/auth/refresh', body: { refreshToken } })
  const outcomes = ['rotated', 'grace', 'static', 'reused', 'invalid', 'unavailable']
  const names = outcomes.map((outcome) => `tessera_refreshes_total{dialect="bearer",outcome="${outcome}"}`)
  const grown = async (t: Test, expected: string, act: () => Promise<unknown>) => {
    t.strictSame(await growth(node, names, act), outcomes.map((outcome) => (outcome === expected ? 1 : 0)), expected)
  }
  const first = person.grant.refreshToken
  let second = ''
  await grown(t, 'rotated', async () => {
    second = ((await refresh(first)).body as { refreshToken: string }).refreshToken
  })
  await grown(t, 'grace', () => refresh(first))
  await node.clock.advance(61)
  await grown(t, 'static', () => refresh(first))
  await grown(t, 'rotated', () => refresh(second))
  await node.clock.advance(61)
  await grown(t, 'reused', () => refresh(second))
  await grown(t, 'invalid', () => refresh(second))
  await grown(t, 'invalid', () => refresh('nothing'))
})

await t.test('the gauges: connections, hashes, the feed, the key, the trail', async (t) => {
  await node.createUser({ username: 'unsealed' })
  const samples = await scrape(node)
  const valueOf = (name: string): number => samples.get(name) ?? NaN
  t.ok(valueOf('tessera_db_connections') >= 1)
  t.ok(valueOf('tessera_db_connections_idle') <= valueOf('tessera_db_connections'))
  t.equal(valueOf('tessera_db_waiting'), 0)
  t.equal(valueOf('tessera_hash_running'), 0)
  t.equal(valueOf('tessera_hash_waiting'), 0)
  t.ok(valueOf('tessera_hash_wait_seconds_count') >= 5)
  t.strictSame([valueOf('tessera_hash_rejected_total{reason="full"}'), valueOf('tessera_hash_rejected_total{reason="late"}')], [0, 0])
  t.ok(valueOf('tessera_revocation_lag_seconds') >= 0 && valueOf('tessera_revocation_lag_seconds') < 86_400)
  t.ok(valueOf('tessera_signing_key_age_seconds') >= 122, 'by the clock of the node')
  t.ok(Number.isInteger(valueOf('tessera_audit_unsealed')))
})

await t.test('who waits for a hash, who is turned away, and who is told to come back later', async (t) => {
  const small = await startTestApp(t, { environment: { HASH_CONCURRENCY: '1', HASH_QUEUE: '4', ARGON2_MEMORY_KIB: '65536', ARGON2_TIME: '3', RATE_LIMIT: 'on', RATE_LIMIT_LOGIN: '12/min' } })
  const login = (i: number) => send(small, { method: 'POST', path: '/api/v1/auth/login', body: { username: `nobody.${i}`, password } })
  const names = ['tessera_hash_wait_seconds_count', 'tessera_hash_rejected_total{reason="full"}', 'tessera_logins_total{dialect="bearer",outcome="unavailable"}']
  const [waits = 0, full = 0, unavailable = 0] = await growth(small, names, () => Promise.all(Array.from({ length: 12 }, (_, i) => login(i))))
  t.ok(waits >= 1)
  t.ok(full >= 1, `${full} were turned away`)
  t.ok(unavailable >= full && unavailable + waits <= 12, `${unavailable} unavailable, ${waits} hashes`)
  const limited = ['tessera_rate_limited_total{class="login"}', 'tessera_rate_limited_total{class="default"}']
  t.strictSame(await growth(small, limited, async () => [await login(13), await login(14)]), [2, 0])
})

await t.test('every series of a closed set is there from the start, at 0: the first theft is an increase [attack:first-theft-in-metrics]', async (t) => {
  const fresh = await startTestApp(t)
  const registered = await textOf(fresh)
  const names = [...registered.matchAll(/^# TYPE (tessera_\w+) (counter|histogram)$/gm)].map(([, name = '']) => name)
  // Its statuses are no closed set. What alarms need of them is in tessera_http_answers_total.
  const open = ['tessera_http_request_duration_seconds']
  for (const name of names.filter((one) => !open.includes(one))) t.match(registered, new RegExp(`^${name}(_count)?(\\{[^}]*\\})? 0$`, 'm'), name)
  const samples = await scrape(fresh)
  const combinations: Record<string, readonly string[]> = {
    tessera_logins_total: ['succeeded', 'refused', 'unavailable'].flatMap((outcome) => dialectNames.map((dialect) => `dialect="${dialect}",outcome="${outcome}"`)),
    tessera_refreshes_total: ['rotated', 'grace', 'static', 'reused', 'invalid', 'unavailable'].flatMap((outcome) => dialectNames.map((dialect) => `dialect="${dialect}",outcome="${outcome}"`)),
    tessera_rate_limited_total: rateClasses.map((name) => `class="${name}"`),
    tessera_connections_ended_total: connectionEnds.map((reason) => `reason="${reason}"`),
    tessera_hash_rejected_total: ['reason="full"', 'reason="late"'],
    tessera_http_answers_total: ['2xx', '3xx', '4xx', '5xx'].map((status) => `status="${status}"`),
  }
  for (const [name, labels] of Object.entries(combinations)) {
    for (const label of labels) t.ok(samples.has(`${name}{${label}}`), `${name}{${label}}`)
  }
  const theft = 'tessera_refreshes_total{dialect="directus",outcome="reused"}'
  const person = await somebody(fresh)
  const first = person.grant
  await refresh(fresh, first)
  await fresh.clock.advance(61)
  const second = await send(fresh, { method: 'POST', path: '/auth/refresh', body: { refresh_token: first.refreshToken, mode: 'json' } })
  t.equal(second.status, 401)
  t.strictSame([samples.get(theft), (await scrape(fresh)).get(theft)], [0, 1], 'increase() of Prometheus sees a step from 0 to 1')
})

await t.test('what the service ends and refuses is counted by reason and class', async (t) => {
  const small = await startTestApp(t, { environment: { RATE_LIMIT: 'on', RATE_LIMIT_HEALTH: '1/min', CONNECTIONS_PER_ADDRESS: '1000' } })
  const names = ['tessera_connections_ended_total{reason="unanswered"}', 'tessera_rate_limited_total{class="health"}', 'tessera_http_answers_total{status="4xx"}']
  const grew = await growth(small, names, async () => {
    const client = new RawClient(Number(new URL(small.url).port)).say('GET /nobody/is/here HTTP/1.1\r\nHost: localhost\r\n\r\n'.repeat(100))
    await client.closed
    await send(small, { path: '/health/live' })
    await send(small, { path: '/health/live' })
  })
  t.strictSame(grew.slice(0, 2), [1, 1])
  t.ok((grew[2] ?? 0) >= 1)
})

await t.test('case 67: nothing that came with a request is in any metric', async (t) => {
  const person = await somebody(node)
  const key = await newApiKey(node, person.id)
  const canaries = ['canary-name', 'canary-password', 'canary.token', 'canarypath', 'canaryquery', 'canary-agent', 'canary-request', '192.0.2.66']
  await bearerLogin('canary-name', 'canary-password')
  await send(node, { path: '/canarypath/canary-name' })
  await send(node, { path: '/users/me?access_token=canary.token&x=canaryquery' })
  await send(node, { path: '/admin/users/canary-name', token: person.token })
  await send(node, { path: '/auth/login?x=canaryquery', method: 'POST', body: { email: 'canary-name@example.com', password: 'canary-password' }, headers: { 'user-agent': 'canary-agent', 'x-request-id': 'canary-request', 'x-forwarded-for': '192.0.2.66', 'x-api-key': 'canary.token' } })
  await send(node, { path: '/%zz?access_token=canary.token' })
  await fetch(`${node.url}/docs/canarypath`).then((response) => response.text())
  const text = await textOf(node)
  for (const canary of [...canaries, person.username, person.id, person.token, person.grant.refreshToken, key, '127.0.0.1', 'canary']) t.notOk(text.includes(canary), canary)
  const labels = new Set([...text.matchAll(/(\w+)="/g)].map(([, name]) => name))
  t.strictSame([...labels].filter((name) => !['le', 'quantile', 'space', 'kind', 'type'].includes(name ?? '')).sort(), ['class', 'dialect', 'method', 'outcome', 'reason', 'route', 'status'].filter((name) => labels.has(name)))
})

await t.test('with the database gone it still answers', async (t) => {
  const lonely = await startTestApp(t)
  const { pool } = lonely.core
  await pool.end()
  const text = await textOf(lonely)
  t.match(text, /^tessera_db_connections 0$/m)
  t.notMatch(text, /^tessera_audit_unsealed /m)
  pool.end = () => Promise.resolve()
})

import type { FastifyInstance } from 'fastify'
import type { FastifyRateLimitStore } from '@fastify/rate-limit'
import t from 'tap'
import { readConfig } from '../../src/config/index.js'
import { buildHttpApp } from '../support/http.js'

const limits = { RATE_LIMIT_LOGIN: '2/min', RATE_LIMIT_REFRESH: '3/min', RATE_LIMIT_HEALTH: '20/min', RATE_LIMIT_DEFAULT: '5/min' }
const routes = (app: FastifyInstance) => {
  app.post('/auth/login', { config: { rateClass: 'login' } }, () => ({}))
  app.post('/v1/auth', { config: { rateClass: 'login' } }, () => ({}))
  app.post('/auth/refresh', { config: { rateClass: 'refresh' } }, () => ({}))
  app.get('/things', () => ({}))
  app.get('/health/live', { config: { rateClass: 'health' } }, () => ({}))
}

interface Call {
  method?: 'GET' | 'POST' | 'OPTIONS'
  url?: string
  from?: string
  headers?: Record<string, string>
}

/** The statuses of so many calls in a row. */
async function statuses(app: FastifyInstance, times: number, { method = 'GET', url = '/things', from = '192.0.2.1', headers = {} }: Call = {}): Promise<number[]> {
  const all: number[] = []
  for (let i = 0; i < times; i += 1) all.push((await app.inject({ method, url, remoteAddress: from, headers })).statusCode)
  return all
}

await t.test('past the limit of its class: 429, whatever the request would have been', async (t) => {
  const { app } = await buildHttpApp(t, { environment: limits, routes })
  t.strictSame(await statuses(app, 1, { method: 'POST', url: '/auth/login' }), [200])
  t.strictSame(await statuses(app, 1, { method: 'POST', url: '/auth/login', headers: { origin: 'https://evil.example' } }), [403])
  t.strictSame(await statuses(app, 1, { method: 'POST', url: '/v1/auth' }), [429], 'logins of all paths count together')
  t.strictSame(await statuses(app, 4, { method: 'POST', url: '/auth/refresh' }), [200, 200, 200, 429], 'another class counts apart')
  t.strictSame(await statuses(app, 1, { method: 'POST', url: '/auth/login', from: '192.0.2.2' }), [200], 'and so does another address')
})

await t.test('404, 405 and unreadable URLs count as well', async (t) => {
  const { app } = await buildHttpApp(t, { environment: limits, routes })
  t.strictSame(await statuses(app, 2, { url: '/nope' }), [404, 404])
  t.strictSame(await statuses(app, 1, { url: '/auth/login' }), [405])
  t.strictSame(await statuses(app, 1, { url: '/%zz' }), [400])
  t.strictSame(await statuses(app, 2), [200, 429])
  t.strictSame(await statuses(app, 1, { url: '/nope' }), [429])
  t.strictSame(await statuses(app, 1, { url: '/%zz' }), [429])
})

await t.test('case 59: a 429 says when to come back, in the shape of the path, and a listed page may read it', async (t) => {
  const { app } = await buildHttpApp(t, { environment: { ...limits, CORS_ORIGINS: 'https://app.example' }, routes })
  const first = await app.inject({ url: '/things' })
  t.match(first.headers, { 'ratelimit-limit': '5', 'ratelimit-remaining': '4', 'ratelimit-reset': /^\d+$/ })
  await statuses(app, 5, { from: '127.0.0.1' })
  const { statusCode, headers, json } = await app.inject({ url: '/things', headers: { origin: 'https://app.example' } })
  t.equal(statusCode, 429)
  t.ok(Number(headers['retry-after']) > 50 && Number(headers['retry-after']) <= 60)
  t.equal(headers['cache-control'], 'no-store')
  t.equal(headers['access-control-allow-origin'], 'https://app.example')
  t.match(json(), { status: 429, detail: 'Too many requests.' })
})

await t.test('every counted answer says which limit it fell under, and what is left of it', async (t) => {
  const { app } = await buildHttpApp(t, { environment: { ...limits, RATE_LIMIT_LOGIN: '2/h' }, routes })
  const login = () => app.inject({ method: 'POST', url: '/auth/login' })
  const fields = ({ headers }: Awaited<ReturnType<typeof login>>) => [headers['ratelimit-policy'], headers.ratelimit]
  t.match(fields(await login()), ['"login";q=2;w=3600', /^"login";r=1;t=3(600|599)$/])
  t.match(fields(await login()), ['"login";q=2;w=3600', /^"login";r=0;t=3(600|5\d\d)$/])
  const refused = await login()
  t.equal(refused.statusCode, 429)
  t.match(fields(refused), ['"login";q=2;w=3600', `"login";r=0;t=${String(refused.headers['retry-after'])}`])
  t.match(fields(await app.inject({ url: '/things' })), ['"default";q=5;w=60', /^"default";r=4;t=(60|59)$/])
  t.match(fields(await app.inject({ url: '/health/live' })), ['"health";q=20;w=60', /^"health";r=19;/])
  const unreadable = await app.inject({ url: '/%zz' })
  t.match(fields(unreadable), ['"default";q=5;w=60', /^"default";r=3;/])
})

await t.test('preflights count too', async (t) => {
  const { app } = await buildHttpApp(t, { environment: { ...limits, CORS_ORIGINS: 'https://app.example' }, routes })
  const call: Call = { method: 'OPTIONS', url: '/auth/login', headers: { origin: 'https://app.example', 'access-control-request-method': 'POST' } }
  t.strictSame(await statuses(app, 6, call), [200, 200, 200, 200, 200, 429])
})

await t.test('probes of health have a wide limit of their own, which no other request uses up', async (t) => {
  const { app } = await buildHttpApp(t, { environment: limits, routes })
  t.strictSame(await statuses(app, 6), [200, 200, 200, 200, 200, 429])
  t.strictSame(await statuses(app, 21, { url: '/health/live' }), [...Array<number>(20).fill(200), 429])
  t.ok(readConfig({}).rateLimits?.health.max === 6000, 'a hundred a second')
})

await t.test('RATE_LIMIT=off: nothing is counted', async (t) => {
  const { app } = await buildHttpApp(t, { environment: { ...limits, RATE_LIMIT: 'off' }, routes })
  t.strictSame(new Set(await statuses(app, 20)), new Set([200]))
  t.strictSame(await statuses(app, 1, { url: '/%zz' }), [400])
})

await t.test('case 57: without a trusted proxy, X-Forwarded-For makes nobody somebody else', async (t) => {
  const { app } = await buildHttpApp(t, { environment: limits, routes })
  for (let i = 0; i < 5; i += 1) await statuses(app, 1, { headers: { 'x-forwarded-for': `198.51.100.${i}`, 'x-real-ip': `198.51.100.${i}`, forwarded: `for=198.51.100.${i}` } })
  t.strictSame(await statuses(app, 1, { headers: { 'x-forwarded-for': '198.51.100.99' } }), [429])
})

await t.test('behind a trusted proxy the address that it saw counts, and junk counts as the proxy', async (t) => {
  const { app } = await buildHttpApp(t, { environment: { ...limits, TRUST_PROXY: '10.0.0.0/8' }, routes })
  const via = (forwarded: string, times = 1) => statuses(app, times, { from: '10.0.0.1', headers: { 'x-forwarded-for': forwarded } })
  t.strictSame(await via('198.51.100.1', 6), [200, 200, 200, 200, 200, 429])
  t.strictSame(await via('203.0.113.7, 198.51.100.1'), [429], 'what the client wrote before it is not believed')
  t.strictSame(await via('198.51.100.2'), [200])
  t.strictSame([...(await via('junk', 2)), ...(await via('<script>', 2)), ...(await via('1.2.3.4, unknown', 2))], [200, 200, 200, 200, 200, 429])
})

async function inTurn(texts: readonly string[], via: (forwarded: string) => Promise<number[]>): Promise<number[]> {
  const heard: number[] = []
  for (const text of texts) heard.push(...(await via(text)))
  return heard
}

await t.test('an address counts as one however a trusted proxy writes it [attack:address-with-a-port]', async (t) => {
  const { app } = await buildHttpApp(t, { environment: { ...limits, TRUST_PROXY: '10.0.0.0/8, 2001:db8:ffff::/48' }, routes })
  const via = (forwarded: string, from = '10.0.0.1') => statuses(app, 1, { from, headers: { 'x-forwarded-for': forwarded } })
  const one = ['203.0.113.1:51111', '203.0.113.1', '"203.0.113.1:2"', '::ffff:203.0.113.1', '[::ffff:cb00:7101]:443', ' 203.0.113.1:3 ']
  t.strictSame(await inTurn(one, via), [200, 200, 200, 200, 200, 429])
  t.strictSame(await via('203.0.113.2:51111'), [200], 'another address is another')
  const other = ['[2001:db8:1:2::1]:443', '2001:db8:1:2::1', '[2001:DB8:1:2::7]', '"[2001:db8:1:2::1]:5"', '2001:db8:1:2::1%eth0', '[2001:db8:1:2::9%3]:80']
  t.strictSame(await inTurn(other, via), [200, 200, 200, 200, 200, 429])
  const hops = ['198.51.100.9:1, 10.0.0.2:4444', '198.51.100.9, 10.0.0.2', '198.51.100.9:2, [2001:db8:ffff::1]:80', '198.51.100.9, ::ffff:10.0.0.3', '1.1.1.1, 198.51.100.9:3, 10.0.0.4:1']
  t.strictSame(await inTurn(hops, via), [200, 200, 200, 200, 200])
  t.strictSame(await via('198.51.100.9:77'), [429], 'ports of proxies in between do not matter either')
  t.strictSame(await via('203.0.113.3:1', '::ffff:10.0.0.9'), [200], 'a proxy that comes through an IPv6 socket is trusted too')
})

await t.test('where a proxy hides the client, the proxy next to it counts [attack:address-with-a-port]', async (t) => {
  const { app } = await buildHttpApp(t, { environment: { ...limits, TRUST_PROXY: '10.0.0.0/8' }, routes })
  const via = (forwarded: string) => statuses(app, 1, { from: '10.0.0.1', headers: { 'x-forwarded-for': forwarded } })
  const hidden = ['unknown, 10.0.0.2', '_hidden, 10.0.0.2:80', 'unknown, 10.0.0.2', 'x, 10.0.0.2', ':80, 10.0.0.2']
  t.strictSame(await inTurn(hidden, via), [200, 200, 200, 200, 200])
  t.strictSame(await via('unknown, 10.0.0.2'), [429])
  t.strictSame(await via('unknown'), [200], 'another proxy is another')
})

await t.test('case 34: one household of IPv6 is one address', async (t) => {
  const { app } = await buildHttpApp(t, { environment: limits, routes })
  for (let i = 1; i <= 5; i += 1) t.strictSame(await statuses(app, 1, { from: `2001:db8:1:2::${i}` }), [200])
  t.strictSame(await statuses(app, 1, { from: '2001:DB8:1:2:ffff::1' }), [429])
  t.strictSame(await statuses(app, 1, { from: '2001:db8:1:3::1' }), [200])
  t.strictSame(await statuses(app, 5, { from: '::ffff:192.0.2.9' }), [200, 200, 200, 200, 200])
  t.strictSame(await statuses(app, 1, { from: '192.0.2.9' }), [429], 'IPv4 by an IPv6 socket is IPv4')
})

await t.test('a store of its own counts by class and network, and its failure refuses rather than lets through', async (t) => {
  const counted: string[] = []
  class Store implements FastifyRateLimitStore {
    incr(key: string, callback: Parameters<FastifyRateLimitStore['incr']>[1], timeWindow: number, max: number): void {
      counted.push(`${key} ${max}/${timeWindow}`)
      if (key.endsWith('192.0.2.66')) callback(new Error('the store is down'))
      else callback(null, { current: 1, ttl: timeWindow })
    }

    child(): FastifyRateLimitStore {
      return this
    }
  }
  const { app } = await buildHttpApp(t, { environment: limits, routes, store: Store })
  await statuses(app, 1, { method: 'POST', url: '/auth/login' })
  await statuses(app, 1, { url: '/things', from: '2001:db8::1' })
  t.strictSame(counted, ['login 192.0.2.1 2/60000', 'default 2001:db8:0:0::/64 5/60000'])
  t.strictSame(await statuses(app, 1, { from: '192.0.2.66' }), [500])
})

import t, { type Test } from 'tap'
import { startTestApp } from '../support/app.js'
import { buildHttpApp, listen, RawClient, statusOf } from '../support/http.js'

type Ask = (host: string | null, more?: { target?: string; method?: string; headers?: readonly string[]; body?: string }) => Promise<string>

const askAt = (port: number): Ask => async (host, { target = '/health/live', method = 'GET', headers = [], body = '' } = {}) => {
  const client = new RawClient(port)
  const lines = [`${method} ${target} HTTP/1.${host === null ? 0 : 1}`, ...(host === null ? [] : [`Host: ${host}`]), 'Connection: close', ...(body === '' ? [] : ['Content-Type: application/json', `Content-Length: ${body.length}`]), ...headers]
  client.say(`${lines.join('\r\n')}\r\n\r\n${body}`)
  await client.closed
  return client.heard
}

async function serving(t: Test, environment: Record<string, string>): Promise<Ask> {
  const { app } = await buildHttpApp(t, { environment: { RATE_LIMIT: 'off', ...environment }, routes: (app) => { app.get('/health/live', () => ({})) } })
  return askAt(await listen(app))
}

const own = ['localhost', 'localhost:9154', 'localhost:1', 'LOCALHOST', 'localhost.', 'localhost.:9154', '127.0.0.1', '127.0.0.1:9154', '127.1.2.3', '[::1]', '[::1]:9154', '[::ffff:127.0.0.1]', '']
const foreign = ['evil.example', 'evil.example:9154', 'localhost.evil.example', '127.0.0.1.evil.example', '127.0.0.1.nip.io', 'x', 'localhost.localdomain', 'app.localhost', '0.0.0.0', '0.0.0.0:9154', '[::]', '192.168.1.7', '127.1', '2130706433', 'localhost..', '%6cocalhost']

await t.test('on loopback, the service answers to its own names only [attack:dns-rebinding]', async (t) => {
  const ask = await serving(t, {})
  for (const host of own) t.equal(statusOf(await ask(host)), 200, host)
  t.equal(statusOf(await ask(null)), 200, 'HTTP/1.0 without a Host')
  for (const host of foreign) t.equal(statusOf(await ask(host)), 421, host)
  t.equal(statusOf(await ask('localhost', { target: 'http://evil.example/health/live' })), 421, 'the target beats Host')
  t.equal(statusOf(await ask('localhost', { target: 'http://localhost@evil.example/health/live' })), 421)
  t.equal(statusOf(await ask('localhost', { target: 'http://127.0.0.1:80/health/live' })), 200)
})

await t.test('the host of PUBLIC_URL is a name of the service, at any port [attack:dns-rebinding]', async (t) => {
  const ask = await serving(t, { PUBLIC_URL: 'https://id.example.com/identity' })
  for (const host of ['id.example.com', 'ID.example.com:8443', 'id.example.com.', 'localhost']) t.equal(statusOf(await ask(host)), 200, host)
  for (const host of ['example.com', 'x.id.example.com', 'id.example.com.evil.example']) t.equal(statusOf(await ask(host)), 421, host)
})

await t.test('a trusted proxy has judged for itself, and what listens for others has other names', async (t) => {
  const behind = await serving(t, { TRUST_PROXY: '127.0.0.1' })
  t.equal(statusOf(await behind('orders.example.com')), 200)
  const open = await serving(t, { HOST: '0.0.0.0', PUBLIC_URL: 'https://id.example.com' })
  t.equal(statusOf(await open('127.0.0.1')), 200)
})

await t.test('HOST as a name that means loopback is loopback [attack:dns-rebinding]', async (t) => {
  // What the name means is known once the server listens: here on 127.0.0.1.
  const ask = await serving(t, { HOST: 'workstation', PUBLIC_URL: 'http://workstation:9154' })
  t.equal(statusOf(await ask('workstation:9154')), 200)
  t.equal(statusOf(await ask('evil.example')), 421)
})

await t.test('a page of a name that was led to us logs nobody in, and is answered in the shape of the path [attack:dns-rebinding]', async (t) => {
  const node = await startTestApp(t)
  await node.createUser({ username: 'jane', email: 'jane@example.com', password: 'correct horse battery', pin: '2468' })
  const ask = askAt(Number(new URL(node.url).port))
  const page = ['Origin: http://evil.example', 'Sec-Fetch-Site: same-origin']
  const logins: [path: string, body: object, refusal: RegExp][] = [
    ['/auth/login', { name: 'jane', pin: '2468' }, /"message":"this server listens on loopback.*"errors":\[\{"message":"Misdirected request\."/],
    ['/api/v1/auth/login', { username: 'jane', password: 'correct horse battery' }, /"error":"this server listens on loopback/],
    ['/v1/auth', { username: 'jane', password: 'correct horse battery' }, /"statusCode":421/],
  ]
  for (const [target, body, refusal] of logins) {
    const login = { target, method: 'POST', body: JSON.stringify(body), headers: page }
    const answer = await ask('evil.example:9154', login)
    t.equal(statusOf(answer), 421, target)
    t.match(answer, refusal)
    t.notMatch(answer, /eyJ|set-cookie/i)
    t.equal(statusOf(await ask('localhost', { ...login, headers: [] })), 200, target)
  }
  t.equal(statusOf(await ask('localhost', { target: '/auth/login', method: 'POST', body: JSON.stringify({ name: 'jane', pin: '2468' }), headers: page })), 403, 'nor is its word taken that it is the same origin')
})

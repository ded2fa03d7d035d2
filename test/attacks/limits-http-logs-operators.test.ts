import t from 'tap'
import { readConfig } from '../../src/config/index.js'
import { startTestApp, testMasterSecret } from '../support/app.js'
import { ask, faultOf, protectedCalls } from '../support/attacks.js'
import { call, claimsOf, footprint } from '../support/auth-client.js'
import { clients, enter, everyDialect, isLive, newPerson } from '../support/dialect-clients.js'
import { RawClient, statusOf } from '../support/http.js'
import { goodBody, loginDoors } from '../support/login-doors.js'

const node = await startTestApp(t)
const calls = await protectedCalls(node)
const person = await newPerson(node)
const port = Number(new URL(node.url).port)

/** Byte for byte: no client library sends such things. */
async function say(text: string): Promise<string> {
  const client = new RawClient(port).say(text)
  // The answer to HEAD names a length and has none.
  const answer = await (text.startsWith('HEAD ') ? client.hears(/\r\n\r\n/) : client.hearsAnswer())
  client.socket.destroy()
  return answer
}

await t.test('case 57: without a trusted proxy a thousand forwarded addresses are one', async (t) => {
  const limited = await startTestApp(t, { database: node.database, environment: { RATE_LIMIT: 'on' } })
  const statuses = new Map<number, number>()
  for (let i = 0; i < 1000; i += 1) {
    const address = `198.51.${Math.floor(i / 250)}.${i % 250}`
    const { statusCode } = await limited.app.inject({
      method: 'POST',
      url: i % 2 === 0 ? '/auth/login' : '/v1/auth',
      headers: { 'content-type': 'application/json', 'x-forwarded-for': address, 'x-real-ip': address, forwarded: `for=${address}`, 'x-client-ip': address, 'cf-connecting-ip': address, 'true-client-ip': address },
      payload: '{}',
    })
    statuses.set(statusCode, (statuses.get(statusCode) ?? 0) + 1)
  }
  t.same(Object.fromEntries(statuses), { 400: 30, 429: 970 })
})

await t.test('case 58: TRUST_PROXY takes addresses, and neither a number nor true', (t) => {
  for (const value of ['1', '0', '2', 'true', 'TRUE', 'yes', 'on', '*', 'all', 'loopback', 'uniquelocal', '127.0.0.1,true', '127.0.0.1 1', '10.0.0.0/8,1', '0x7f000001', '2130706433']) {
    t.throws(() => readConfig({ MASTER_SECRET: testMasterSecret, DATABASE_URL: 'postgres://x/y', TRUST_PROXY: value }), /TRUST_PROXY must be/, value)
  }
  t.end()
})

await t.test('case 59: a 429 says in every dialect when to come back', async (t) => {
  const limited = await startTestApp(t, { database: node.database, environment: { RATE_LIMIT: 'on', RATE_LIMIT_LOGIN: '1/min', RATE_LIMIT_REFRESH: '1/min', RATE_LIMIT_DEFAULT: '1/min' } })
  const due: [path: string, body: RegExp][] = [
    ['/auth/login', /^\{"message":"Too many requests","errors":\[\{"message":"Too many requests\.","extensions":\{"code":"REQUESTS_EXCEEDED"\}\}\]\}$/],
    ['/api/v1/auth/login', /^\{"error":"Too many requests"\}$/],
    ['/v1/auth', /^\{"statusCode":429,"statusMessage":"Too Many Requests","error":"Too many requests"\}$/],
    ['/auth/refresh', /"REQUESTS_EXCEEDED"/],
    ['/v1/auth/refreshtoken', /^\{"statusCode":429/],
    ['/users/me', /^\{"errors":\[\{"message":"Too many requests\.","extensions":\{"code":"REQUESTS_EXCEEDED"\}\}\]\}$/],
    ['/nope', /"status":429/],
  ]
  for (const path of ['/auth/login', '/auth/refresh', '/users/me']) await call(limited, path)
  for (const [path, body] of due) {
    const { status, text, headers } = await call(limited, path)
    t.equal(status, 429, path)
    t.match(text, body)
    t.match(headers.get('retry-after'), /^[1-9]\d?$/)
    t.equal(headers.get('cache-control'), 'no-store')
  }
})

await t.test('case 59: a foreign Host reaches no token, URL or cookie', async (t) => {
  const open = await startTestApp(t, { environment: { HOST: '0.0.0.0' }, database: node.database })
  const evil = { host: 'evil.example', 'x-forwarded-host': 'evil.example', 'x-forwarded-proto': 'https', forwarded: 'host=evil.example;proto=https', 'x-original-host': 'evil.example', 'x-forwarded-prefix': '/evil' }
  for (const dialect of everyDialect) {
    const heard = await open.app.inject({ method: 'POST', url: loginDoors[dialect].path, headers: { ...evil, 'content-type': 'application/json' }, payload: JSON.stringify(goodBody(dialect, person)) })
    t.equal(heard.statusCode, 200, dialect)
    t.notMatch(JSON.stringify(heard.headers) + heard.body, 'evil')
    for (const [token] of (JSON.stringify(heard.headers['set-cookie'] ?? '') + heard.body).matchAll(/eyJ[\w-]+\.[\w-]+\.[\w-]+/g)) t.notMatch(JSON.stringify(claimsOf(token)), 'evil')
  }
  for (const path of ['/.well-known/openid-configuration', '/.well-known/oauth-authorization-server', '/.well-known/jwks.json', '/openapi.json', '/docs', '/docs/', '/nope', '/verify', '/users/me', '/health/ready']) {
    const heard = await open.app.inject({ method: 'GET', url: path, headers: evil })
    t.notMatch(JSON.stringify(heard.headers) + heard.body, /evil/, path)
  }
})

const otherMethods = ['GET', 'HEAD', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'TRACE', 'PROPFIND', 'LINK'] as const

await t.test('case 61: other methods on the calls of the dialects are 404 or 405, and nothing happens, whatever they carry', async (t) => {
  const tokens = await enter(node, 'pin', person)
  const byMail = await enter(node, 'directus', person)
  const cookie = `accessToken=${tokens.accessToken}; refreshToken=${tokens.refreshToken}; directus_refresh_token=${byMail.refreshToken}`
  const before = await footprint(node)
  const paths = ['/auth/login', '/auth/refresh', '/auth/logout', '/auth/refresh/', '/api/v1/auth/login', '/api/v1/auth/refresh', '/api/v1/auth/logout', '/v1/auth', '/v1/auth/refreshtoken', '/oauth/token', '/oauth/revoke', '/oauth/introspect', '/users/me/password', '/users/me/tfa/disable']
  for (const path of paths) {
    for (const method of otherMethods) {
      const answer = await say([`${method} ${path}?refresh_token=${byMail.refreshToken} HTTP/1.1`, 'Host: localhost', `Cookie: ${cookie}`, 'X-HTTP-Method-Override: POST', 'X-HTTP-Method: POST', 'X-Method-Override: POST', 'Connection: close', '', ''].join('\r\n'))
      if (!/^HTTP\/1\.1 (404|405) /.test(answer) || !/\r\ncache-control: no-store\r\n/i.test(answer) || /set-cookie/i.test(answer)) t.fail(`${method} ${path}: ${answer.slice(0, 200)}`)
      if (answer.startsWith('HTTP/1.1 405') && !/\r\nallow: POST\r\n/i.test(answer)) t.fail(`${method} ${path}: ${answer}`)
      if (answer.includes(tokens.accessToken)) t.fail(`${method} ${path} echoes what it was sent`)
    }
  }
  t.equal(await footprint(node), before)
  t.ok(await isLive(node, tokens))
})

await t.test('case 61: HEAD on a protected path is 401 without a credential, and tells what GET would', async (t) => {
  for (const one of calls.filter(({ method }) => method === 'GET')) {
    const [head, get] = [await ask(node, { method: 'HEAD', path: one.path }), await ask(node, { method: 'GET', path: one.path })]
    t.same([head.status, head.text, head.header('www-authenticate')], [401, '', get.header('www-authenticate')], one.path)
    t.equal(get.status, 401)
  }
})

await t.test('case 61: what is no HTTP, or HTTP that two servers would read differently, is refused and hung up on', async (t) => {
  const before = await footprint(node)
  const body = JSON.stringify(goodBody('bearer', person))
  const head = 'POST /api/v1/auth/login HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n'
  const smuggled: Record<string, string> = {
    'two lengths': `${head}Content-Length: ${body.length}\r\nContent-Length: 0\r\n\r\n${body}`,
    'a length and chunks': `${head}Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n${body.length.toString(16)}\r\n${body}\r\n0\r\n\r\n`,
    'chunks that are not last': `${head}Transfer-Encoding: chunked, identity\r\n\r\n${body}`,
    'an odd encoding': `${head}Transfer-Encoding: xchunked\r\n\r\n${body}`,
    'a length that is none': `${head}Content-Length: +${body.length}\r\n\r\n${body}`,
    'a space before the colon': `${head}Content-Length : ${body.length}\r\n\r\n${body}`,
    'a folded header': `${head}X-Fold: a\r\n b\r\nContent-Length : ${body.length}\r\n\r\n${body}`,
    'no HTTP': `\u0016\u0003\u0001\u0002\u0000${body}\r\n\r\n`,
    'a method that there is not': 'BREW /auth/login HTTP/1.1\r\nHost: localhost\r\n\r\n',
    'a control character in a header': `${head}X-Odd: a\u0000b\r\nContent-Length: 0\r\n\r\n`,
    'no Host': 'GET /health/live HTTP/1.1\r\n\r\n',
  }
  for (const [what, text] of Object.entries(smuggled)) {
    const answer = await say(text)
    t.equal(statusOf(answer), 400, what)
    t.notMatch(answer, person.password, what)
  }
  t.equal(await footprint(node), before)
})

await t.test('case 63: a secret in a URL that nobody serves, or nobody can read, is in no answer and no log line', async (t) => {
  const secret = (await enter(node, 'bearer', person)).accessToken
  const targets = [`/nope?access_token=${secret}`, `/%zz?access_token=${secret}`, `/auth/nope?access_token=${secret}`, `/users/nope?access_token=${secret}`, `/v1/nope?a=b&access_token=${secret}`, `/api/v1/nope?access_token=${secret}&x`, `/oauth/nope?access_token=${secret}`, `/docs/nope?access_token=${secret}`, `/verify/%zz?access_token=${secret}`, `http://127.0.0.1/nope?access_token=${secret}`, `/nope;access_token=${secret}`, `/nope#access_token=${secret}`, `//nope?access_token=${secret}`, `*?access_token=${secret}`, `/health/live?access_token=${secret}`, `/.well-known/jwks.json?access_token=${secret}`, `/openapi.json?access_token=${secret}`]
  for (const target of targets) {
    for (const method of ['GET', 'POST', 'OPTIONS', 'BREW']) {
      const answer = await say(`${method} ${target} HTTP/1.1\r\nHost: localhost\r\nReferer: http://x/?access_token=${secret}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n`)
      t.notOk(answer.includes(secret.slice(-40)), `${method} ${target.slice(0, 30)}`)
      t.ok(statusOf(answer) < 500)
    }
  }
  t.notOk(node.logLines.join('').includes(secret.slice(-40)))
})

await t.test('case 64: a service on a database of its own has no account, key or client, and the demo’s secrets open nothing', async (t) => {
  const fresh = await startTestApp(t)
  for (const table of ['users', 'api_keys', 'clients', 'sessions', 'passwords', 'pins']) {
    const { rows: [row] } = await fresh.core.pool.query<{ count: number }>(`SELECT count(*)::int AS count FROM ${table}`)
    t.equal(row?.count, 0, table)
  }
  const demo = { id: '', username: 'cooluser1', pin: '0000', email: 'admin@example.com', password: 'Z1Tu5' }
  for (const dialect of everyDialect) {
    const answer = await clients[dialect].login(fresh, demo)
    t.same([answer.status, answer.text], loginDoors[dialect].refusal)
  }
})

await t.test('case 67: what anybody may read tells nothing of people, hosts, versions of what is below, or secrets', async (t) => {
  const { hostname, port: databasePort, pathname } = new URL(node.database.connectionString)
  const told = [person.username, person.email, person.id, `${hostname}:${databasePort}`, pathname.slice(1), 'postgres', 'fastify', 'node_modules', process.version, 'ES256 PRIVATE', testMasterSecret]
  for (const path of ['/health/live', '/health/ready', '/metrics', '/.well-known/jwks.json', '/.well-known/openid-configuration', '/nope']) {
    const heard = await ask(node, { method: 'GET', path })
    if (path === '/metrics' && heard.status === 404) continue
    const text = heard.text + heard.header('server') + heard.header('x-powered-by')
    for (const word of told) t.notOk(text.includes(word), `${path}: ${word}`)
    if (!path.startsWith('/.well-known/')) t.equal(faultOf({ ...heard, text: '' }), null, path)
  }
})

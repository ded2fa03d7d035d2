import t from 'tap'
import { buildHttpApp } from '../support/http.js'

const own = 'https://id.example'
const listed = 'https://app.elsewhere.example'
const foreign = 'https://evil.example'
const loggedIn = 'accessToken=a.b.c'

const { app } = await buildHttpApp(t, {
  environment: { RATE_LIMIT: 'off', PUBLIC_URL: `${own}/identity`, CORS_ORIGINS: `${listed},https://other.example` },
  routes(app) {
    app.post('/auth/login', () => ({}))
    app.get('/auth/login', () => ({}))
    app.route({ method: ['GET', 'POST', 'PUT', 'PATCH', 'DELETE'], url: '/users/me', handler: () => ({}) })
  },
})

async function statusWith(headers: Record<string, string>, url = '/auth/login', method: 'GET' | 'POST' | 'DELETE' | 'PUT' | 'PATCH' = 'POST'): Promise<number> {
  return (await app.inject({ method, url, headers })).statusCode
}

await t.test('case 46: on /auth, what a foreign page sends is refused, with cookies or without', async (t) => {
  const rule: [headers: Record<string, string>, status: number][] = [
    [{}, 200],
    [{ origin: own }, 200],
    [{ origin: listed }, 200],
    [{ origin: foreign }, 403],
    [{ origin: 'null' }, 403],
    [{ origin: '' }, 403],
    [{ origin: `${own}:8443` }, 403],
    [{ origin: 'http://id.example' }, 403],
    [{ origin: `${own}.evil.example` }, 403],
    [{ origin: `${own}, ${foreign}` }, 403],
    [{ 'sec-fetch-site': 'same-origin' }, 200],
    [{ 'sec-fetch-site': 'same-origin', origin: 'http://localhost:9154' }, 200],
    [{ 'sec-fetch-site': 'same-origin', origin: own }, 200],
    [{ 'sec-fetch-site': 'same-origin', origin: listed }, 200],
    // Another name of this machine, where the service listens on loopback.
    [{ 'sec-fetch-site': 'same-origin', origin: 'http://[::1]:5173' }, 200],
    [{ 'sec-fetch-site': 'same-origin', origin: 'http://127.0.0.1.evil.example' }, 403],
    [{ 'sec-fetch-site': 'same-origin', origin: foreign }, 403],
    [{ 'sec-fetch-site': 'same-origin', origin: 'null' }, 403],
    [{ origin: 'http://localhost:9154' }, 403],
    [{ 'sec-fetch-site': 'none' }, 200],
    [{ 'sec-fetch-site': 'none', origin: foreign }, 403],
    [{ 'sec-fetch-site': 'cross-site' }, 403],
    [{ 'sec-fetch-site': 'cross-site', origin: foreign }, 403],
    [{ 'sec-fetch-site': 'cross-site', origin: own }, 403],
    [{ 'sec-fetch-site': 'cross-site', origin: listed }, 200],
    [{ 'sec-fetch-site': 'same-site' }, 403],
    [{ 'sec-fetch-site': 'same-site', origin: own }, 403],
    [{ 'sec-fetch-site': 'same-site', origin: foreign }, 403],
    [{ 'sec-fetch-site': 'same-site', origin: listed }, 200],
  ]
  for (const [headers, status] of rule) {
    t.equal(await statusWith(headers), status, JSON.stringify(headers))
    t.equal(await statusWith({ ...headers, cookie: loggedIn }, '/users/me', 'DELETE'), status, `elsewhere, by cookie: ${JSON.stringify(headers)}`)
  }
})

await t.test('a service for other machines has no other names of this one [attack:same-origin-of-a-stranger]', async (t) => {
  const { app } = await buildHttpApp(t, { environment: { RATE_LIMIT: 'off', HOST: '0.0.0.0', PUBLIC_URL: own }, routes: (app) => { app.post('/auth/login', () => ({})) } })
  const status = async (headers: Record<string, string>) => (await app.inject({ method: 'POST', url: '/auth/login', headers: { ...headers, host: 'evil.example' } })).statusCode
  t.equal(await status({ 'sec-fetch-site': 'same-origin', origin: 'http://localhost:9154' }), 403)
  t.equal(await status({ 'sec-fetch-site': 'same-origin', origin: 'http://evil.example' }), 403)
  t.equal(await status({ 'sec-fetch-site': 'same-origin', origin: own }), 200)
})

await t.test('case 46: no spelling of the path gets around it', async (t) => {
  for (const url of ['/auth/login/', '/%61uth/login', '/auth%2Flogin', '/auth/nope', '/auth/login?x=1', '/auth/login#x']) {
    t.not(await statusWith({ origin: foreign }, url), 200, url)
  }
})

await t.test('case 46: elsewhere it holds for unsafe methods that the cookie authenticates', async (t) => {
  for (const method of ['POST', 'PUT', 'PATCH', 'DELETE'] as const) {
    t.equal(await statusWith({ origin: foreign, cookie: loggedIn }, '/users/me', method), 403, method)
    t.equal(await statusWith({ origin: foreign }, '/users/me', method), 200, `${method} without a cookie`)
  }
  t.equal(await statusWith({ origin: foreign, cookie: `${loggedIn}; ${loggedIn}` }, '/users/me'), 403, 'two cookies are not none')
  t.equal(await statusWith({ origin: foreign, cookie: 'accessToken=' }, '/users/me'), 200, 'an empty cookie is none')
})

await t.test('safe methods pass', async (t) => {
  t.equal(await statusWith({ origin: foreign, 'sec-fetch-site': 'cross-site', cookie: loggedIn }, '/auth/login', 'GET'), 200)
  t.equal(await statusWith({ origin: foreign, 'sec-fetch-site': 'cross-site', cookie: loggedIn }, '/users/me', 'GET'), 200)
})

await t.test('case 46: a credential in a header exempts; one in the URL, which a form can write, does not', async (t) => {
  for (const [name, value] of [['authorization', 'Bearer x'], ['x-api-key', 'sk_live_x']] as const) {
    const header = { [name]: value }
    t.equal(await statusWith({ ...header, origin: foreign }), 200)
    t.equal(await statusWith({ ...header, origin: foreign, cookie: loggedIn }, '/users/me'), 200)
  }
  t.equal(await statusWith({ origin: foreign }, '/auth/login?access_token=x'), 403)
  t.equal(await statusWith({ origin: foreign, cookie: loggedIn }, '/users/me?access_token=x'), 403)
})

await t.test('it comes before media type, size and JSON', async (t) => {
  const answer = await app.inject({ method: 'POST', url: '/auth/login', headers: { origin: foreign, 'content-type': 'text/plain' }, payload: 'x'.repeat(20_000) })
  t.equal(answer.statusCode, 403)
  t.match(answer.json(), { status: 403, detail: 'Cross-site request refused.' })
})

const preflight = (origin: string | undefined, more: Record<string, string> = { 'access-control-request-method': 'POST' }) =>
  app.inject({ method: 'OPTIONS', url: '/auth/login', headers: { ...(origin === undefined ? {} : { origin }), ...more } })

await t.test('a preflight of a listed origin is told what it may do, cookies included', async (t) => {
  const { statusCode, headers } = await preflight(listed)
  t.ok(statusCode === 200 || statusCode === 204)
  t.equal(headers['access-control-allow-origin'], listed)
  t.equal(headers['access-control-allow-credentials'], 'true')
  t.match(headers['access-control-allow-methods'], /\bDELETE\b/)
  t.match(headers['access-control-allow-headers'], /\bAuthorization\b.*\bContent-Type\b/)
  t.match(headers.vary, /Origin/i)
})

await t.test('an app is let in by its own origin, byte for byte [attack:origin-of-an-app]', async (t) => {
  const apps = ['capacitor://localhost', 'tauri://localhost', 'chrome-extension://abcdefghijklmnopabcdefghijklmnop', 'app://.']
  const { app } = await buildHttpApp(t, { environment: { RATE_LIMIT: 'off', PUBLIC_URL: own, CORS_ORIGINS: apps.join() }, routes: (app) => { app.post('/auth/login', () => ({})) } })
  const preflightOf = (origin: string) => app.inject({ method: 'OPTIONS', url: '/auth/login', headers: { origin, 'access-control-request-method': 'POST' } })
  const loginOf = async (origin: string) => (await app.inject({ method: 'POST', url: '/auth/login', headers: { origin, 'sec-fetch-site': 'cross-site' } })).statusCode
  for (const origin of apps) {
    t.equal((await preflightOf(origin)).headers['access-control-allow-origin'], origin)
    t.equal(await loginOf(origin), 200, origin)
  }
  for (const origin of ['capacitor://localhost:80', 'ionic://localhost', 'capacitor://evil', 'https://localhost', 'CAPACITOR://localhost', 'null', 'chrome-extension://ponmlkjihgfedcbaponmlkjihgfedcba', 'app://']) {
    t.equal((await preflightOf(origin)).headers['access-control-allow-origin'], undefined, origin)
    t.equal(await loginOf(origin), 403, origin)
  }
})

const allowHeaders = (headers: Record<string, unknown>) => Object.keys(headers).filter((name) => name.startsWith('access-control-'))

await t.test('case 47: a preflight of any other origin is an unknown method, without an allow header', async (t) => {
  for (const origin of [foreign, 'null', own, '*', `${listed}.evil.example`, listed.toUpperCase(), undefined]) {
    const { statusCode, headers } = await preflight(origin)
    t.equal(statusCode, 405, String(origin))
    t.strictSame(allowHeaders(headers), [], String(origin))
    t.match(headers.vary, /Origin/i)
  }
})

await t.test('an OPTIONS that is no preflight: 405 where there is something, else 404', async (t) => {
  t.equal((await preflight(listed, {})).statusCode, 405)
  t.equal((await preflight(undefined, {})).statusCode, 405)
  t.equal((await app.inject({ method: 'OPTIONS', url: '/nope', headers: { origin: listed } })).statusCode, 404)
})

await t.test('answers to a listed origin may be read by it, errors too; to another they may not', async (t) => {
  for (const url of ['/users/me', '/nope']) {
    const { headers } = await app.inject({ url, headers: { origin: listed } })
    t.equal(headers['access-control-allow-origin'], listed)
    t.equal(headers['access-control-allow-credentials'], 'true')
    t.strictSame(allowHeaders((await app.inject({ url, headers: { origin: foreign } })).headers), [])
    t.strictSame(allowHeaders((await app.inject({ url })).headers), [])
  }
})

await t.test('without CORS_ORIGINS nobody is let in', async (t) => {
  const { app } = await buildHttpApp(t, { environment: { RATE_LIMIT: 'off' }, routes: (app) => { app.post('/auth/login', () => ({})) } })
  const { statusCode, headers } = await app.inject({ method: 'OPTIONS', url: '/auth/login', headers: { origin: foreign, 'access-control-request-method': 'POST' } })
  t.equal(statusCode, 405)
  t.strictSame(allowHeaders(headers), [])
})

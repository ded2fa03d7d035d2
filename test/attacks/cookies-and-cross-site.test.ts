import t, { type Test } from 'tap'
import { startTestApp } from '../support/app.js'
import { ask, faultOf, notInvalidToken, protectedCalls, type Headers } from '../support/attacks.js'
import { call, cookieHeader, footprint, type Answer } from '../support/auth-client.js'
import { clients, enter, isLive, newPerson, renew, untilDead, type Tokens } from '../support/dialect-clients.js'
import { goodBody, knock } from '../support/login-doors.js'

const listed = 'https://app.example'
const environment = { CORS_ORIGINS: listed, PIN_ACCESS_TTL: '15m' }
const node = await startTestApp(t, { environment })
const other = await startTestApp(t, { environment, database: node.database, clock: node.clock })
const own = node.config.publicUrl.origin
const calls = await protectedCalls(node)
const person = await newPerson(node)

const pinCookies = ({ accessToken, refreshToken }: Tokens) => `accessToken=${accessToken}; refreshToken=${refreshToken}`

/** Every line of the rule that refuses. */
const foreign: readonly Headers[] = [
  { origin: 'https://evil.example' },
  { origin: 'null' },
  { origin: '' },
  { origin: own.replace('http:', 'https:') },
  { origin: own.replace(':9154', ':9155') },
  { origin: `${own}.evil.example` },
  { origin: `${own}, https://evil.example` },
  { origin: `${listed}.evil.example` },
  { origin: listed.toUpperCase() },
  { origin: 'https://evil.example', 'sec-fetch-site': 'none' },
  { 'sec-fetch-site': 'cross-site' },
  { 'sec-fetch-site': 'cross-site', origin: own },
  { 'sec-fetch-site': 'Cross-Site' },
  { 'sec-fetch-site': 'same-site' },
  { 'sec-fetch-site': 'same-site', origin: own },
  { 'sec-fetch-site': 'same-site', origin: 'https://evil.example' },
  { 'sec-fetch-site': 'nonsense' },
]

/** And every one that lets pass. */
const ours: readonly Headers[] = [
  {},
  { origin: own },
  { origin: listed },
  { 'sec-fetch-site': 'same-origin' },
  { 'sec-fetch-site': 'same-origin', origin: 'http://localhost:9154' },
  { 'sec-fetch-site': 'none' },
  { 'sec-fetch-site': 'same-site', origin: listed },
  { 'sec-fetch-site': 'cross-site', origin: listed },
]

const refusedAsForeign = { status: 403, text: /Cross-site request refused|"FORBIDDEN"|"error":"Forbidden"/ }

await t.test('case 46: on /auth, whatever a foreign page sends is 403, and nothing happens', async (t) => {
  const byPin = await enter(node, 'pin', person)
  const byMail = await knock(node, 'directus', { ...goodBody('directus', person), mode: 'cookie' })
  const cookies = ['', pinCookies(byPin), cookieHeader(byMail.cookies), `${pinCookies(byPin)}; ${cookieHeader(byMail.cookies)}`]
  const bodies = { '/auth/login': [goodBody('pin', person), goodBody('directus', person)], '/auth/refresh': [undefined, {}, { refresh_token: byMail.cookies.directus_refresh_token?.value }], '/auth/logout': [undefined, {}, { refresh_token: byMail.cookies.directus_refresh_token?.value }] }
  const before = await footprint(node)
  for (const [path, sent] of Object.entries(bodies)) {
    for (const headers of foreign) {
      for (const body of sent) {
        for (const cookie of cookies) {
          const heard = await ask(node, { method: 'POST', path, ...(body === undefined ? {} : { body }) }, { ...headers, ...(cookie === '' ? {} : { cookie }) })
          if (heard.status !== 403 || heard.header('set-cookie') !== '' || faultOf(heard) !== null) t.fail(`${path} ${JSON.stringify(headers)} ${heard.status} ${heard.text}`)
        }
      }
    }
  }
  t.equal(await footprint(node), before)
  t.ok(await isLive(node, byPin))
  for (const headers of ours) {
    t.equal((await knock(node, 'pin', goodBody('pin', person), headers)).status, 200, `login ${JSON.stringify(headers)}`)
    t.equal((await call(node, '/auth/refresh', { headers: { ...headers, cookie: `refreshToken=${byPin.refreshToken}` } })).status, 200, `refresh ${JSON.stringify(headers)}`)
  }
})

await t.test('case 46: every unsafe call that a cookie authenticates is 403 for a foreign page, and nothing happens', async (t) => {
  const tokens = await enter(node, 'pin', person)
  const unsafe = calls.filter(({ method, takesCookie }) => takesCookie && method !== 'GET')
  t.ok(unsafe.length >= 12)
  const before = await footprint(node)
  for (const one of unsafe) {
    for (const headers of foreign) {
      const heard = await ask(node, one, { ...headers, cookie: `accessToken=${tokens.accessToken}` })
      if (heard.status !== refusedAsForeign.status || !refusedAsForeign.text.test(heard.text) || faultOf(heard) !== null) t.fail(`${one.method} ${one.path} ${JSON.stringify(headers)}: ${heard.status} ${heard.text}`)
    }
  }
  t.equal(await footprint(node), before)
  for (const headers of ours) {
    const heard = await ask(node, { method: 'POST', path: '/users/me/tfa/disable', body: { otp: '123456' } }, { ...headers, cookie: `accessToken=${tokens.accessToken}` })
    t.equal(heard.status, 400, `TFA is not enabled: ${JSON.stringify(headers)}`)
  }
  const withHeader = await ask(node, { method: 'POST', path: '/users/me/tfa/disable', body: { otp: '123456' } }, { authorization: `Bearer ${tokens.accessToken}`, cookie: `accessToken=${tokens.accessToken}`, origin: 'https://evil.example', 'sec-fetch-site': 'cross-site' })
  t.equal(withHeader.status, 400, 'an explicit credential is exempt')
  const inQuery = await ask(node, { method: 'POST', path: `/users/me/tfa/disable?access_token=${tokens.accessToken}`, body: { otp: '123456' } }, { origin: 'https://evil.example', cookie: `accessToken=${tokens.accessToken}` })
  t.equal(inQuery.status, 403, 'a form can write a query')
})

await t.test('case 47: no answer to a foreign origin carries an allow header, and none says *', async (t) => {
  const paths = ['/auth/login', '/auth/refresh', '/auth/logout', '/v1/auth', '/v1/auth/refreshtoken', '/api/v1/auth/login', '/oauth/token', '/.well-known/jwks.json', '/nope', '/health/live', ...calls.map(({ path }) => path)]
  for (const path of new Set(paths)) {
    for (const origin of ['https://evil.example', 'null', '*', `${listed}.evil.example`, own, listed]) {
      for (const method of ['OPTIONS', 'GET', 'POST'] as const) {
        const heard = await ask(node, { method, path }, { origin, ...(method === 'OPTIONS' ? { 'access-control-request-method': 'POST', 'access-control-request-headers': 'authorization' } : {}) })
        const allowed = heard.header('access-control-allow-origin')
        if (allowed !== (origin === listed ? listed : '')) t.fail(`${method} ${path} from ${origin}: ${allowed}`)
        if (origin !== listed && (heard.header('access-control-allow-credentials') || heard.header('access-control-allow-headers')) !== '') t.fail(`${method} ${path} from ${origin} tells what is allowed`)
      }
    }
  }
  t.pass(`${new Set(paths).size} paths`)
})

await t.test('case 48: a login over a live session opens a new one and ends the old one, on all nodes, and only after a success', async (t) => {
  const first = await enter(node, 'pin', person)
  const cookie = pinCookies(first)
  t.equal((await knock(node, 'pin', { ...goodBody('pin', person), pin: '0000000' }, { cookie })).status, 401)
  t.ok(await isLive(node, first), 'a failure ends nothing')
  const second = clients.pin.tokensOf(await knock(other, 'pin', goodBody('pin', person), { cookie }))
  await untilDead(node, first)
  await untilDead(other, first)
  t.equal((await clients.pin.refresh(node, first.refreshToken)).status, 401)
  t.ok(await isLive(node, second))
  // Somebody else's login does not touch what its cookie is not about.
  const dead = await knock(node, 'pin', goodBody('pin', person), { cookie: pinCookies(first) })
  t.equal(dead.status, 200)
  t.ok(await isLive(node, second), 'a dead cookie ends nothing')
})

/** Nothing that a mode can be taken for. */
const noMode: readonly unknown[] = ['session', 'JSON', 'Cookie', 'json ', '', null, 1, true, [], ['json'], {}, 'cookie,json']

await t.test('case 49: a mode that there is not is 400, and a token stands in one place only', async (t) => {
  const { refreshToken } = await enter(node, 'directus', person)
  const before = await footprint(node)
  for (const mode of noMode) {
    for (const [path, body] of [['/auth/login', { ...goodBody('directus', person), mode }], ['/auth/refresh', { refresh_token: refreshToken, mode }], ['/auth/logout', { refresh_token: refreshToken, mode }]] as const) {
      const answer = await call(node, path, { body })
      t.match([answer.status, answer.json], [400, { errors: [{ extensions: { code: 'INVALID_PAYLOAD' } }] }], `${path} ${JSON.stringify(mode)}`)
      t.same(answer.cookies, {})
    }
  }
  t.equal(await footprint(node), before)
  const byCookie = await knock(node, 'directus', { ...goodBody('directus', person), mode: 'cookie' })
  t.notMatch(byCookie.text, 'refresh_token')
  t.notOk(byCookie.text.includes(byCookie.cookies.directus_refresh_token?.value ?? 'none'))
  for (const mode of [{}, { mode: 'json' }]) t.same((await knock(node, 'directus', { ...goodBody('directus', person), ...mode })).cookies, {})
  const refreshed = await call(node, '/auth/refresh', { body: { mode: 'cookie' }, headers: { cookie: cookieHeader(byCookie.cookies) } })
  t.same([refreshed.status, refreshed.text.includes('refresh_token')], [200, false])
})

function clearsNothing(t: Test, answer: Answer, status: number, what: string) {
  t.same([answer.status, answer.cookies], [status, {}], what)
  t.equal(faultOf({ ...answer, header: (name) => answer.headers.get(name) ?? '' }), null, what)
}

await t.test('case 50: two cookies of one name are no token, whatever they say; nothing changes and nothing is cleared', async (t) => {
  const tokens = await renew(node, 'pin', (await enter(node, 'pin', person)).refreshToken)
  const byMail = (await knock(node, 'directus', { ...goodBody('directus', person), mode: 'cookie' })).cookies.directus_refresh_token?.value ?? ''
  const before = await footprint(node)
  for (const second of ['x', tokens.refreshToken, 'a.b.c']) {
    for (const cookie of [`refreshToken=${tokens.refreshToken}; refreshToken=${second}`, `refreshToken=${second}; accessToken=${tokens.accessToken}; refreshToken=${tokens.refreshToken}`]) {
      clearsNothing(t, await call(node, '/auth/refresh', { headers: { cookie } }), 401, cookie.slice(-20))
      // With one access token, a logout ends the session: two refresh cookies must not keep anybody from that.
      clearsNothing(t, await call(node, '/auth/logout', { headers: { cookie: `${cookie}; accessToken=${tokens.accessToken}; accessToken=x` } }), 401, 'logout')
    }
    const twice = `directus_refresh_token=${byMail}; directus_refresh_token=${second}`
    clearsNothing(t, await call(node, '/auth/refresh', { body: { mode: 'cookie' }, headers: { cookie: twice } }), 401, 'directus')
  }
  for (const one of calls.filter(({ takesCookie }) => takesCookie)) {
    const cookie = `accessToken=${tokens.accessToken}; accessToken=${tokens.accessToken}`
    t.equal(notInvalidToken(one, await ask(node, one, { cookie })), null, `${one.method} ${one.path}`)
  }
  t.equal(await footprint(node), before)
  t.ok(await isLive(node, tokens))
  await renew(node, 'pin', tokens.refreshToken)
})

await t.test('case 50: no refusal clears a cookie', async (t) => {
  const tokens = await enter(node, 'pin', person)
  const dead = await enter(node, 'pin', person)
  t.equal((await clients.pin.logout?.(node, dead))?.status, 200)
  const cookie = pinCookies(dead)
  clearsNothing(t, await call(node, '/auth/refresh', { headers: { cookie } }), 401, 'refresh')
  clearsNothing(t, await call(node, '/auth/logout', { headers: { cookie } }), 401, 'logout')
  clearsNothing(t, await knock(node, 'pin', { ...goodBody('pin', person), pin: 'wrong' }, { cookie }), 401, 'login')
  clearsNothing(t, await call(node, '/auth/refresh', { body: { mode: 'cookie' }, headers: { cookie: 'directus_refresh_token=a.b.c' } }), 401, 'directus')
  clearsNothing(t, await call(node, '/auth/logout', { headers: { cookie, origin: 'https://evil.example' } }), 403, 'cross-site')
  clearsNothing(t, await call(node, '/users/me', { method: 'GET', headers: { cookie } }), 403, 'the account')
  t.ok(await isLive(node, tokens))
})

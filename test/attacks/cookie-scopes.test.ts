import t, { type Test } from 'tap'
import { startTestApp, type TestApp } from '../support/app.js'
import { CookieJar } from '../support/cookie-jar.js'
import { isLive, newPerson } from '../support/dialect-clients.js'
import { goodBody } from '../support/login-doors.js'

const publicUrl = { PUBLIC_URL: 'https://id.example.com' }
const before = await startTestApp(t, { environment: publicUrl })
const person = await newPerson(before)
const withDomain = await startTestApp(t, { environment: { ...publicUrl, COOKIE_DOMAIN: 'example.com' }, database: before.database, clock: before.clock })
const withOwnDomain = await startTestApp(t, { environment: { ...publicUrl, COOKIE_DOMAIN: '.id.example.com' }, database: before.database, clock: before.clock })
const below = await startTestApp(t, { environment: { PUBLIC_URL: 'https://id.example.com/auth' }, database: before.database, clock: before.clock })

interface Answer {
  readonly status: number
  readonly lines: readonly string[]
  readonly body: string
}

/** @param publicPath where a gateway serves the node, for the browser */
async function post(node: TestApp, jar: CookieJar, path: string, payload?: object, publicPath = ''): Promise<Answer> {
  const cookie = jar.header(publicPath + path)
  const answer = await node.app.inject({ method: 'POST', url: path, headers: { ...(cookie === '' ? {} : { cookie }) }, ...(payload === undefined ? {} : { payload }) })
  const lines = [answer.headers['set-cookie'] ?? []].flat()
  jar.take(lines)
  return { status: answer.statusCode, lines, body: answer.body }
}

const byPin = goodBody('pin', person)
const byMail = { ...goodBody('directus', person), mode: 'cookie' }
const tokenIn = (jar: CookieJar) => /accessToken=([^;]+)/.exec(jar.header('/'))?.[1] ?? ''

/** A browser that logged in under each configuration in turn, and took what it was given. */
async function browserOf(nodes: readonly TestApp[], body: object): Promise<CookieJar> {
  const jar = new CookieJar()
  // Logged in without sending cookies, as the versions before did not look at them.
  for (const node of nodes) jar.take((await post(node, new CookieJar(), '/auth/login', body)).lines)
  return jar
}

const moves: readonly [what: string, from: TestApp, to: TestApp][] = [
  ['to a domain', before, withDomain],
  ['from a domain', withDomain, before],
  ['to another domain', withDomain, withOwnDomain],
  ['to the host as a domain', before, withOwnDomain],
]

for (const [what, from, to] of moves) {
  await t.test(`cookies of two scopes, after a move ${what}: the next login heals the browser [attack:cookie-of-another-scope]`, async (t) => {
    const broken = await browserOf([from, to], byPin)
    t.equal(broken.count('refreshToken'), 2)
    t.equal((await post(to, broken, '/auth/refresh')).status, 401, 'two different tokens open nothing')
    await healed(t, to, broken, byPin, 'refreshToken')

    const first = await browserOf([from], byPin)
    await healed(t, to, first, byPin, 'refreshToken')

    const mail = await browserOf([from, to], byMail)
    t.equal((await post(to, mail, '/auth/refresh', {})).status, 401)
    await healed(t, to, mail, byMail, 'directus_refresh_token')
  })
}

/** Logs in, and refreshes and logs out with what is left. */
async function healed(t: Test, node: TestApp, jar: CookieJar, body: object, name: string): Promise<void> {
  const login = await post(node, jar, '/auth/login', body)
  t.equal(login.status, 200)
  t.equal(jar.count(name), 1)
  t.ok(jar.count('accessToken') <= 1)
  const live = login.lines.filter((line) => line.startsWith(`${name}=`) && !line.startsWith(`${name}=;`))
  t.equal(live.length, 1, 'one live value')
  t.equal(login.lines.filter((line) => line.startsWith(`${name}=`)).at(-1), live[0], 'and it stands last')
  const payload = name === 'refreshToken' ? undefined : {}
  t.equal((await post(node, jar, '/auth/refresh', payload)).status, 200)
  t.ok((await post(node, jar, '/auth/logout', payload)).status < 300)
  t.equal(jar.count(name), 0)
}

await t.test('a logout with two refresh cookies ends what both stand for, and leaves none [attack:cookie-of-another-scope]', async (t) => {
  const jar = await browserOf([before], byPin)
  const old = tokenIn(jar)
  const lines = (await post(withDomain, new CookieJar(), '/auth/login', byPin)).lines
  jar.take(lines.filter((line) => line.startsWith('refreshToken=')))
  t.equal(jar.count('refreshToken'), 2)
  const fresh = /accessToken=([^;]+)/.exec(lines.join())?.[1] ?? ''
  t.ok((await isLive(before, { accessToken: old })) && (await isLive(before, { accessToken: fresh })))
  t.equal((await post(withDomain, jar, '/auth/logout')).status, 200)
  t.notOk((await isLive(before, { accessToken: old })) || (await isLive(before, { accessToken: fresh })))
  t.strictSame([jar.count('refreshToken'), jar.count('accessToken')], [0, 0])

  const mail = await browserOf([before, withDomain], byMail)
  t.equal((await post(withDomain, mail, '/auth/logout', {})).status, 204)
  t.equal(mail.count('directus_refresh_token'), 0)
})

await t.test('a stranger’s refresh cookie beside the user’s own ends nothing of the stranger [attack:cookie-of-another-scope]', async (t) => {
  const stranger = await browserOf([before], goodBody('pin', await newPerson(before)))
  const jar = await browserOf([before], byPin)
  const tossed = `${jar.header('/auth')}; ${stranger.header('/auth').split('; ').find((pair) => pair.startsWith('refreshToken=')) ?? ''}`
  const answer = await before.app.inject({ method: 'POST', url: '/auth/logout', headers: { cookie: tossed } })
  t.equal(answer.statusCode, 200)
  t.ok(await isLive(before, { accessToken: tokenIn(stranger) }))
  t.notOk(await isLive(before, { accessToken: tokenIn(jar) }))
})

await t.test('a path that lies below an earlier one: the next login heals the browser [attack:cookie-of-another-scope]', async (t) => {
  const jar = await browserOf([before, below], byPin)
  t.equal(jar.header('/auth/auth/refresh').split('refreshToken=').length - 1, 2)
  t.equal((await post(below, jar, '/auth/login', byPin, '/auth')).status, 200)
  t.equal(jar.count('refreshToken'), 1)
  t.equal((await post(below, jar, '/auth/refresh', undefined, '/auth')).status, 200)
})

await t.test('who has no cookie, or refreshes with one, is told of each name once', async (t) => {
  for (const node of [before, withDomain, withOwnDomain, below]) {
    const jar = new CookieJar()
    for (const path of ['/auth/login', '/auth/refresh']) {
      const { lines, status } = await post(node, jar, path, path === '/auth/login' ? byPin : undefined, new URL(node.config.publicUrl.href).pathname.replace(/\/$/, ''))
      t.equal(status, 200)
      t.strictSame(lines.map((line) => line.split('=', 1)[0]).sort(), ['accessToken', 'refreshToken'], path)
    }
  }
})

await t.test('at an address there is one scope, and nothing to heal', async (t) => {
  const node = await startTestApp(t, { database: before.database, clock: before.clock })
  const jar = await browserOf([node], byPin)
  t.equal((await post(node, jar, '/auth/login', byPin)).lines.length, 2)
})

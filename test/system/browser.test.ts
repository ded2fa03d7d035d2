// The cross-site rule as a browser meets it: what it sends by itself, for a page of ours, of a neighbour, of a stranger.
import t, { type Test } from 'tap'
import type { BrowserContext, Page } from 'playwright-core'
import { startTestApp, type TestApp } from '../support/app.js'
import { startBrowser, startSites, withoutBrowser, type Sites } from '../support/browser.js'
import { freePort } from '../support/free-port.js'

t.setTimeout(120_000)

/** The same site is the same registrable name: here, the last two labels. */
interface Origins {
  readonly own: string
  readonly neighbour: string
  readonly stranger: string
  readonly listedNeighbour: string
}

interface World extends Origins, Sites {
  readonly node: TestApp
  /** A browser in which `jane` is logged in by PIN, and by password in cookie mode. */
  loggedIn(t: Test): Promise<BrowserContext>
}

async function setUp(t: Test): Promise<World> {
  const port = await freePort()
  const originOf = (name: string): string => `http://${name}.localhost:${port}`
  const origins: Origins = { own: originOf('id.tessera'), neighbour: originOf('blog.tessera'), stranger: originOf('evil'), listedNeighbour: originOf('app.tessera') }
  const node = await startTestApp(t, { environment: { PUBLIC_URL: origins.own, CORS_ORIGINS: origins.listedNeighbour } })
  const sites = await startSites(t, { port, ownHost: 'id.tessera.localhost', service: node.url })
  const browser = await startBrowser(t)
  await node.createUser({ username: 'jane', email: 'jane@example.com', password: 'correct horse battery', pin: '482915' })
  return {
    ...origins,
    ...sites,
    node,
    async loggedIn(t) {
      const context = await browser.newContext()
      t.teardown(() => context.close())
      const { own } = origins
      const page = await pageOn(context, own)
      t.equal((await call(page, `${own}/auth/login`, { name: 'jane', pin: '482915' })).status, 200)
      t.equal((await call(page, `${own}/auth/login`, { email: 'jane@example.com', password: 'correct horse battery', mode: 'cookie' })).status, 200)
      await page.close()
      return context
    },
  }
}

async function pageOn(context: BrowserContext, origin: string): Promise<Page> {
  const page = await context.newPage()
  await page.goto(`${origin}/blank`)
  return page
}

/** What a script of the page gets to know; status 0: the browser kept the answer from it. */
const call = (page: Page, url: string, body?: unknown, method = 'POST'): Promise<{ status: number; text: string }> =>
  page.evaluate(
    async ({ url, body, method }) => {
      const json = body === undefined ? {} : { headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) }
      try {
        const response = await fetch(url, { method, credentials: 'include', ...json })
        return { status: response.status, text: await response.text() }
      } catch {
        return { status: 0, text: '' }
      }
    },
    { url, body, method },
  )

/** A form of the page, sent by a click: a navigation of the whole window. @returns the status of what came of it */
async function submitForm(page: Page, action: string, field = '', enctype = 'application/x-www-form-urlencoded'): Promise<number> {
  await page.setContent(`<form method="post" action="${action}" enctype="${enctype}">${field}<button>win a prize</button></form>`)
  const answer = page.waitForResponse((response) => response.url() === action)
  await page.click('button')
  const status = (await answer).status()
  await page.waitForURL(action) // loaded: a page that is closed before may never be
  return status
}

/** As a page sends what it may send without being asked: no preflight, and the answer is not for it. */
async function sendBlindly(page: Page, url: string, body?: string): Promise<number> {
  const answer = page.waitForResponse((response) => response.url() === url)
  await page.evaluate(({ url, body }) => fetch(url, { method: 'POST', mode: 'no-cors', credentials: 'include', ...(body === undefined ? {} : { body }) }), { url, body })
  return (await answer).status()
}

/** Both sessions of `jane` in this browser are as they were. */
async function isUnchanged(t: Test, context: BrowserContext, { own }: Origins): Promise<void> {
  const page = await pageOn(context, own)
  const me = await call(page, `${own}/users/me`, undefined, 'GET')
  t.match([me.status, JSON.parse(me.text)], [200, { data: { username: 'jane' } }], 'the PIN session lives')
  t.equal((await context.cookies()).length, 3, 'no cookie was added or taken')
  await page.close()
}

async function countSessions({ database }: TestApp): Promise<unknown> {
  const client = await database.client()
  const { rows } = await client.query('SELECT count(*)::int AS count FROM sessions WHERE revoked_at IS NULL')
  return rows[0]
}

await t.test('case 46: the cross-site rule, in Chromium', { skip: withoutBrowser }, async (t) => {
  const world = await setUp(t)
  const { own, neighbour, stranger, listedNeighbour } = world

  await t.test('a page of ours logs in, refreshes and logs out, and its scripts see no token', async (t) => {
    const context = await world.loggedIn(t)
    const page = await pageOn(context, own)
    t.equal(await page.evaluate('document.cookie'), '')
    const cookies = await context.cookies()
    t.strictSame(cookies.map(({ name, httpOnly, sameSite, path }) => [name, httpOnly, sameSite, path]).sort(), [
      ['accessToken', true, 'Lax', '/'],
      ['directus_refresh_token', true, 'Lax', '/'],
      ['refreshToken', true, 'Strict', '/auth'],
    ])
    t.equal((await call(page, `${own}/auth/refresh`)).status, 200)
    t.equal((await call(page, `${own}/users/me`, undefined, 'GET')).status, 200)
    t.equal((await call(page, `${own}/auth/logout`)).status, 200)
    t.strictSame((await context.cookies()).map(({ name }) => name), ['directus_refresh_token'])
    t.equal((await call(page, `${own}/users/me`, undefined, 'GET')).status, 401)
    t.equal((await call(page, `${own}/auth/logout`, { mode: 'cookie' })).status, 204)
    t.strictSame(await context.cookies(), [])
  })

  for (const [who, origin] of [['a neighbour, to whom the browser gives our cookies', neighbour], ['a stranger', stranger]] as const) {
    await t.test(`${who}: forms, blind calls and scripts change nothing`, async (t) => {
      const context = await world.loggedIn(t)
      const before = await countSessions(world.node)
      for (const path of ['/auth/logout', '/auth/refresh']) {
        const page = await pageOn(context, origin)
        t.equal(await submitForm(page, own + path), 403, `a form, ${path}`)
        await page.close()
      }
      const page = await pageOn(context, origin)
      for (const path of ['/auth/logout', '/auth/refresh']) t.equal(await sendBlindly(page, own + path), 403, `blindly, ${path}`)
      t.equal(await sendBlindly(page, `${own}/auth/login`, JSON.stringify({ name: 'jane', pin: '482915' })), 403, 'being logged in by somebody else')
      t.equal((await call(page, `${own}/users/me/password`, { current: 'x', new: 'y' })).status, 0, 'no preflight lets it')
      t.equal((await call(page, `${own}/users/me/sessions`, undefined, 'DELETE')).status, 0)
      t.equal((await call(page, `${own}/users/me`, undefined, 'GET')).status, 0, 'what it could read, it does not get')
      await page.close()
      await isUnchanged(t, context, world)
      t.strictSame(await countSessions(world.node), before)
    })
  }

  await t.test('a form below a neighbour cannot act elsewhere with the cookie either', async (t) => {
    const context = await world.loggedIn(t)
    const page = await pageOn(context, neighbour)
    const jsonInDisguise = `<input name='{"current":"correct horse battery","new":"' value='a new password"}'>`
    t.equal(await submitForm(page, `${own}/users/me/password`, jsonInDisguise, 'text/plain'), 403)
    await isUnchanged(t, context, world)
  })

  await t.test('a frame without an origin is foreign', async (t) => {
    const context = await world.loggedIn(t)
    const page = await pageOn(context, neighbour)
    const exchange = world.nextExchange()
    const script = `fetch('${own}/auth/logout', { method: 'POST', mode: 'no-cors', credentials: 'include' })`
    await page.setContent(`<iframe sandbox="allow-scripts" srcdoc="<script>${script}</script>"></iframe>`)
    t.strictSame(await exchange, { path: '/auth/logout', origin: 'null', status: 403 })
    await isUnchanged(t, context, world)
  })

  await t.test('a page of CORS_ORIGINS may do what ours may, and read the answers', async (t) => {
    const context = await world.loggedIn(t)
    const page = await pageOn(context, listedNeighbour)
    t.match(await call(page, `${own}/users/me`, undefined, 'GET'), { status: 200, text: /"jane"/ })
    t.equal((await call(page, `${own}/auth/refresh`)).status, 200)
    t.equal((await call(page, `${own}/auth/login`, { name: 'jane', pin: '000000' })).status, 401, 'errors can be read too')
    t.equal((await call(page, `${own}/users/me/sessions`, undefined, 'DELETE')).status, 204)
    t.equal((await call(page, `${own}/auth/logout`)).status, 200)
  })

  await t.test('case 14: what follows a URL with a token in it is not told of it', async (t) => {
    const context = await world.loggedIn(t)
    const page = await pageOn(context, own)
    const { text } = await call(page, `${own}/auth/refresh`)
    const { accessToken } = JSON.parse(text) as { accessToken: string }
    await page.goto(`${own}/users/me?access_token=${accessToken}`)
    t.match(await page.content(), /jane/)
    const next = page.waitForRequest((request) => request.url() === `${stranger}/blank`)
    await page.evaluate(`location.href = '${stranger}/blank'`)
    t.equal((await (await next).allHeaders()).referer, undefined)
  })
})

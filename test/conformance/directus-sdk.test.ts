import {
  authentication,
  createDirectus,
  login,
  logout,
  readMe,
  refresh,
  rest,
  type AuthenticationData,
  type AuthenticationMode,
  type AuthenticationStorage,
} from '@directus/sdk'
import t, { type Test } from 'tap'
import { startTestApp } from '../support/app.js'
import { claimsOf, enableTotp, fetchWithCookies } from '../support/auth-client.js'

/** The official client of source 002, unchanged; only that its `fetch` keeps cookies, as a browser's does. */

const node = await startTestApp(t)
const good = { email: 'admin@example.com', password: 'Z1Tu5' }
const user = await node.createUser({ ...good, username: 'boss', demo: true })

function memoryStorage(): AuthenticationStorage {
  let kept: AuthenticationData | null = null
  return {
    get: () => kept,
    set: (data) => {
      kept = data
    },
  }
}

function client(t: Test, mode: AuthenticationMode, storage = memoryStorage()) {
  const directus = createDirectus(node.url, { globals: { fetch: fetchWithCookies() } })
    .with(authentication(mode, { credentials: 'include', storage }))
    .with(rest({ credentials: 'include' }))
  t.teardown(() => { directus.stopRefreshing() })
  return directus
}

const me = { id: user.id, email: good.email, username: 'boss' }

for (const mode of ['json', 'cookie'] as const) {
  await t.test(`in mode ${mode}: login, readMe, refresh, logout`, async (t) => {
    const directus = client(t, mode)
    const tokens = await directus.login(good.email, good.password)
    t.match(tokens, { access_token: /^eyJ/, expires: Number })
    t.equal(typeof tokens.refresh_token, mode === 'json' ? 'string' : 'undefined')
    t.match(await directus.request(readMe()), me)

    const refreshed = await directus.refresh()
    t.not(refreshed.access_token, tokens.access_token)
    t.equal(await directus.getToken(), refreshed.access_token)
    t.match(await directus.request(readMe()), me)
    await directus.refresh()
    await directus.refresh()
    t.match(await directus.request(readMe()), me, 'each refresh takes up the successor of the one before')

    const last = (await directus.getToken()) ?? ''
    await directus.logout()
    t.equal(await directus.getToken(), null)
    const answer = await fetch(`${node.url}/users/me`, { headers: { authorization: `Bearer ${last}` } })
    t.equal(answer.status, 403, 'the access token died with the session')
    await t.rejects(directus.refresh(), 'nothing is left to refresh with')
  })

  await t.test(`in mode ${mode}: it refreshes by itself when the token is about to expire`, async (t) => {
    const storage = memoryStorage()
    const directus = client(t, mode, storage)
    const tokens = await directus.login(good.email, good.password)
    // It refreshes 30 seconds before the end, by what its storage says.
    await storage.set({ ...(await storage.get()), ...tokens, expires_at: Date.now() + 20_000 })
    const next = await directus.getToken()
    t.not(next, tokens.access_token)
    t.equal(claimsOf(next ?? '').sid, claimsOf(tokens.access_token ?? '').sid)
  })

  await t.test(`in mode ${mode}: a refusal reaches the caller as Directus says it`, async (t) => {
    const directus = client(t, mode)
    await t.rejects(directus.login(good.email, 'wrong'), { errors: [{ message: 'Invalid user credentials.', extensions: { code: 'INVALID_CREDENTIALS' } }] })
    await t.rejects(directus.refresh(), { errors: [{ extensions: { code: 'INVALID_PAYLOAD', reason: 'The refresh token is required in either the payload or cookie' } }] })
  })
}

await t.test('a second factor is asked for, and given as otp', async (t) => {
  const guarded = await node.createUser({ email: 'guarded@example.com', password: good.password, demo: true })
  const code = await enableTotp(node, guarded.id)
  const directus = client(t, 'json')
  await t.rejects(directus.login('guarded@example.com', good.password), { errors: [{ extensions: { code: 'INVALID_OTP' } }] })
  await directus.login('guarded@example.com', good.password, { otp: code() })
  t.match(await directus.request(readMe()), { id: guarded.id })
})

await t.test('its plain requests work too, without its own bookkeeping', async (t) => {
  const directus = createDirectus(node.url, { globals: { fetch: fetchWithCookies() } }).with(rest())
  const tokens = await directus.request(login(good.email, good.password, { mode: 'json' }))
  const next = await directus.request(refresh('json', tokens.refresh_token ?? ''))
  t.equal(typeof next.refresh_token, 'string')
  await directus.request(logout(next.refresh_token ?? '', 'json'))
  await t.rejects(directus.request(refresh('json', next.refresh_token ?? '')), { errors: [{ extensions: { code: 'INVALID_CREDENTIALS' } }] })
  await directus.request(login(good.email, good.password, { mode: 'cookie' }))
  t.match(await directus.request(refresh('cookie')), { access_token: /^eyJ/ })
  await directus.request(logout(undefined, 'cookie'))
  await t.rejects(directus.request(refresh('cookie')))
})

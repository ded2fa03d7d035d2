import t, { type Test } from 'tap'
import { belowPublicPath, type TokenCookie } from '../../plugins/cookie-transport.js'
import type { Environment } from '../../src/config/index.js'
import { buildHttpApp } from '../support/http.js'

const jwt = 'eyJraWQiOiJh.eyJzaWQiOiJi_-.c2ln-_'
const access: TokenCookie = { name: 'accessToken', path: '/', sameSite: 'lax' }

/** The `Set-Cookie` lines of one call that sets one cookie and one that clears two. */
async function cookiesWith(t: Test, environment: Environment): Promise<{ set: string[]; cleared: string[] }> {
  const { app } = await buildHttpApp(t, {
    environment,
    routes(app, config) {
      const refresh: TokenCookie = { name: 'refreshToken', path: belowPublicPath(config.publicUrl, '/auth'), sameSite: 'strict' }
      app.post('/set', (_request, reply) => reply.setTokenCookie(access, jwt, 60.9).setTokenCookie(refresh, jwt, 2_592_000).send({}))
      app.post('/clear', (_request, reply) => reply.clearTokenCookie(access).clearTokenCookie(refresh).send({}))
    },
  })
  const lines = async (url: string) => [(await app.inject({ method: 'POST', url })).headers['set-cookie'] ?? []].flat()
  return { set: await lines('/set'), cleared: await lines('/clear') }
}

/** Name and value first, then attributes in any order. */
function attributesOf(line: string | undefined): string[] {
  const [pair = '', ...attributes] = (line ?? '').split('; ')
  return [pair, ...attributes.filter((attribute) => !attribute.startsWith('Expires=')).sort()]
}

await t.test('case 45: over http: HttpOnly, no Secure, the value as it is', async (t) => {
  const { set } = await cookiesWith(t, {})
  t.equal(set.length, 2)
  t.strictSame(attributesOf(set[0]), [`accessToken=${jwt}`, 'HttpOnly', 'Max-Age=60', 'Path=/', 'SameSite=Lax'])
  t.strictSame(attributesOf(set[1]), [`refreshToken=${jwt}`, 'HttpOnly', 'Max-Age=2592000', 'Path=/auth', 'SameSite=Strict'])
})

await t.test('case 45: over https, below a path: Secure, and the path below that of PUBLIC_URL', async (t) => {
  const { set } = await cookiesWith(t, { PUBLIC_URL: 'https://id.example/identity/' })
  t.strictSame(attributesOf(set[0]), [`accessToken=${jwt}`, 'HttpOnly', 'Max-Age=60', 'Path=/', 'SameSite=Lax', 'Secure'])
  t.strictSame(attributesOf(set[1]), [`refreshToken=${jwt}`, 'HttpOnly', 'Max-Age=2592000', 'Path=/identity/auth', 'SameSite=Strict', 'Secure'])
})

await t.test('COOKIE_DOMAIN and COOKIE_SAMESITE hold for every cookie', async (t) => {
  const { set } = await cookiesWith(t, { PUBLIC_URL: 'https://id.example', COOKIE_DOMAIN: 'example', COOKIE_SAMESITE: 'none' })
  for (const line of set) {
    t.match(attributesOf(line), ['', 'Domain=example', 'HttpOnly', '', '', 'SameSite=None', 'Secure'].map((attribute) => new RegExp(attribute)))
  }
})

await t.test('case 45: a deletion has the same name, path and domain, no value and no time left', async (t) => {
  const { cleared } = await cookiesWith(t, { PUBLIC_URL: 'https://id.example/identity', COOKIE_DOMAIN: 'example' })
  t.strictSame(attributesOf(cleared[0]), ['accessToken=', 'Domain=example', 'HttpOnly', 'Max-Age=0', 'Path=/', 'SameSite=Lax', 'Secure'])
  t.strictSame(attributesOf(cleared[1]), ['refreshToken=', 'Domain=example', 'HttpOnly', 'Max-Age=0', 'Path=/identity/auth', 'SameSite=Strict', 'Secure'])
})

await t.test('a cookie that is set twice stands once, with the last value', async (t) => {
  const { app } = await buildHttpApp(t, {
    routes(app) {
      app.post('/twice', (_request, reply) => reply.setTokenCookie(access, 'first', 60).setTokenCookie(access, 'last', 60).send({}))
      app.post('/cleared', (_request, reply) => reply.setTokenCookie(access, 'first', 60).clearTokenCookie(access).send({}))
    },
  })
  const twice = (await app.inject({ method: 'POST', url: '/twice' })).headers['set-cookie']
  t.match(twice, /^accessToken=last;/)
  t.match((await app.inject({ method: 'POST', url: '/cleared' })).headers['set-cookie'], /^accessToken=;/)
})

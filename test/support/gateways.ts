import { createServer, request } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Test } from 'tap'
import { createApiKey } from '../../src/domain/api-keys.js'
import { startTestApp, type TestApp } from './app.js'
import { logIn } from './log-in.js'

/** A gateway that asks /verify about what is below /orders/, and passes it on to a service behind it. */
export interface Gateway {
  readonly url: string
  readonly accessLog: () => Promise<string>
}

/** @param addresses of tessera and of the service behind the gateway, `host:port` */
export type StartGateway = (t: Test, addresses: { readonly tessera: string; readonly orders: string }) => Promise<Gateway>

/** What the service behind the gateway was sent. */
interface Echo {
  readonly headers: Readonly<Record<string, string>>
}

/** A service that repeats what it was sent. */
async function startEcho(t: Test): Promise<string> {
  const server = createServer((request, response) => {
    response.setHeader('content-type', 'application/json')
    response.end(JSON.stringify({ headers: request.headers }))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  t.teardown(() => server.close())
  return `127.0.0.1:${(server.address() as AddressInfo).port}`
}

export interface BehindGateway {
  readonly node: TestApp
  readonly gateway: Gateway
  readonly userId: string
  readonly accessToken: string
  readonly bearer: { readonly authorization: string }
  readonly ask: (pathAndQuery: string, headers?: Readonly<Record<string, string>>, method?: string) => Promise<{ status: number; headers: Headers; text: string }>
}

/** A node, its gateway, a service behind it, and somebody who is logged in. */
export async function setUpGateway(t: Test, start: StartGateway): Promise<BehindGateway> {
  const node = await startTestApp(t, { environment: { TRUST_PROXY: '127.0.0.1' } })
  const gateway = await start(t, { tessera: new URL(node.url).host, orders: await startEcho(t) })
  const { id: userId } = await node.createUser({ username: 'jane', email: 'jane@example.com', password: 'correct horse' })
  const { accessToken } = await logIn(node, 'jane', 'correct horse')
  return {
    node, gateway, userId, accessToken,
    bearer: { authorization: `Bearer ${accessToken}` },
    async ask(pathAndQuery, headers = {}, method = 'GET') {
      const response = await fetch(gateway.url + pathAndQuery, { method, headers })
      return { status: response.status, headers: response.headers, text: await response.text() }
    },
  }
}

/** Every credential gives one and the same identity, and what a client calls itself is replaced. */
export async function everyCredentialIsOneIdentity(t: Test, start: StartGateway): Promise<void> {
  const { node, userId, accessToken, bearer, ask } = await setUpGateway(t, start)
  const { secret: apiKey } = await createApiKey(node.core.service, userId, { name: 'k', scopes: null, expiresAt: null }, { origin: null })
  const forged = { 'x-auth-user': 'forged', 'x-auth-email': 'forged', 'x-auth-scopes': 'admin', 'x-user-id': 'forged', 'x-auth-session': 'forged', 'x-auth-token': 'forged', 'remote-user': 'forged', 'x-remote-user': 'forged', 'x-forwarded-user': 'forged', 'x-forwarded-email': 'forged', 'x-forwarded-groups': 'forged', 'x-forwarded-preferred-username': 'forged', 'x-original-url': 'forged', 'x-user': 'forged', 'x-webauth-user': 'forged', 'x-auth-request-user': 'forged', 'remote-groups': 'forged' }
  // To a service that reads its headers as CGI names them, these are the same.
  const forgedForCgi = { 'X_Auth_User': 'forged', 'x-auth_user': 'forged', 'x_auth-scopes': 'forged', 'X_USER_ID': 'forged', 'x_user-id': 'forged', 'Remote_User': 'forged', 'x-forwarded_user': 'forged' }
  const ways: [method: string, path: string, credential: Record<string, string>][] = [
    ['bearer', '/orders/1', bearer],
    ['api_key', '/orders/1', { 'x-api-key': apiKey }],
    ['cookie', '/orders/1', { cookie: `accessToken=${accessToken}` }],
    ['query', `/orders/1?access_token=${accessToken}`, {}],
  ]
  for (const [method, path, credential] of ways) {
    const { status, text } = await ask(path, { ...forged, ...forgedForCgi, ...credential })
    t.equal(status, 200, method)
    const { headers } = JSON.parse(text) as Echo
    t.match(headers, { 'x-auth-user': userId, 'x-auth-username': 'jane', 'x-auth-email': 'jane@example.com', 'x-auth-scopes': 'profile', 'x-auth-method': method })
    t.notOk(Object.values(headers).some((value) => value === 'forged' || value === 'admin'), `${method}: nothing forged arrives`)
    t.notOk(JSON.stringify({ ...headers, 'x-forwarded-uri': '' }).includes(method === 'api_key' ? apiKey : accessToken), `${method}: nor does the credential`)
  }
}

/** What a client calls by a trick reaches the service as it should, and no cookie of ours does. */
export async function servicesGetNoCredential(t: Test, start: StartGateway): Promise<void> {
  const { accessToken, userId, ask, gateway } = await setUpGateway(t, start)
  const cookie = `theme=dark; refreshToken=a.b.c; accessToken=${accessToken}; directus_refresh_token=d.e.f; lang=de`
  const { headers } = JSON.parse((await ask('/orders/1', { cookie })).text) as Echo
  t.match(headers, { 'x-auth-user': userId, cookie: /theme=dark.*lang=de/ })
  t.notMatch(headers.cookie, /refresh|accessToken|a\.b\.c|d\.e\.f/)
  const twice = JSON.parse((await ask('/orders/1', { cookie: `refreshToken=a.b.c; ${cookie}` })).text) as Echo
  t.notMatch(twice.headers.cookie ?? '', /a\.b\.c/, 'nor one that stands there twice')
  // A fetch sends no Connection of its own.
  const named = await new Promise<string>((resolve, reject) => {
    const headers = { authorization: `Bearer ${accessToken}`, connection: 'close, X-Auth-User, X-Auth-Scopes' }
    request(`${gateway.url}/orders/1`, { headers }, (response) => response.setEncoding('utf8').once('data', resolve)).once('error', reject).end()
  })
  t.match((JSON.parse(named) as Echo).headers, { 'x-auth-user': userId, 'x-auth-scopes': 'profile' }, 'a header that the client names in Connection arrives')
}

/** Refusals keep their meaning, and none is a 5xx. @param twoCredentials how the gateway passes on our 400 */
export async function refusalsKeepTheirMeaning(t: Test, start: StartGateway, { twoCredentials }: { twoCredentials: 400 | 403 }): Promise<void> {
  const { accessToken, ask, bearer } = await setUpGateway(t, start)
  const nobody = await ask('/orders/1')
  t.equal(nobody.status, 401)
  t.equal(nobody.headers.get('www-authenticate'), 'Bearer')
  t.equal((await ask('/orders/1', { authorization: 'Bearer nonsense' })).status, 401)
  t.equal((await ask('/orders/admin/1', bearer)).status, 403, 'a scope that is not held')
  t.equal((await ask(`/orders/1?access_token=${accessToken}`, bearer)).status, twoCredentials, 'two credentials')
  t.equal((await ask('/orders/a%2fb', bearer)).status, 403, 'not canonical')
  t.equal((await ask('/orders/1', { cookie: `accessToken=${accessToken}`, origin: 'https://evil.example' }, 'POST')).status, 403, 'a foreign page')
  t.equal((await ask('/orders/1', { ...bearer, 'x-forwarded-uri': '/else', 'x-original-uri': '/else', 'x-original-method': 'GET' })).status, 200, 'what a client says of its request is dropped')
  t.equal((await ask('/orders/1', { cookie: `accessToken=${accessToken}`, origin: 'https://evil.example', 'x-original-method': 'GET', 'x-forwarded-method': 'GET' }, 'POST')).status, 403, 'nor does it believe a method')
  for (const path of ['/orders/Admin/1', '/orders/ADMIN/', '/orders/admin/1']) t.equal((await ask(path, bearer)).status, 403, `${path} takes a scope that is not held`)
  for (const path of ['/orders/x/..;/admin/', '/orders/x/..%3b/admin/', '/orders;x/admin']) t.ok((await ask(path, bearer)).status >= 400, path)
  t.equal((await ask('/orders/1', { cookie: `accessToken=${accessToken}`, origin: 'https://evil.example', 'sec-websocket-key': 'dGhlIHNhbXBsZSBub25jZQ==' })).status, 403, 'a WebSocket of a foreign page')
  const preflight = await ask('/orders/1', { origin: 'https://app.example', 'access-control-request-method': 'PUT', 'x-auth-user': 'forged' }, 'OPTIONS')
  t.equal(preflight.status, 200, 'a CORS preflight reaches the service')
  t.notMatch(preflight.text, /forged|"x-auth-user":"[^"]/, 'without an identity')
  t.equal((await ask('/orders/1', {}, 'OPTIONS')).status, 401, 'an OPTIONS that is none')
  for (const path of ['/admin/users', '/metrics', '/health/ready', '/revocations', '/oauth/introspect']) t.equal((await ask(path, bearer)).status, 404, `${path} is not for clients`)
}

/** A logout ends the token at once, the query is logged nowhere, and without tessera it is 503. */
export async function logoutsCount(t: Test, start: StartGateway): Promise<void> {
  const { node, gateway, accessToken, ask, bearer } = await setUpGateway(t, start)
  t.equal((await ask(`/orders/1?access_token=${accessToken}`)).status, 200)
  t.equal((await ask('/api/v1/auth/logout', bearer, 'POST')).status, 200)
  t.equal((await ask('/orders/1', bearer)).status, 401)
  await node.close()
  const unavailable = await ask('/orders/1', bearer)
  t.equal(unavailable.status, 503)
  t.equal(unavailable.headers.get('retry-after'), '1')
  t.notMatch(await gateway.accessLog(), accessToken)
}

import { createServer, type Server } from 'node:http'
import t, { type Test } from 'tap'
import { createApiKey } from '../../src/domain/api-keys.js'
import { startTestApp, type TestApp } from '../support/app.js'
import { logIn } from '../support/log-in.js'
import { skipWithoutNginx as skip, startNginx, type Nginx } from '../support/nginx.js'

const portOf = (server: Server): number => {
  const address = server.address()
  return typeof address === 'object' && address !== null ? address.port : 0
}

/** A service that repeats what it was sent. */
async function startEcho(t: Test): Promise<number> {
  const server = createServer((request, response) => {
    response.setHeader('content-type', 'application/json')
    response.end(JSON.stringify({ url: request.url, headers: request.headers }))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  t.teardown(() => server.close())
  return portOf(server)
}

/** The configuration of the documentation, with other ports. */
const startGateway = async (t: Test, node: TestApp): Promise<Nginx> =>
  startNginx(t, 'docs/gateways/nginx.conf', { '127.0.0.1:9154': new URL(node.url).host, '127.0.0.1:3000': `127.0.0.1:${await startEcho(t)}` })

async function setUp(t: Test) {
  const node = await startTestApp(t, { environment: { TRUST_PROXY: '127.0.0.1' } })
  const gateway = await startGateway(t, node)
  const user = await node.createUser({ username: 'jane', email: 'jane@example.com', password: 'correct horse' })
  const { accessToken } = await logIn(node, 'jane', 'correct horse')
  const ask = (pathAndQuery: string, headers: Record<string, string> = {}, method = 'GET') => fetch(gateway.url + pathAndQuery, { method, headers })
  return { node, gateway, user, accessToken, ask, bearer: { authorization: `Bearer ${accessToken}` } }
}

interface Echo {
  headers: Record<string, string>
}

await t.test('case 62: through nginx, every credential is one identity, and what a client calls itself is replaced', { skip }, async (t) => {
  const { node, user, accessToken, ask, bearer } = await setUp(t)
  const { secret: apiKey } = await createApiKey(node.core.service, user.id, { name: 'k', scopes: null, expiresAt: null }, { origin: null })
  const forged = { 'x-auth-user': 'forged', 'x-auth-email': 'forged', 'x-auth-scopes': 'admin', 'x-user-id': 'forged', 'x-auth-session': 'forged' }
  const ways: [string, string, Record<string, string>][] = [
    ['bearer', '/orders/1', bearer],
    ['api_key', '/orders/1', { 'x-api-key': apiKey }],
    ['cookie', '/orders/1', { cookie: `accessToken=${accessToken}` }],
    ['query', `/orders/1?access_token=${accessToken}`, {}],
  ]
  for (const [method, path, credential] of ways) {
    const response = await ask(path, { ...forged, ...credential })
    t.equal(response.status, 200, method)
    const { headers } = (await response.json()) as Echo
    t.match(headers, { 'x-auth-user': user.id, 'x-auth-username': 'jane', 'x-auth-email': 'jane@example.com', 'x-auth-scopes': 'profile', 'x-auth-method': method })
    t.notOk(Object.values(headers).includes('forged'), 'nothing forged arrives')
  }
})

await t.test('through nginx, refusals keep their meaning, and none is a 5xx', { skip }, async (t) => {
  const { accessToken, ask, bearer } = await setUp(t)
  const nobody = await ask('/orders/1')
  t.equal(nobody.status, 401)
  t.equal(nobody.headers.get('www-authenticate'), 'Bearer')
  t.equal((await ask('/orders/1', { authorization: 'Bearer nonsense' })).status, 401)
  t.equal((await ask('/orders/admin/1', bearer)).status, 403, 'a scope that is not held')
  t.equal((await ask(`/orders/1?access_token=${accessToken}`, bearer)).status, 403, 'two credentials')
  t.equal((await ask('/orders/a%2fb', bearer)).status, 403, 'not canonical')
  t.equal((await ask('/orders/1', { cookie: `accessToken=${accessToken}`, origin: 'https://evil.example' }, 'POST')).status, 403, 'a foreign page')
  t.equal((await ask('/orders/1', { ...bearer, 'x-forwarded-uri': '/else', 'x-original-method': 'GET' })).status, 200, 'what a client says of its request is dropped')
  t.equal((await ask('/_verify', bearer)).status, 404, 'the question is nobody else’s to ask')
})

await t.test('through nginx, a logout ends the token at once, the query is logged nowhere, and without tessera it is 503', { skip }, async (t) => {
  const { node, gateway, accessToken, ask, bearer } = await setUp(t)
  t.equal((await ask(`/orders/1?access_token=${accessToken}`)).status, 200)
  t.notMatch(await gateway.accessLog(), accessToken)
  t.equal((await ask('/api/v1/auth/logout', bearer, 'POST')).status, 200)
  t.equal((await ask('/orders/1', bearer)).status, 401)
  await node.close()
  const unavailable = await ask('/orders/1', bearer)
  t.equal(unavailable.status, 503)
  t.equal(unavailable.headers.get('retry-after'), '1')
})

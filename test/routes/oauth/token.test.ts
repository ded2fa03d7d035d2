import t, { type Test } from 'tap'
import { createClient } from '../../../src/domain/clients.js'
import { startTestApp, type TestApp } from '../../support/app.js'

const operator = { kind: 'operator', id: 'test' } as const

async function withClient(t: Test, scopes: readonly string[]) {
  const node = await startTestApp(t)
  const { client, secret } = await createClient(node.core.service, { name: 'reports', scopes, accessSeconds: null, jwks: null }, operator, 3600)
  return { node, id: client.id, secret: secret ?? '' }
}

const post = (node: TestApp, path: string, form: Record<string, string>, headers: Record<string, string> = {}) =>
  fetch(`${node.url}${path}`, { method: 'POST', body: new URLSearchParams(form), headers })

const basic = (id: string, secret: string) => ({ authorization: `Basic ${Buffer.from(`${id}:${secret}`).toString('base64')}` })

await t.test('a client gets a token in its own name, by Basic and in the body', async (t) => {
  const { node, id, secret } = await withClient(t, ['introspect', 'orders:read'])
  for (const [form, headers] of [
    [{ grant_type: 'client_credentials' }, basic(id, secret)],
    [{ grant_type: 'client_credentials', client_id: id, client_secret: secret }, {}],
  ] as const) {
    const response = await post(node, '/oauth/token', form, headers)
    t.equal(response.status, 200)
    t.equal(response.headers.get('cache-control'), 'no-store')
    t.match(await response.json(), { access_token: /^eyJraWQi/, token_type: 'Bearer', expires_in: 3600, scope: 'introspect orders:read' })
  }
})

await t.test('a wrong secret, an unknown client and none at all are invalid_client', async (t) => {
  const { node, id } = await withClient(t, [])
  for (const headers of [basic(id, 'wrong'), basic('nobody', 'x'), {}]) {
    const response = await post(node, '/oauth/token', { grant_type: 'client_credentials' }, headers)
    t.equal(response.status, 401)
    t.match(response.headers.get('www-authenticate'), /^Basic /)
    t.match(await response.json(), { error: 'invalid_client' })
  }
})

await t.test('a scope that the client lacks is invalid_scope, and password is no grant', async (t) => {
  const { node, id, secret } = await withClient(t, ['introspect'])
  const scope = await post(node, '/oauth/token', { grant_type: 'client_credentials', scope: 'admin' }, basic(id, secret))
  t.match([scope.status, await scope.json()], [400, { error: 'invalid_scope' }])
  const password = await post(node, '/oauth/token', { grant_type: 'password', username: 'x', password: 'y' }, basic(id, secret))
  t.match([password.status, await password.json()], [400, { error: 'unsupported_grant_type' }])
})

await t.test('a client ends its own token, and then it is inactive everywhere', async (t) => {
  const { node, id, secret } = await withClient(t, ['introspect', 'revocations'])
  const { access_token: token } = (await (await post(node, '/oauth/token', { grant_type: 'client_credentials' }, basic(id, secret))).json()) as { access_token: string }
  const active = await post(node, '/oauth/introspect', { token }, basic(id, secret))
  t.match(await active.json(), { active: true, sub: id, client_id: id, token_type: 'Bearer' })
  const feed = () => fetch(`${node.url}/revocations`, { headers: { authorization: `Bearer ${token}` } })
  t.match(await (await feed()).json(), { cursor: '0', resync: false, revocations: [] })
  t.equal((await post(node, '/oauth/revoke', { token }, basic(id, secret))).status, 200)
  t.same(await (await post(node, '/oauth/introspect', { token }, basic(id, secret))).json(), { active: false })
  t.equal((await feed()).status, 401)
})

await t.test('secrets are not tried without limit: past the rate, the right one gets 429 too', async (t) => {
  const node = await startTestApp(t, { environment: { RATE_LIMIT: 'on', RATE_LIMIT_REFRESH: '3/min' } })
  const { client, secret } = await createClient(node.core.service, { name: 'reports', scopes: [], accessSeconds: null, jwks: null }, operator, 3600)
  const ask = async (given: string) => {
    const response = await post(node, '/oauth/token', { grant_type: 'client_credentials' }, basic(client.id, given))
    return [response.status, await response.json(), response.headers.has('retry-after')]
  }
  for (const wrong of ['a', 'b', 'c']) t.match(await ask(wrong), [401])
  t.match(await ask(secret ?? ''), [429, { error: 'temporarily_unavailable' }, true])
})

import t, { type Test } from 'tap'
import { createApiKey } from '../../../src/domain/api-keys.js'
import { createClient } from '../../../src/domain/clients.js'
import { startTestApp, type TestApp } from '../../support/app.js'
import { logIn } from '../../support/log-in.js'

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

await t.test('the letter of the RFCs: what a careful client sends, and what it may rely on', async (t) => {
  const { node, id, secret } = await withClient(t, ['introspect', 'revoke', 'orders:read'])
  const grant = { grant_type: 'client_credentials' }
  const user = await node.createUser({ username: 'jane', password: 'correct horse' })
  const { refreshToken } = await logIn(node, 'jane', 'correct horse')

  await t.test('a parameter without a value counts as none (RFC 6749 §3.2)', async (t) => {
    for (const empty of ['client_id', 'client_secret', 'client_assertion', 'scope']) {
      const response = await post(node, '/oauth/token', { ...grant, [empty]: '' }, basic(id, secret))
      t.match([response.status, await response.json()], [200, { scope: 'introspect revoke orders:read' }], empty)
    }
    const response = await post(node, '/oauth/introspect', { token: '' }, basic(id, secret))
    t.match([response.status, await response.json()], [400, { error: 'invalid_request' }])
    const twice = await fetch(`${node.url}/oauth/token`, { method: 'POST', body: new URLSearchParams('grant_type=client_credentials&scope=&scope='), headers: basic(id, secret) })
    t.match([twice.status, await twice.json()], [400, { error: 'invalid_request' }])
  })

  await t.test('an answer with a token is kept by no cache, an old one neither (RFC 6749 §5.1)', async (t) => {
    const response = await post(node, '/oauth/token', grant, basic(id, secret))
    await response.json()
    t.same([response.headers.get('cache-control'), response.headers.get('pragma')], ['no-store', 'no-cache'])
  })

  await t.test('a scope that is asked for twice is in the token once', async (t) => {
    const response = await post(node, '/oauth/token', { ...grant, scope: 'orders:read  orders:read' }, basic(id, secret))
    t.match([response.status, await response.json()], [200, { scope: 'orders:read' }])
  })

  await t.test('id and secret are form-encoded in Basic (RFC 6749 §2.3.1)', async (t) => {
    const encoded = [id, secret].map((text) => text.replace(/[^]/g, (letter) => `%${letter.charCodeAt(0).toString(16)}`))
    const response = await post(node, '/oauth/token', grant, basic(encoded[0] ?? '', encoded[1] ?? ''))
    t.match([response.status, await response.json()], [200, { token_type: 'Bearer' }])
  })

  await t.test('Basic that cannot be read is invalid_client everywhere, never no authentication at all', async (t) => {
    for (const authorization of ['Basic', 'Basic !!', 'Basic \u00e4', 'basic a b']) {
      const forms = [['/oauth/token', { grant_type: 'refresh_token', refresh_token: refreshToken }], ['/oauth/introspect', { token: 'x' }], ['/oauth/revoke', { token: 'x' }]] as const
      for (const [path, form] of forms) {
        const response = await post(node, path, form, { authorization })
        t.match([response.status, response.headers.get('www-authenticate'), await response.json()], [401, /^Basic /, { error: 'invalid_client' }], `${authorization} ${path}`)
      }
    }
  })

  await t.test('who lacks a scope is told so by a challenge (RFC 6750 §3)', async (t) => {
    const { accessToken } = await logIn(node, 'jane', 'correct horse')
    const headers = { authorization: `Bearer ${accessToken}` }
    for (const response of [await post(node, '/oauth/introspect', { token: 'x' }, headers), await fetch(`${node.url}/revocations`, { headers }), await fetch(`${node.url}/verify?scope=admin`, { headers })]) {
      await response.json()
      t.same([response.status, response.headers.get('www-authenticate')], [403, 'Bearer error="insufficient_scope"'], response.url)
    }
  })

  await t.test('an API key that was revoked here is over, and nobody without the scope ends it (RFC 7009 §2.2)', async (t) => {
    const { secret: key } = await createApiKey(node.core.service, user.id, { name: 'k', scopes: null, expiresAt: null }, { origin: null })
    const { client: weak, secret: weakSecret } = await createClient(node.core.service, { name: 'weak', scopes: [], accessSeconds: null, jwks: null }, operator, 3600)
    const statusOfKey = async () => {
      const response = await fetch(`${node.url}/users/me`, { headers: { 'x-api-key': key } })
      await response.text()
      return response.status
    }
    const refused = await post(node, '/oauth/revoke', { token: key }, basic(weak.id, weakSecret ?? ''))
    t.match([refused.status, await refused.json(), await statusOfKey()], [400, { error: 'unauthorized_client' }, 200])
    for (const name of ['once', 'and again']) {
      const response = await post(node, '/oauth/revoke', { token: key, token_type_hint: 'anything' }, basic(id, secret))
      t.same([response.status, await response.json(), await statusOfKey()], [200, {}, 401], name)
    }
    const [event] = await node.core.service.repository.audit.list({ before: null, limit: 1 })
    t.match(event, { type: 'api_key_deleted', actor: { kind: 'client', id }, userId: user.id })
  })
})

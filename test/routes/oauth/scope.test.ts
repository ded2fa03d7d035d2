import t from 'tap'
import { createApiKey } from '../../../src/domain/api-keys.js'
import { createClient } from '../../../src/domain/clients.js'
import { startTestApp } from '../../support/app.js'
import { call, claimsOf, type Answer } from '../../support/auth-client.js'
import { enter, everyDialect, newPerson } from '../../support/dialect-clients.js'
import { clientOf, postForm, tokenOf } from '../../support/oauth.js'

const node = await startTestApp(t)
const all = 'profile introspect revoke revocations admin'

interface TokenAnswer {
  readonly access_token: string
  readonly refresh_token: string
  readonly scope: string
}

const refresh = (token: string, scope?: string, headers: Record<string, string> = {}): Promise<Answer> =>
  postForm(node, '/oauth/token', { form: { grant_type: 'refresh_token', refresh_token: token, ...(scope === undefined ? {} : { scope }) }, headers })

const granted = ({ json }: Answer): TokenAnswer => json as TokenAnswer
const refused = { error: 'invalid_scope' }
const newAdmin = () => newPerson(node, { role: 'admin' })

await t.test('scope narrows one refresh, in the answer and in the token; the next one gives everything again [attack:scope-at-refresh]', async (t) => {
  for (const dialect of everyDialect) {
    const { refreshToken } = await enter(node, dialect, await newAdmin())
    const narrow = await refresh(refreshToken, 'revocations profile')
    t.strictSame([narrow.status, granted(narrow).scope, claimsOf(granted(narrow).access_token).scope], [200, 'profile revocations', 'profile revocations'], dialect)
    const whole = await refresh(granted(narrow).refresh_token)
    t.strictSame([granted(whole).scope, claimsOf(granted(whole).access_token).scope], [all, all], dialect)
    const again = await refresh(granted(whole).refresh_token, 'admin')
    t.strictSame([granted(again).scope, claimsOf(granted(again).access_token).scope], ['admin', 'admin'], `${dialect}: what an earlier answer left out was not lost`)
  }
})

await t.test('a scope that was not granted is invalid_scope, and the refresh token stays as it was', async (t) => {
  for (const dialect of everyDialect) {
    const { refreshToken } = await enter(node, dialect, await newPerson(node))
    const { refresh_token: current } = granted(await refresh(refreshToken))
    for (const scope of ['admin', 'profile admin', 'openid', 'orders:read', 'PROFILE', ' ', '  ', 'profile\tadmin', 'profile,admin', '*']) {
      const answer = await refresh(current, scope)
      t.match([answer.status, answer.json], [400, refused], `${dialect} ${JSON.stringify(scope)}`)
    }
    await node.clock.advance(120)
    const after = await refresh(current, 'profile')
    t.strictSame([after.status, granted(after).scope], [200, 'profile'], `${dialect}: long past the grace window it is still the current one`)
  }
})

await t.test('a scope that was not granted does not shield a token that is dead or used again', async (t) => {
  const person = await newPerson(node)
  const { refreshToken } = await enter(node, 'directus', person)
  const { refresh_token: second } = granted(await refresh(refreshToken))
  const { refresh_token: third } = granted(await refresh(second))
  await node.clock.advance(120)
  t.match((await refresh(refreshToken, 'admin')).json, { error: 'invalid_grant' }, 'used again')
  t.match((await refresh(third)).json, { error: 'invalid_grant' }, 'and that ended the session')
  t.match((await refresh(third, 'admin')).json, { error: 'invalid_grant' }, 'dead')
  t.match((await refresh('nonsense', 'admin')).json, { error: 'invalid_grant' }, 'forged')
})

await t.test('a narrowed token does what its scopes allow, and mints no wider key', async (t) => {
  const person = await newAdmin()
  const { refreshToken, accessToken: whole } = await enter(node, 'bearer', person)
  const headersOf = (token: string) => ({ authorization: `Bearer ${token}` })
  const statusOf = async (token: string, path: string, method = 'GET', body?: object) => (await call(node, path, { method, headers: headersOf(token), ...(body ? { body } : {}) })).status
  const first = granted(await refresh(refreshToken, 'profile'))
  const profile = first.access_token
  t.strictSame([await statusOf(profile, '/users/me'), await statusOf(profile, '/admin/users'), await statusOf(profile, '/revocations'), await statusOf(profile, '/verify?role=admin')], [200, 403, 403, 403])
  t.equal((await postForm(node, '/oauth/introspect', { headers: headersOf(profile), form: { token: whole } })).status, 403)
  const mint = (token: string, scopes?: string[]) => statusOf(token, '/api/v1/auth/keys', 'POST', scopes ? { scopes } : {})
  t.strictSame([await mint(profile), await mint(profile, ['profile']), await mint(profile, ['admin']), await mint(profile, ['profile', 'introspect'])], [201, 201, 403, 403])
  t.equal(await mint(profile, ['nonsense']), 400)
  const { key } = await createApiKey(node.core.service, person.id, { name: 'wide', scopes: ['admin'], expiresAt: null }, { origin: null })
  const { keyId = '' } = ((await call(node, '/api/v1/auth/keys', { method: 'GET', headers: headersOf(whole) })).json as { keyId: string; name: string }[]).find(({ name }) => name === key.name) ?? {}
  t.strictSame([await statusOf(profile, `/api/v1/auth/keys/${keyId}/roll`, 'POST', {}), await statusOf(whole, `/api/v1/auth/keys/${keyId}/roll`, 'POST', {})], [403, 201])

  const introspect = granted(await refresh(first.refresh_token, 'introspect')).access_token
  t.equal((await postForm(node, '/oauth/introspect', { headers: headersOf(introspect), form: { token: whole } })).status, 200)
  for (const [method, path, body] of [['GET', '/users/me'], ['GET', '/users/me/sessions'], ['DELETE', '/users/me/sessions'], ['POST', '/users/me/password', { current: person.password, new: 'another horse battery' }], ['POST', '/api/v1/auth/keys', {}], ['GET', '/api/v1/auth/keys']] as const) {
    t.equal(await statusOf(introspect, path, method, body), 403, `${method} ${path}`)
  }
  t.equal(await statusOf(introspect, '/api/v1/auth/logout', 'POST'), 200, 'but it can end its session')
})

await t.test('a client that authenticates gets a token that names it, and ends that token itself', async (t) => {
  const { client, secret } = await createClient(node.core.service, { name: 'app', scopes: ['orders:read'], accessSeconds: null, jwks: null }, { kind: 'operator', id: 'test' }, 3600)
  const { headers = {} } = clientOf(client.id, secret ?? '')
  const { refreshToken } = await enter(node, 'pin', await newPerson(node))
  const { access_token: token, scope, refresh_token: next } = granted(await refresh(refreshToken, undefined, headers))
  t.strictSame([claimsOf(token).client_id, scope], [client.id, 'profile'])
  t.match((await refresh(next, 'orders:read', headers)).json, refused, "a scope of the client is not the user's")
  t.equal((await postForm(node, '/oauth/revoke', { headers, form: { token } })).status, 200)
  t.equal((await call(node, '/users/me', { method: 'GET', headers: { authorization: `Bearer ${token}` } })).status, 403)
  const { access_token: other } = granted(await refresh(next))
  t.equal(claimsOf(other).client_id, 'tessera', 'the public client is named by TOKENSET_CLIENT_ID')
  t.match((await postForm(node, '/oauth/revoke', { headers, form: { token: other } })).json, { error: 'unauthorized_client' })
})

await t.test("a client's own token is narrowed too, and never wider than the client", async (t) => {
  const { client, secret } = await createClient(node.core.service, { name: 'reports', scopes: ['introspect', 'orders:read'], accessSeconds: null, jwks: null }, { kind: 'operator', id: 'test' }, 3600)
  const { headers = {} } = clientOf(client.id, secret ?? '')
  const ask = (scope: string) => tokenOf(node, { headers, form: { scope } })
  const narrow = await ask('orders:read')
  t.strictSame([granted(narrow).scope, claimsOf(narrow.accessToken).scope], ['orders:read', 'orders:read'])
  for (const scope of ['admin', 'introspect admin', 'introspect orders:write', ' ', 'Introspect']) t.match([(await ask(scope)).status, (await ask(scope)).json], [400, refused], JSON.stringify(scope))
  t.equal((await postForm(node, '/oauth/introspect', { headers: { authorization: `Bearer ${narrow.accessToken}` }, form: { token: 'x' } })).status, 403)
})

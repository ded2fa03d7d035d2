import { createRemoteJWKSet, jwtVerify } from 'jose'
import t from 'tap'
import { startTestApp } from '../../support/app.js'
import { call } from '../../support/auth-client.js'
import { logIn } from '../../support/log-in.js'

const operator = { kind: 'operator', id: 'test' } as const
const password = 'correct horse battery staple'
const get = { method: 'GET' }

const shared = await startTestApp(t)

await t.test('case 16: the keys are public members only, and may be kept for half a minute', async (t) => {
  const answer = await call(shared, '/.well-known/jwks.json', get)
  t.equal(answer.status, 200)
  t.equal(answer.headers.get('cache-control'), 'public, max-age=30')
  t.match(answer.headers.get('content-type'), /^application\/jwk-set\+json(;|$)/)
  const { keys } = answer.json as { keys: object[] }
  t.equal(keys.length, 1)
  t.same(Object.keys(keys[0] ?? {}).sort(), ['alg', 'crv', 'kid', 'kty', 'use', 'x', 'y'])
  t.match(keys[0], { alg: 'ES256', crv: 'P-256', kty: 'EC', use: 'sig', kid: shared.app.signingKeys.current().kid })
})

await t.test('case 16: so are those of every other algorithm', async (t) => {
  for (const [alg, members] of [['EdDSA', ['alg', 'crv', 'kid', 'kty', 'use', 'x']], ['RS256', ['alg', 'e', 'kid', 'kty', 'n', 'use']]] as const) {
    const node = await startTestApp(t, { environment: { SIGNING_ALG: alg } })
    const { keys } = (await call(node, '/.well-known/jwks.json', get)).json as { keys: object[] }
    t.same(keys.map((key) => Object.keys(key).sort()), [members])
    const metadata = (await call(node, '/.well-known/openid-configuration', get)).json
    t.match(metadata, { id_token_signing_alg_values_supported: [alg] })
  }
})

await t.test('a new key is published before it signs, and the old one as long as its tokens live', async (t) => {
  const node = await startTestApp(t)
  await node.createUser({ username: 'jane.doe', password })
  const kidOf = (token: string) => (JSON.parse(Buffer.from(token.split('.')[0] ?? '', 'base64url').toString()) as { kid: string }).kid
  const publishedKids = async () => ((await call(node, '/.well-known/jwks.json', get)).json as { keys: { kid: string }[] }).keys.map(({ kid }) => kid)
  const newToken = async () => (await logIn(node, 'jane.doe', password)).accessToken
  const keys = createRemoteJWKSet(new URL(`${node.url}/.well-known/jwks.json`), { cooldownDuration: 0 })
  const verify = (token: string) => jwtVerify(token, keys, { typ: 'at+jwt', currentDate: node.clock.now() })

  const [old] = await publishedKids()
  const before = await newToken()
  const next = await node.app.signingKeys.rotate(operator)
  t.same(await publishedKids(), [old, next])
  t.equal(kidOf(await newToken()), old, 'verifiers may not have heard of the new one yet')
  await node.clock.advance(31)
  const after = await newToken()
  t.equal(kidOf(after), next)
  await verify(before)
  await verify(after)

  const hour = { newestMaySignSeconds: null }
  await node.clock.advance(3600)
  t.same(await node.app.signingKeys.maintain(hour), { created: null, retired: [] }, 'not to the second')
  await node.clock.advance(120)
  t.same(await node.app.signingKeys.maintain(hour), { created: null, retired: [old] })
  t.same(await publishedKids(), [next])
})

await t.test('a key is replaced when its days are over, by one of the nodes', async (t) => {
  const node = await startTestApp(t, { environment: { SIGNING_KEY_ROTATION_DAYS: '30' } })
  const first = node.app.signingKeys.current().kid
  await node.clock.advance(29 * 86_400)
  const restarted = await startTestApp(t, { database: node.database, clock: node.clock, environment: { SIGNING_KEY_ROTATION_DAYS: '30' } })
  t.same(restarted.app.signingKeys.published().map(({ kid }) => kid), [first])
  await node.clock.advance(86_400)
  const limits = { newestMaySignSeconds: 30 * 86_400 }
  const done = await Promise.all([node, restarted].map(({ app }) => app.signingKeys.maintain(limits)))
  t.equal(done.filter(({ created }) => created !== null).length, 1)
  const events = await node.core.service.repository.audit.list({ before: null, limit: 10 })
  t.match(events.filter(({ type }) => type === 'signing_key_rotated'), [{ actor: { kind: 'service', id: 'schedule' } }])
})

await t.test('a service that starts with a key whose days are over replaces it', async (t) => {
  const node = await startTestApp(t)
  await node.clock.advance(8 * 86_400)
  const byHand = await startTestApp(t, { database: node.database, clock: node.clock })
  t.equal(byHand.app.signingKeys.published().length, 1, 'not unless it is told to')
  const weekly = await startTestApp(t, { database: node.database, clock: node.clock, environment: { SIGNING_KEY_ROTATION_DAYS: '7' } })
  t.equal(weekly.app.signingKeys.published().length, 2)
})

await t.test('the metadata names what there is', async (t) => {
  const oauth = await call(shared, '/.well-known/oauth-authorization-server', get)
  const openid = await call(shared, '/.well-known/openid-configuration', get)
  t.same(oauth.json, {
    issuer: 'http://127.0.0.1:9154',
    jwks_uri: 'http://127.0.0.1:9154/.well-known/jwks.json',
    scopes_supported: ['profile', 'introspect', 'revoke', 'revocations', 'admin'],
    grant_types_supported: ['client_credentials', 'refresh_token'],
    token_endpoint: 'http://127.0.0.1:9154/oauth/token',
    token_endpoint_auth_methods_supported: ['client_secret_basic', 'client_secret_post', 'private_key_jwt', 'none'],
    token_endpoint_auth_signing_alg_values_supported: ['ES256', 'Ed25519', 'EdDSA', 'RS256', 'PS256'],
    introspection_endpoint: 'http://127.0.0.1:9154/oauth/introspect',
    introspection_endpoint_auth_methods_supported: ['client_secret_basic', 'client_secret_post', 'private_key_jwt'],
    introspection_endpoint_auth_signing_alg_values_supported: ['ES256', 'Ed25519', 'EdDSA', 'RS256', 'PS256'],
    revocation_endpoint: 'http://127.0.0.1:9154/oauth/revoke',
    revocation_endpoint_auth_methods_supported: ['client_secret_basic', 'client_secret_post', 'private_key_jwt'],
    revocation_endpoint_auth_signing_alg_values_supported: ['ES256', 'Ed25519', 'EdDSA', 'RS256', 'PS256'],
    response_types_supported: ['none'],
    service_documentation: 'http://127.0.0.1:9154/docs',
  })
  t.same(openid.json, {
    ...(oauth.json as object),
    subject_types_supported: ['public'],
    id_token_signing_alg_values_supported: ['ES256'],
    claims_supported: ['iss', 'sub', 'aud', 'auth_time', 'iat', 'exp', 'jti', 'email', 'email_verified', 'token_use', 'cognito:username'],
  })
  for (const { status, headers } of [oauth, openid]) t.same([status, headers.get('cache-control')], [200, 'public, max-age=30'])
})

await t.test('no member of the metadata is empty, and each document says only what is there', async (t) => {
  const pinOnly = await startTestApp(t, { environment: { DIALECTS: 'pin' } })
  for (const node of [shared, pinOnly]) {
    for (const name of ['oauth-authorization-server', 'openid-configuration']) {
      const document = (await call(node, `/.well-known/${name}`, get)).json as Record<string, unknown>
      for (const [member, value] of Object.entries(document)) t.ok(Array.isArray(value) ? value.length > 0 && new Set(value).size === value.length : typeof value === 'string' && value !== '', `${name}: ${member}`)
      for (const absent of ['authorization_endpoint', 'userinfo_endpoint', 'registration_endpoint', 'end_session_endpoint']) t.notOk(absent in document, absent)
      const { pathname } = new URL(String(document.service_documentation))
      const page = await fetch(node.url + pathname)
      t.match([page.status, await page.text()], [200, /<html/], 'the documentation is there')
    }
  }
  const idTokenMembers = ['subject_types_supported', 'id_token_signing_alg_values_supported', 'claims_supported']
  const namedBy = async (node: typeof shared, name: string) => {
    const document = (await call(node, `/.well-known/${name}`, get)).json as object
    return idTokenMembers.filter((member) => member in document)
  }
  const all = [await namedBy(shared, 'openid-configuration'), await namedBy(shared, 'oauth-authorization-server'), await namedBy(pinOnly, 'openid-configuration')]
  t.same(all, [idTokenMembers, [], []], 'id tokens are the dialect tokenset’s, and nothing of an authorization server')
})

await t.test('every endpoint that is named answers', async (t) => {
  const metadata = (await call(shared, '/.well-known/openid-configuration', get)).json as Record<string, unknown>
  for (const [name, value] of Object.entries(metadata)) {
    if (!name.endsWith('_endpoint')) continue
    const { pathname } = new URL(String(value))
    t.notMatch((await call(shared, pathname)).status, 404, name)
    t.equal((await call(shared, pathname, get)).headers.get('allow'), 'POST', name)
  }
})

await t.test('case 59: a foreign Host never reaches the metadata', async (t) => {
  const open = await startTestApp(t, { environment: { HOST: '0.0.0.0' }, database: shared.database })
  const answer = await open.app.inject({ url: '/.well-known/openid-configuration', headers: { host: 'evil.example', 'x-forwarded-host': 'evil.example' } })
  t.notMatch(answer.body, /evil/)
})

await t.test('behind a path, the metadata is where both standards look for it', async (t) => {
  const node = await startTestApp(t, { environment: { PUBLIC_URL: 'https://example.com/identity/v2' } })
  for (const path of ['/.well-known/oauth-authorization-server', '/.well-known/oauth-authorization-server/identity/v2', '/.well-known/openid-configuration', '/.well-known/openid-configuration/identity/v2']) {
    t.match((await call(node, path, get)).json, { issuer: 'https://example.com/identity/v2', jwks_uri: 'https://example.com/identity/v2/.well-known/jwks.json' }, path)
  }
  for (const path of ['/.well-known/oauth-authorization-server/other', '/.well-known/openid-configuration/other', '/.well-known/openid-configuration/identity']) t.equal((await call(node, path, get)).status, 404, path)
})

await t.test('nothing but reading is answered', async (t) => {
  for (const name of ['jwks.json', 'openid-configuration', 'oauth-authorization-server']) {
    const path = `/.well-known/${name}`
    const head = await call(shared, path, { method: 'HEAD' })
    t.same([head.status, head.text], [200, ''])
    for (const method of ['POST', 'PUT', 'DELETE']) {
      const answer = await call(shared, path, { method })
      t.same([answer.status, answer.headers.get('allow')?.split(', ').sort(), answer.headers.get('cache-control')], [405, ['GET', 'HEAD'], 'no-store'])
    }
  }
})

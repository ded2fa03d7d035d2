import { generateKeyPairSync, randomUUID, webcrypto, type KeyObject } from 'node:crypto'
import * as oauth from 'openid-client'
import t from 'tap'
import { createApiKey } from '../../src/domain/api-keys.js'
import { createClient } from '../../src/domain/clients.js'
import type { PublicKeySet } from '../../src/domain/model.js'
import { startTestApp, type TestApp } from '../support/app.js'
import { freePort } from '../support/free-port.js'
import { logIn } from '../support/log-in.js'
import { assertionOf, clientOf, postForm, tokenOf, type Authentication } from '../support/oauth.js'

/** The conformance of the OAuth endpoints, as a certified client library sees it, and as one sees it that does not keep the rules. */

const operator = { kind: 'operator', id: 'test' } as const

const port = await freePort()
const issuer = `http://127.0.0.1:${port}`
const node = await startTestApp(t, { port, environment: { PUBLIC_URL: issuer } })

async function newClient(scopes: readonly string[], jwks: PublicKeySet | null = null): Promise<{ id: string; secret: string }> {
  const { client, secret } = await createClient(node.core.service, { name: 'orders', scopes, accessSeconds: null, jwks }, operator, 3600)
  return { id: client.id, secret: secret ?? '' }
}

interface ClientKey {
  readonly kid: string
  readonly privateKey: KeyObject
  readonly jwks: PublicKeySet
}

function newKey(): ClientKey {
  const kid = randomUUID()
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  return { kid, privateKey, jwks: { keys: [{ ...publicKey.export({ format: 'jwk' }), kid }] } }
}

const discover = (id: string, authentication: oauth.ClientAuth, algorithm: 'oidc' | 'oauth2' = 'oidc'): Promise<oauth.Configuration> =>
  // The test speaks http on loopback.
  // eslint-disable-next-line @typescript-eslint/no-deprecated -- marked so that nobody takes it to production
  oauth.discovery(new URL(issuer), id, undefined, authentication, { algorithm, execute: [oauth.allowInsecureRequests] })

await t.test('both documents are discovered, and every endpoint that they name is there', async (t) => {
  for (const algorithm of ['oidc', 'oauth2'] as const) {
    const server = (await discover('any', oauth.None(), algorithm)).serverMetadata()
    t.equal(server.issuer, issuer)
    for (const [name, value] of Object.entries(server)) {
      if (!name.endsWith('_endpoint') || typeof value !== 'string') continue
      t.equal((await postForm(node, new URL(value).pathname, {})).status, 400, `${name} answers`)
    }
    t.equal((await fetch(String(server.jwks_uri)).then((response) => response.json().then(() => response.status))), 200)
    t.strictSame(server.grant_types_supported, ['client_credentials', 'refresh_token'])
    for (const missing of ['authorization_endpoint', 'userinfo_endpoint', 'registration_endpoint', 'end_session_endpoint', 'device_authorization_endpoint', 'pushed_authorization_request_endpoint']) {
      t.notOk(missing in server, `${missing} is not there, and not named`)
    }
  }
})

await t.test('client_secret_basic and client_secret_post: a token, what it is, and its end', async (t) => {
  const { id, secret } = await newClient(['introspect', 'orders:read'])
  for (const authentication of [oauth.ClientSecretBasic(secret), oauth.ClientSecretPost(secret)]) {
    const client = await discover(id, authentication)
    const { access_token: token, expires_in: seconds, scope } = await oauth.clientCredentialsGrant(client, { scope: 'orders:read' })
    t.strictSame([seconds, scope], [3600, 'orders:read'])
    t.match(await oauth.tokenIntrospection(client, token), { active: true, sub: id, client_id: id, scope: 'orders:read', iss: issuer, token_type: 'Bearer' })
    await oauth.tokenRevocation(client, token)
    t.strictSame(await oauth.tokenIntrospection(client, token), { active: false })
  }
})

/** What the library makes of a refusal. */
const failureOf = (call: Promise<unknown>): Promise<unknown> => call.then(() => 'no failure', (error: unknown) => error)

const webKeys: Readonly<Record<string, () => Promise<CryptoKeyPair>>> = {
  ES256: () => webcrypto.subtle.generateKey({ name: 'ECDSA', namedCurve: 'P-256' }, true, ['sign', 'verify']),
  Ed25519: async () => pairOf(await webcrypto.subtle.generateKey({ name: 'Ed25519' }, true, ['sign', 'verify'])),
  RS256: () => webcrypto.subtle.generateKey({ name: 'RSASSA-PKCS1-v1_5', modulusLength: 2048, publicExponent: new Uint8Array([1, 0, 1]), hash: 'SHA-256' }, true, ['sign', 'verify']),
  PS256: () => webcrypto.subtle.generateKey({ name: 'RSA-PSS', modulusLength: 2048, publicExponent: new Uint8Array([1, 0, 1]), hash: 'SHA-256' }, true, ['sign', 'verify']),
}

type CryptoKeyPair = webcrypto.CryptoKeyPair

function pairOf(generated: webcrypto.CryptoKey | CryptoKeyPair): CryptoKeyPair {
  if ('privateKey' in generated) return generated
  throw new Error('a key pair was asked for')
}

for (const [algorithm, generate] of Object.entries(webKeys)) {
  await t.test(`private_key_jwt by ${algorithm}: no secret is needed, at any endpoint`, async (t) => {
    const { publicKey, privateKey } = await generate()
    const jwk = { ...(await webcrypto.subtle.exportKey('jwk', publicKey)), kid: 'own' }
    const { id } = await newClient(['introspect'], { keys: [jwk] })
    const client = await discover(id, oauth.PrivateKeyJwt({ key: privateKey, kid: 'own' }))
    const { access_token: token } = await oauth.clientCredentialsGrant(client)
    t.match(await oauth.tokenIntrospection(client, token), { active: true, sub: id })
    await oauth.tokenRevocation(client, token)
    t.strictSame(await oauth.tokenIntrospection(client, token), { active: false })
  })
}

await t.test('refresh_token: a session of a user goes on, for a public client and for a confidential one', async (t) => {
  await node.createUser({ username: 'jane', password: 'correct horse' })
  const { id, secret } = await newClient(['introspect'])
  for (const client of [await discover('tessera', oauth.None()), await discover(id, oauth.ClientSecretBasic(secret))]) {
    const first = await logIn(node, 'jane', 'correct horse')
    const second = await oauth.refreshTokenGrant(client, first.refreshToken)
    t.not(second.refresh_token, first.refreshToken)
    const third = await oauth.refreshTokenGrant(client, second.refresh_token ?? '')
    const inspector = await discover(id, oauth.ClientSecretPost(secret))
    t.match(await oauth.tokenIntrospection(inspector, third.access_token), { active: true, username: 'jane', sid: first.state.session.id })
    t.strictSame(await oauth.tokenIntrospection(inspector, third.refresh_token ?? '', { token_type_hint: 'refresh_token' }), { active: false })
  }
  t.match(await failureOf(oauth.refreshTokenGrant(await discover('tessera', oauth.None()), 'nonsense')), { error: 'invalid_grant', status: 400 })
  t.match(await failureOf(oauth.refreshTokenGrant(await discover('another', oauth.None()), 'nonsense')), { name: 'WWWAuthenticateChallengeError', status: 401 })
})

await t.test('an API key asks and revokes in place of a client; without the scope it does not', async (t) => {
  const owner = await node.createUser({ username: 'root', password: 'correct horse', role: 'admin' })
  const withKey = async (scopes: readonly string[]) => {
    const { secret } = await createApiKey(node.core.service, owner.id, { name: 'k', scopes: [...scopes], expiresAt: null }, { origin: null })
    return discover('any', (_server, _client, _body, headers) => {
      headers.set('authorization', `Bearer ${secret}`)
    })
  }
  const { id, secret } = await newClient([])
  const { accessToken } = await tokenOf(node, clientOf(id, secret))
  t.match(await failureOf(oauth.tokenIntrospection(await withKey([]), accessToken)), { name: 'WWWAuthenticateChallengeError', status: 403 })
  const strong = await withKey(['introspect', 'revoke'])
  t.match(await oauth.tokenIntrospection(strong, accessToken), { active: true, client_id: id })
  await oauth.tokenRevocation(strong, accessToken)
  t.strictSame(await oauth.tokenIntrospection(strong, accessToken), { active: false })
  t.match(await failureOf(oauth.clientCredentialsGrant(strong)), { status: 401 }, 'a token is given to clients only')
})

/** The answer, as far as it could tell one failure from another. */
const shown = async (authentication: Authentication, target: TestApp = node) => {
  const { status, text, headers } = await tokenOf(target, authentication)
  return { status, text, challenge: headers.get('www-authenticate') }
}

await t.test('whatever is wrong with a client, the answer is the same', async (t) => {
  const key = newKey()
  const [bySecret, byKey, other] = [await newClient([]), await newClient([], key.jwks), await newClient([], newKey().jwks)]
  const assertion = (claims: Record<string, unknown>, signer: { privateKey: KeyObject; kid: string } = key, header: Record<string, unknown> = {}) =>
    assertionOf(node, { clientId: byKey.id, key: signer, claims, header })
  const now = Math.floor(node.clock.now().getTime() / 1000)
  t.equal((await shown(assertion({}))).status, 200, 'the very same, with nothing wrong')
  t.equal((await shown(assertion({ aud: `${issuer}/oauth/token` }))).status, 200, 'for the endpoint')

  const expected = await shown(clientOf(bySecret.id, 'wrong'))
  t.match(expected, { status: 401, text: '{"error":"invalid_client","error_description":"Client authentication failed"}', challenge: /^Basic / })
  const replayed = assertion({})
  t.equal((await shown(replayed)).status, 200)
  const wrong: Record<string, Authentication> = {
    'an unknown client': clientOf(randomUUID(), bySecret.secret),
    'an id that is none': clientOf('nobody', bySecret.secret),
    'the secret of another client': clientOf(byKey.id, bySecret.secret),
    'no secret': clientOf(bySecret.id, ''),
    'a secret for a client without one': clientOf(byKey.id, ''),
    'an assertion that was used': replayed,
    'no audience': assertion({ aud: undefined }),
    'another audience': assertion({ aud: 'https://id.example.com' }),
    'another endpoint of ours': assertion({ aud: `${issuer}/verify` }),
    'expired': assertion({ exp: now - 6 }),
    'longer than five minutes': assertion({ exp: now + 400 }),
    'for ever': assertion({ exp: 1e300 }),
    'no end': assertion({ exp: undefined }),
    'not yet': assertion({ nbf: now + 60 }),
    'no jti': assertion({ jti: undefined }),
    'a jti that is no text': assertion({ jti: 7 }),
    'a jti that cannot be kept': assertion({ jti: 'a\0b' }),
    'a long jti': assertion({ jti: 'x'.repeat(201) }),
    'signed by another key, under the kid of the right one': assertion({}, { ...newKey(), kid: key.kid }),
    'signed by a key of another client': assertionOf(node, { clientId: other.id, key }),
    'issued by another client': assertion({ iss: other.id }),
    'about another client': assertion({ sub: other.id }),
    'a client that signs with no key': assertion({ iss: bySecret.id, sub: bySecret.id }),
    'a client that is not there': assertion({ iss: randomUUID(), sub: randomUUID() }),
    'alg none': assertion({}, key, { alg: 'none' }),
    'alg HS256': assertion({}, key, { alg: 'HS256' }),
    'an unknown critical member': assertion({}, key, { crit: ['b64'], b64: false }),
    'no JWT': { form: { ...replayed.form, client_assertion: 'nonsense' } },
    'an assertion beside another client_id': { form: { ...assertion({}).form, client_id: other.id } },
  }
  for (const [what, authentication] of Object.entries(wrong)) t.strictSame(await shown(authentication), expected, what)
  t.notMatch(node.logLines.join(''), new RegExp(`${bySecret.secret}|${(replayed.form?.client_assertion ?? '').split('.')[2] ?? 'none'}`), 'no secret and no assertion is logged')
})

await t.test('of 20 uses of one assertion at once, over two nodes, one is taken', async (t) => {
  const second = await startTestApp(t, { database: node.database, clock: node.clock, environment: { PUBLIC_URL: issuer } })
  const key = newKey()
  const { id } = await newClient([], key.jwks)
  const assertion = assertionOf(node, { clientId: id, key })
  const statuses = await Promise.all(Array.from({ length: 20 }, async (_, i) => (await shown(assertion, i % 2 === 0 ? node : second)).status))
  t.strictSame(statuses.sort(), [200, ...Array.from({ length: 19 }, () => 401)])
})

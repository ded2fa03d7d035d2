import Fastify from 'fastify'
import t from 'tap'
import { createApiKey, newApiKeySecret } from '../../src/domain/api-keys.js'
import { tesseraVerify } from '../../src/verify/index.js'
import { claimsOf } from '../support/auth-client.js'
import { startTestApp } from '../support/app.js'
import { startVerifier, verifierFate, verifyStatus } from '../support/fleet.js'
import { base64url, forge, genuine, goodClaims, goodHeader } from '../support/forge.js'
import { logIn } from '../support/log-in.js'

const node = await startTestApp(t)
const verifier = await startVerifier(t, node, { maxLagMs: 20_000 })
const jane = await node.createUser({ username: 'jane', password: 'correct horse' })
const { accessToken } = await logIn(node, 'jane', 'correct horse')
const header = goodHeader(node)
const claims: Record<string, unknown> = { ...goodClaims(node, { userId: jane.id, sessionId: String(claimsOf(accessToken).sid) }), client_id: claimsOf(accessToken).client_id }
const iat = Number(claims.iat)
const made = (otherClaims: object, otherHeader: object = {}): string => forge({ ...header, ...otherHeader }, { ...claims, ...otherClaims }, genuine(node))
const without = (name: string): string => made({ [name]: undefined })

/** The last letter of the signature with a bit that no byte needs. */
function respelled(token: string): string {
  const letters = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'
  return token.slice(0, -1) + letters.charAt(letters.indexOf(token.slice(-1)) + 1)
}

await t.test('a service that verifies by itself accepts what tessera accepts', async (t) => {
  for (const token of [accessToken, made({}), made({ nbf: iat }), made({ amr: undefined }), made({ more: 1 })]) {
    t.same([await verifyStatus(node, token), await verifierFate(verifier, token)], [200, 'alive'])
  }
})

const refused: Readonly<Record<string, string>> = {
  'a list of audiences with ours in it': made({ aud: [String(claims.aud), 'another'] }),
  'a list of our audience alone': made({ aud: [String(claims.aud)] }),
  'another audience': made({ aud: `${String(claims.aud)}/` }),
  'another issuer': made({ iss: `${String(claims.iss)}/` }),
  'typ with its media type': made({}, { typ: 'application/at+jwt' }),
  'typ in capitals': made({}, { typ: 'AT+JWT' }),
  'typ of another kind': made({}, { typ: 'JWT' }),
  'no typ': made({}, { typ: undefined }),
  'a member of the header that is not known': made({}, { cty: 'x' }),
  'an empty crit': made({}, { crit: [] }),
  'a lifetime that no setting has allowed': made({ exp: iat + 3601 }),
  'an end before the beginning': made({ iat: iat + 2, exp: iat + 1 }),
  'times with fractions': made({ iat: iat + 0.5 }),
  'an end with a fraction': made({ exp: iat + 100.5 }),
  'a token of the future': made({ iat: iat + 60, exp: iat + 120 }),
  'not before a time ahead': made({ nbf: iat + 60 }),
  'an epoch below zero': made({ ep: -1 }),
  'an epoch with a fraction': made({ ep: 0.5 }),
  'a scope that is a list': made({ scope: ['profile'] }),
  'methods that are a text': made({ amr: 'pwd' }),
  'a username that is a number': made({ username: 1 }),
  'an address that is null': made({ email: null }),
  'an empty subject': made({ sub: '' }),
  'an empty session': made({ sid: '' }),
  'an empty id': made({ jti: '' }),
  ...Object.fromEntries(['iss', 'aud', 'sub', 'sid', 'ep', 'jti', 'iat', 'exp', 'scope'].map((name) => [`no ${name}`, without(name)])),
  'a signature in another spelling': respelled(accessToken),
  'padding': `${accessToken}=`,
  'a line break inside': accessToken.replace('.', '.\n'),
  'base64 instead of base64url': made({ more: '>>>???' }).replaceAll('-', '+').replaceAll('_', '/'),
  'claims that are a list': forge(header, [claims], genuine(node)),
  'a fourth part': `${accessToken}.${base64url('{}')}`,
}

for (const [name, token] of Object.entries(refused)) {
  await t.test(`a service that verifies by itself refuses, as tessera does: ${name} [attack:lenient-verifier]`, async (t) => {
    t.same([await verifyStatus(node, encodeURI(token) === token ? token : 'x'), await verifierFate(verifier, token)], [401, 'invalid'])
  })
}

await t.test('two credentials in one request open nothing, whichever is good', async (t) => {
  const { secret } = await createApiKey(node.core.service, jane.id, { name: 'k', scopes: null, expiresAt: null }, { origin: null })
  const admin = await node.createUser({ username: 'root', password: 'correct horse', role: 'admin' })
  const own = await createApiKey(node.core.service, admin.id, { name: 'feed', scopes: ['revocations', 'introspect'], expiresAt: null }, { origin: null })
  const app = Fastify()
  await app.register(tesseraVerify, { issuer: node.config.publicUrl.href, baseUrl: node.url, credential: { apiKey: own.secret }, maxLagMs: 20_000 })
  app.get('/', { preHandler: app.requireIdentity }, () => 'in')
  const url = await app.listen({ host: '127.0.0.1', port: 0 })
  t.teardown(() => app.close())
  await app.tessera.ready({ timeoutMs: 10_000 })
  const ask = async (headers: Record<string, string>): Promise<number> => (await fetch(url, { headers })).status
  t.equal(await ask({ authorization: `Bearer ${accessToken}` }), 200)
  t.equal(await ask({ 'x-api-key': secret }), 200)
  t.equal(await ask({ authorization: `Bearer ${accessToken}`, 'x-api-key': secret }), 401)
  t.equal(await ask({ authorization: `Bearer ${newApiKeySecret()}`, 'x-api-key': secret }), 401)
})

import * as oauth from 'oauth4webapi'
import t from 'tap'
import { createClient } from '../../src/domain/clients.js'
import { startTestApp, type TestApp } from '../support/app.js'
import { call, claimsOf } from '../support/auth-client.js'
import { clients, enter, everyDialect, newPerson, renew } from '../support/dialect-clients.js'
import { freePort } from '../support/free-port.js'
import { clientOf, postForm, tokenOf } from '../support/oauth.js'

/** RFC 9068 as a strict resource server of somebody else's checks it. */

const audience = 'https://api.example.com'

/** A node whose issuer is where it listens, so that a library finds its keys. */
async function startNode(environment: Record<string, string> = {}): Promise<TestApp> {
  const port = await freePort()
  return startTestApp(t, { port, environment: { PUBLIC_URL: `http://127.0.0.1:${port}`, AUDIENCE: audience, ...environment } })
}

// The tests speak http on loopback.
// eslint-disable-next-line @typescript-eslint/no-deprecated -- marked so that nobody takes it to production
const insecure = { [oauth.allowInsecureRequests]: true }

/** What the resource server makes of a token: its claims, or the name of the refusal. */
async function shown(node: TestApp, token: string, expectedAudience = audience): Promise<oauth.JWTAccessTokenClaims | string> {
  const issuer = new URL(node.config.publicUrl.href)
  const server = await oauth.processDiscoveryResponse(issuer, await oauth.discoveryRequest(issuer, { ...insecure, algorithm: 'oauth2' }))
  const request = new Request('https://api.example.com/orders', { headers: { authorization: `Bearer ${token}` } })
  return oauth.validateJwtAccessToken(server, request, expectedAudience, insecure).catch((error: unknown) => (error instanceof Error ? error.name : 'no error'))
}

const node = await startNode()

await t.test('the access token of every dialect, of a refresh and of a client is one of RFC 9068 [attack:access-token-without-client]', async (t) => {
  const person = await newPerson(node)
  const { client, secret } = await createClient(node.core.service, { name: 'orders', scopes: ['orders:read'], accessSeconds: null, jwks: null }, { kind: 'operator', id: 'test' }, 3600)
  const tokens: Record<string, string> = {}
  for (const dialect of everyDialect) {
    const first = await enter(node, dialect, person)
    const second = await renew(node, dialect, first.refreshToken)
    const third = await postForm(node, '/oauth/token', { form: { grant_type: 'refresh_token', client_id: 'tessera', refresh_token: second.refreshToken } })
    tokens[`${dialect}, login`] = first.accessToken
    tokens[`${dialect}, refresh`] = second.accessToken
    tokens[`${dialect}, refresh grant`] = (third.json as { access_token: string }).access_token
  }
  for (const [name, token] of Object.entries(tokens)) {
    const claims = await shown(node, token)
    t.match(claims, { iss: node.url, aud: audience, sub: person.id, client_id: 'tessera', scope: 'profile' }, name)
    if (typeof claims === 'string') continue
    t.same([typeof claims.jti, claims.exp > claims.iat, Number(claims.auth_time) <= claims.iat, claims.amr], ['string', true, true, [name.startsWith('pin') ? 'pin' : 'pwd']], name)
  }
  const { accessToken } = await tokenOf(node, clientOf(client.id, secret ?? ''))
  const own = await shown(node, accessToken)
  t.match(own, { iss: node.url, aud: audience, sub: client.id, client_id: client.id, scope: 'orders:read' })
  t.notOk(typeof own === 'object' && 'auth_time' in own, 'a client did not log in')
})

await t.test('auth_time stays that of the login, however often the session is refreshed', async (t) => {
  const later = await startNode()
  const first = await enter(later, 'bearer', await newPerson(later))
  await later.clock.advance(90)
  const { auth_time: then, iat: before } = claimsOf(first.accessToken)
  const { auth_time: now, iat: after } = claimsOf((await renew(later, 'bearer', first.refreshToken)).accessToken)
  t.equal(now, then)
  t.ok(Number(after) >= Number(before) + 90)
})

await t.test('the refresh token, the ID token, the identity token and a token for somebody else are refused [attack:other-token-at-a-resource-server]', async (t) => {
  const gateway = await startTestApp(t, { database: node.database, clock: node.clock, environment: { PUBLIC_URL: node.url, AUDIENCE: audience, TRUST_PROXY: '127.0.0.1', VERIFY_TOKEN_AUDIENCES: 'orders' } })
  const { tokens } = (await clients.tokenset.login(node, await newPerson(node))).json as { tokens: { idToken: string; accessToken: string; refreshToken: string } }
  const answer = await call(gateway, '/verify?token_for=orders', { method: 'GET', headers: { authorization: `Bearer ${tokens.accessToken}`, 'x-original-uri': '/' } })
  const identityToken = answer.headers.get('x-auth-token') ?? ''
  t.equal(claimsOf(identityToken).token_use, 'identity')
  // Each with the audience that it has, so that it is refused for what it is.
  const others = [['refresh token', tokens.refreshToken, 'refresh:tokenset'], ['ID token', tokens.idToken, 'tessera'], ['identity token', identityToken, 'orders'], ['access token', tokens.accessToken, 'https://other.example.com']] as const
  for (const [name, token, itsAudience] of others) {
    for (const expected of [itsAudience, audience]) {
      if (name === 'access token' && expected === audience) continue
      t.match(await shown(node, token, expected), /^(OperationProcessingError|UnsupportedOperationError)$/, `${name}, expected for ${expected}`)
    }
  }
  t.match(await shown(node, tokens.accessToken), { client_id: 'tessera' })
})

await t.test('so it is whatever the keys sign with', async (t) => {
  for (const alg of ['EdDSA', 'RS256']) {
    const other = await startNode({ SIGNING_ALG: alg, TOKENSET_CLIENT_ID: 'shop' })
    const { accessToken } = await enter(other, 'directus', await newPerson(other))
    t.match(await shown(other, accessToken), { client_id: 'shop' }, alg)
  }
})

import t from 'tap'
import { createApiKey } from '../../../src/domain/api-keys.js'
import { createClient } from '../../../src/domain/clients.js'
import { startTestApp } from '../../support/app.js'
import { call, claimsOf, type Answer } from '../../support/auth-client.js'
import { clients, enter, everyDialect, newPerson, renew } from '../../support/dialect-clients.js'
import { forge, genuine, goodClaims } from '../../support/forge.js'
import { clientOf, postForm, tokenOf } from '../../support/oauth.js'

const node = await startTestApp(t, { environment: { TRUST_PROXY: '127.0.0.1', VERIFY_TOKEN_AUDIENCES: 'orders' } })
const { client, secret } = await createClient(node.core.service, { name: 'orders', scopes: ['introspect', 'revoke'], accessSeconds: null, jwks: null }, { kind: 'operator', id: 'test' }, 3600)
const inspector = clientOf(client.id, secret ?? '')
const hints = [undefined, 'access_token', 'refresh_token', 'id_token', 'api_key', 'anything']

const ask = (token: string, hint?: string): Promise<Answer> =>
  postForm(node, '/oauth/introspect', { ...inspector, form: { token, ...(hint === undefined ? {} : { token_type_hint: hint }) } })

await t.test('a refresh token of any dialect is inactive, whatever the hint, and is good for a refresh after it [attack:refresh-token-introspected]', async (t) => {
  for (const dialect of everyDialect) {
    const first = await enter(node, dialect, await newPerson(node))
    const second = await renew(node, dialect, first.refreshToken)
    for (const [name, token] of Object.entries({ first: first.refreshToken, successor: second.refreshToken })) {
      for (const hint of hints) t.strictSame((await ask(token, hint)).json, { active: false }, `${dialect}, ${name}, ${hint ?? 'no hint'}`)
    }
    t.equal((await clients[dialect].refresh(node, second.refreshToken)).status, 200, `${dialect}: nothing was ended by the question`)
  }
})

await t.test('an ID token, an identity token and other tokens of our own keys are inactive [attack:other-token-introspected]', async (t) => {
  const person = await newPerson(node)
  const { tokens } = (await clients.tokenset.login(node, person)).json as { tokens: { idToken: string; accessToken: string } }
  const verified = await call(node, '/verify?token_for=orders', { method: 'GET', headers: { authorization: `Bearer ${tokens.accessToken}`, 'x-original-uri': '/orders' } })
  const claims = goodClaims(node, { userId: person.id, sessionId: String(claimsOf(tokens.accessToken).sid) })
  const { kid } = node.app.signingKeys.current()
  const others: Record<string, string> = { 'ID token': tokens.idToken, 'identity token': verified.headers.get('x-auth-token') ?? '' }
  for (const typ of ['JWT', 'identity+jwt', 'rt+jwt', 'logout+jwt', 'application/at+jwt']) others[`good claims as ${typ}`] = forge({ kid, alg: 'ES256', typ }, claims, genuine(node))
  others['an access token for another audience'] = forge({ kid, alg: 'ES256', typ: 'at+jwt' }, { ...claims, aud: 'https://other.example' }, genuine(node))
  t.match((await ask(forge({ kid, alg: 'ES256', typ: 'at+jwt' }, claims, genuine(node)))).json, { active: true, sub: person.id }, 'the same claims in an access token are active')
  for (const [name, token] of Object.entries(others)) {
    t.match(token, /^[\w-]+\.[\w-]+\.[\w-]+$/, name)
    for (const hint of hints) t.strictSame((await ask(token, hint)).json, { active: false }, `${name}, ${hint ?? 'no hint'}`)
  }
})

await t.test('an access token and an API key are active, and an access token says which client asked for it', async (t) => {
  const person = await newPerson(node)
  for (const dialect of everyDialect) {
    const { accessToken } = await enter(node, dialect, person)
    const { iat, exp, jti, sid } = claimsOf(accessToken)
    for (const hint of hints) {
      t.match((await ask(accessToken, hint)).json, { active: true, token_type: 'Bearer', sub: person.id, client_id: 'tessera', scope: 'profile', iss: 'http://127.0.0.1:9154', aud: 'http://127.0.0.1:9154', iat, exp, jti, sid, username: person.username })
    }
  }
  const own = await tokenOf(node, inspector)
  t.match((await ask(own.accessToken)).json, { active: true, sub: client.id, client_id: client.id, scope: 'introspect revoke' })
  const { secret: apiKey } = await createApiKey(node.core.service, person.id, { name: 'k', scopes: null, expiresAt: null }, { origin: null })
  t.match((await ask(apiKey, 'refresh_token')).json, { active: true, token_type: 'api_key', sub: person.id })
})

await t.test('what introspection does not tell of can still be revoked: a refresh token ends its session', async (t) => {
  const tokens = await enter(node, 'bearer', await newPerson(node))
  t.equal((await postForm(node, '/oauth/revoke', { ...inspector, form: { token: tokens.refreshToken } })).status, 200)
  t.strictSame((await ask(tokens.accessToken)).json, { active: false })
  t.strictSame([(await clients.bearer.refresh(node, tokens.refreshToken)).status], [401])
})

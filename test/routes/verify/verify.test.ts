import t from 'tap'
import { withUser } from '../../support/verify-user.js'

/** Behind a proxy that is believed, and behind none. */
const trusting = await withUser(t)
const trustless = await withUser(t, {})

const asked = { 'x-original-uri': '/orders', 'x-original-method': 'GET' }

await t.test('a header, an API key, a cookie and the query token of the original URI are one identity', async (t) => {
  const { user, accessToken, apiKey, ask } = trusting
  const ways: [string, Record<string, string>][] = [
    ['bearer', { ...asked, authorization: `Bearer ${accessToken}` }],
    ['api_key', { ...asked, 'x-api-key': apiKey }],
    ['cookie', { ...asked, cookie: `accessToken=${accessToken}` }],
    ['query', { 'x-forwarded-uri': `/orders?access_token=${accessToken}&a=b`, 'x-forwarded-method': 'GET' }],
  ]
  for (const [method, headers] of ways) {
    const response = await ask({ ...headers, 'x-auth-user': 'forged' })
    t.equal(response.status, 200, method)
    t.equal(await response.text(), '')
    t.equal(response.headers.get('x-auth-user'), user.id)
    t.equal(response.headers.get('x-auth-username'), 'jan%C3%A9')
    t.equal(response.headers.get('x-auth-email'), '')
    t.equal(response.headers.get('x-auth-scopes'), 'profile')
    t.equal(response.headers.get('x-auth-method'), method)
  }
})

await t.test('Envoy asks below /verify, by the original method', async (t) => {
  const { user, accessToken, ask } = trusting
  const response = await ask({}, `/verify/orders?access_token=${accessToken}`, 'POST')
  t.equal(response.status, 200)
  t.equal(response.headers.get('x-auth-user'), user.id)
})

await t.test('below /verify the query is the client’s, and demands nothing of us', async (t) => {
  const { user, accessToken, ask } = trusting
  const queries = ['token_for=payments', 'role=editor', 'role=admin', 'scope=openid', 'scope=', 'scope=a&scope=b', `token_for=${'x'.repeat(201)}`, 'page=2']
  for (const path of ['/verify/orders', '/verify/orders/']) {
    for (const query of queries) {
      const response = await ask({ authorization: `Bearer ${accessToken}` }, `${path}?${query}`)
      t.equal(response.status, 200, `${path}?${query}`)
      t.equal(response.headers.get('x-auth-user'), user.id)
      t.equal(response.headers.get('x-auth-token'), null, 'a client names no audience')
    }
  }
})

await t.test('without a credential it is 401 with a challenge', async (t) => {
  const { ask } = trusting
  const response = await ask(asked)
  t.equal(response.status, 401)
  t.equal(response.headers.get('www-authenticate'), 'Bearer')
  const bad = await ask({ ...asked, authorization: 'Bearer nonsense' })
  t.equal(bad.headers.get('www-authenticate'), 'Bearer error="invalid_token"')
})

await t.test('a scope or a role that is not held is 403', async (t) => {
  const { accessToken, ask } = trusting
  const headers = { ...asked, authorization: `Bearer ${accessToken}` }
  t.equal((await ask(headers, '/verify?scope=profile&role=user')).status, 200)
  t.equal((await ask(headers, '/verify?scope=profile%20admin')).status, 403)
  t.equal((await ask(headers, '/verify?role=admin')).status, 403)
})

await t.test('a scope or a role that the gateway left empty lets nobody pass', async (t) => {
  const { accessToken, ask } = trusting
  for (const demand of ['scope=', 'scope=%20', 'scope', 'role=', 'role=root', 'scope=profile&scope=admin']) {
    const response = await ask({ ...asked, authorization: `Bearer ${accessToken}` }, `/verify?${demand}`)
    t.equal(response.status, 400, demand)
    t.match(await response.json(), { detail: /^(scope|role) / }, demand)
  }
})

await t.test('a demand that is mistyped lets nobody pass', async (t) => {
  const { accessToken, ask } = trusting
  for (const query of ['scopes=admin', 'SCOPE=admin', 'scope[]=admin', 'roles=admin', 'role%20=admin', '__proto__=admin', 'token=orders', 'scope=profile&rolle=admin']) {
    const response = await ask({ ...asked, authorization: `Bearer ${accessToken}` }, `/verify?${query}`)
    t.equal(response.status, 400, query)
    t.match(await response.json(), { detail: 'the query of /verify may have scope, role, token_for, and access_token, and nothing else' }, query)
  }
  for (const path of ['/verify/', '/verify/orders']) {
    const headers = { authorization: `Bearer ${trustless.accessToken}` }
    t.equal((await trustless.ask(headers, `${path}?role=admin`)).status, 403, 'of nobody who is trusted, the path below says nothing')
    t.equal((await trustless.ask(headers, `${path}?scopes=admin`)).status, 400)
  }
})

await t.test('an original URI that is missing, given twice or not canonical is refused', async (t) => {
  const { accessToken, ask } = trusting
  const authorization = { authorization: `Bearer ${accessToken}` }
  t.equal((await ask(authorization)).status, 403)
  t.equal((await ask({ ...authorization, ...asked, 'x-forwarded-uri': '/other' })).status, 403)
  for (const uri of ['orders', '//orders', '/a/../b', '/a/%2e%2e/b', '/a%2fb', '/a\\b', '/a#b', 'http://x/a', '/./a']) {
    t.equal((await ask({ ...authorization, 'x-original-uri': uri })).status, 403, uri)
  }
})

await t.test('from anybody but a trusted proxy, the original request is not believed', async (t) => {
  const { accessToken, ask } = trustless
  const response = await ask({ 'x-original-uri': `/orders?access_token=${accessToken}` })
  t.equal(response.status, 401)
})

await t.test('a foreign page cannot make a browser act by its cookie', async (t) => {
  const { accessToken, ask } = trusting
  const foreign = { cookie: `accessToken=${accessToken}`, origin: 'https://evil.example', 'x-original-uri': '/orders' }
  t.equal((await ask({ ...foreign, 'x-original-method': 'POST' })).status, 403)
  t.equal((await ask(foreign)).status, 403, 'an unknown method may be unsafe')
  t.equal((await ask({ ...foreign, 'x-original-method': 'GET' })).status, 200)
})

await t.test('an identity token for the upstream lives a minute, and is no access token', async (t) => {
  const { user, accessToken, ask } = trusting
  const response = await ask({ ...asked, authorization: `Bearer ${accessToken}` }, '/verify?token_for=orders')
  const token = response.headers.get('x-auth-token') ?? ''
  const claims = JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString()) as Record<string, number | string>
  t.match(claims, { aud: 'orders', sub: user.id, token_use: 'identity' })
  t.equal(Number(claims.exp) - Number(claims.iat), 60)
  t.equal((await ask({ ...asked, authorization: `Bearer ${token}` })).status, 401)
  t.match(JSON.parse(Buffer.from(token.split('.')[0] ?? '', 'base64url').toString()), { typ: 'identity+jwt' })
  t.equal((await ask({ ...asked, authorization: `Bearer ${accessToken}` }, `/verify?token_for=${encodeURIComponent('https://shop.example.com/api')}`)).status, 200)
})

/** Tokens that whoever asks would get, by every credential there is. */
async function askForToken({ accessToken, apiKey, ask }: Awaited<ReturnType<typeof withUser>>, audience: string, headers: Record<string, string>) {
  const answers = []
  const credentials: Record<string, string>[] = [{ authorization: `Bearer ${accessToken}` }, { 'x-api-key': apiKey }, { cookie: `accessToken=${accessToken}` }]
  for (const credential of credentials) {
    const response = await ask({ ...headers, ...credential }, `/verify?token_for=${encodeURIComponent(audience)}`)
    answers.push([response.status, response.headers.get('x-auth-token'), ((await response.json()) as { detail: string }).detail])
  }
  return answers
}

await t.test('an identity token is made for a configured audience only, and never for our own [attack:identity-token-for-our-audience]', async (t) => {
  for (const audience of ['http://127.0.0.1:9154', 'http://127.0.0.1:9154/', 'tessera', 'payments', 'Orders', 'orders ', 'orders/', '*', 'https://shop.example.com']) {
    for (const answer of await askForToken(trusting, audience, asked)) t.strictSame(answer, [403, null, 'token_for must be one of VERIFY_TOKEN_AUDIENCES'], audience)
  }
  const none = await withUser(t, { TRUST_PROXY: '127.0.0.1' })
  for (const answer of await askForToken(none, 'orders', asked)) t.strictSame(answer, [403, null, 'token_for must be one of VERIFY_TOKEN_AUDIENCES'], 'without the setting, nobody')
})

await t.test('an identity token is given to a gateway, and not to the client itself [attack:identity-token-for-a-client]', async (t) => {
  const elsewhere = await withUser(t, { TRUST_PROXY: '10.0.0.0/8', VERIFY_TOKEN_AUDIENCES: 'orders' })
  const besides: Record<string, string>[] = [{}, asked, { 'x-forwarded-for': '10.0.0.1' }]
  for (const headers of besides) {
    for (const answer of await askForToken(elsewhere, 'orders', headers)) t.strictSame(answer, [403, null, 'token_for is for gateways: name yours in TRUST_PROXY'])
  }
  const { status } = await elsewhere.ask({ authorization: `Bearer ${elsewhere.accessToken}` })
  t.equal(status, 200, 'what else it may ask is answered')
})

import { createHmac, createPublicKey, generateKeyPairSync } from 'node:crypto'
import t, { type Test } from 'tap'
import { createApiKey } from '../../src/domain/api-keys.js'
import { deleteUser, setStatus } from '../../src/domain/operators.js'
import { startTestApp } from '../support/app.js'
import { ask, faultOf, notInvalidToken, protectedCalls, refusedEverywhere, type ProtectedCall } from '../support/attacks.js'
import { call, claimsOf, footprint } from '../support/auth-client.js'
import { clients, enter, everyDialect, newPerson, untilDead } from '../support/dialect-clients.js'
import { base64url, ecdsa, forge, genuine, goodClaims, goodHeader } from '../support/forge.js'
import { RawClient, statusOf } from '../support/http.js'
import { logIn } from '../support/log-in.js'
import { quantile } from '../support/statistics.js'

/** One token of each kind at every protected path; plugins/access-token.test.ts has every spelling of each. */
const operator = { kind: 'operator', id: 'test' } as const
const node = await startTestApp(t, { environment: { TOKENSET_CLIENT_ID: 'shop' } })
const other = await startTestApp(t, { database: node.database, clock: node.clock, environment: { TOKENSET_CLIENT_ID: 'shop' } })
const person = await newPerson(node)
const grant = await logIn(node, person.username, person.password)
const key = node.app.signingKeys.current()
const header = goodHeader(node)
const sign = genuine(node)
const claims = (changes: object = {}): object => ({ ...goodClaims(node, { userId: person.id, sessionId: grant.state.session.id }), ...changes })
const calls = await protectedCalls(node)
const refuses = (t: Test, tokens: Readonly<Record<string, string>>) => refusedEverywhere(t, node, calls, tokens)

await t.test('every call that asks who calls is tried', async (t) => {
  t.ok(calls.length >= 20, calls.map(({ method, path }) => `${method} ${path}`).join(', '))
  const token = forge(header, claims(), sign)
  const refused: string[] = []
  for (const one of calls.filter(({ method, path }) => method === 'GET' && !path.startsWith('/admin'))) {
    const heard = await ask(node, one, { authorization: `Bearer ${token}` })
    if (notInvalidToken(one, heard) === null) refused.push(one.path)
  }
  t.same(refused, [], 'a token that is forged well in every respect is good: the others fail for what they differ in')
})

await t.test('case 1: no signature, everywhere', (t) => {
  const [head = '', payload = '', signature = ''] = grant.accessToken.split('.')
  return refuses(t, {
    none: forge({ ...header, alg: 'none' }, claims(), () => ''),
    nOnE: forge({ ...header, alg: 'nOnE' }, claims(), () => Buffer.from(signature, 'base64url')),
    'no alg': forge({ kid: key.kid, typ: 'at+jwt' }, claims(), () => ''),
    'the signature cut off': `${head}.${payload}.`,
    'a signature of zeros': `${head}.${payload}.${base64url(Buffer.alloc(64))}`,
    'the signature of other claims': `${head}.${base64url(JSON.stringify(claims({ scope: 'admin' })))}.${signature}`,
  })
})

await t.test('case 2: our public key as a secret, everywhere', (t) => {
  const mac = (secret: string | Buffer) => forge({ ...header, alg: 'HS256' }, claims(), (input) => createHmac('sha256', secret).update(input).digest())
  return refuses(t, {
    PEM: mac(key.publicPem),
    DER: mac(createPublicKey(key.publicPem).export({ format: 'der', type: 'spki' })),
    JWK: mac(JSON.stringify(key.publicJwk)),
  })
})

await t.test('case 3: a kid that names no key of ours, everywhere', (t) =>
  refuses(t, {
    unknown: forge({ ...header, kid: 'unknown' }, claims(), sign),
    missing: forge({ alg: 'ES256', typ: 'at+jwt' }, claims(), sign),
    list: forge({ ...header, kid: [key.kid] }, claims(), sign),
    '4 KB': forge({ ...header, kid: 'k'.repeat(4096) }, claims(), sign),
    path: forge({ ...header, kid: '../../../../etc/passwd' }, claims(), sign),
    SQL: forge({ ...header, kid: `${key.kid}' OR '1'='1` }, claims(), sign),
    prototype: forge({ ...header, kid: '__proto__' }, claims(), sign),
    'the kid of the refresh tokens': forge({ ...header, kid: node.core.service.keyring.current('refresh').kid }, claims(), sign),
  }))

await t.test('case 5: a key that comes along, everywhere', (t) => {
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const own = ecdsa(privateKey.export({ format: 'pem', type: 'pkcs8' }).toString())
  const jwk = publicKey.export({ format: 'jwk' })
  return refuses(t, {
    jwk: forge({ ...header, jwk }, claims(), own),
    jku: forge({ ...header, jku: 'http://127.0.0.1:1/keys.json' }, claims(), own),
    x5u: forge({ ...header, x5u: 'http://127.0.0.1:1/keys.json' }, claims(), own),
    x5c: forge({ ...header, x5c: [publicKey.export({ format: 'der', type: 'spki' }).toString('base64')] }, claims(), own),
    'signed by us': forge({ ...header, jwk }, claims(), sign),
  })
})

await t.test('case 6: any other member of the header, everywhere', (t) =>
  refuses(t, {
    crit: forge({ ...header, crit: ['exp'] }, claims(), sign),
    zip: forge({ ...header, zip: 'DEF' }, claims(), sign),
    b64: forge({ ...header, b64: false, crit: ['b64'] }, claims(), sign),
    cty: forge({ ...header, cty: 'JWT' }, claims(), sign),
  }))

await t.test('case 7: a claim that is missing or of a wrong type, everywhere', (t) => {
  const required = ['iss', 'aud', 'exp', 'iat', 'sub', 'sid']
  return refuses(t, Object.fromEntries(required.flatMap((name) => [
    [`no ${name}`, forge(header, claims({ [name]: undefined }), sign)],
    [`${name} a list`, forge(header, claims({ [name]: [claimsOf(grant.accessToken)[name]] }), sign)],
  ])))
})

await t.test("case 8: no typ, or another's, everywhere", (t) =>
  refuses(t, {
    absent: forge({ kid: key.kid, alg: 'ES256' }, claims(), sign),
    JWT: forge({ ...header, typ: 'JWT' }, claims(), sign),
    refresh: forge({ ...header, typ: 'rt+jwt' }, claims(), sign),
    'logout token': forge({ ...header, typ: 'logout+jwt' }, claims(), sign),
  }))

await t.test('case 9: a token of another kind, everywhere, and no session ends', async (t) => {
  const entered = await clients.tokenset.login(node, person)
  const { idToken } = (entered.json as { tokens: { idToken: string } }).tokens
  const { refreshToken, accessToken } = clients.tokenset.tokensOf(entered)
  const behindGateway = await startTestApp(t, { database: node.database, clock: node.clock, environment: { TRUST_PROXY: '127.0.0.1', VERIFY_TOKEN_AUDIENCES: 'orders' } })
  const answer = await call(behindGateway, '/verify?token_for=orders', { method: 'GET', headers: { authorization: `Bearer ${accessToken}`, 'x-original-uri': '/' } })
  const identityToken = answer.headers.get('x-auth-token') ?? ''
  t.match(claimsOf(identityToken), { token_use: 'identity', sub: person.id })
  await refuses(t, { 'ID token': idToken, 'refresh token': refreshToken, 'identity token': identityToken })
  for (const dialect of everyDialect) {
    const tokens = await enter(node, dialect, person)
    const before = await footprint(node)
    const { secret: apiKey } = await createApiKey(node.core.service, person.id, { name: 'k', scopes: null, expiresAt: null }, { origin: null })
    for (const wrong of [tokens.accessToken, idToken, apiKey]) {
      const answer = await clients[dialect].refresh(node, wrong)
      t.same([answer.status, answer.text], clients[dialect].invalidRefresh)
      t.same(answer.cookies, {})
    }
    t.equal(await footprint(node), before, dialect)
    t.equal((await clients[dialect].refresh(node, tokens.refreshToken)).status, 200)
  }
})

await t.test('case 10: times that cannot be, everywhere', (t) => {
  const now = Math.floor(node.clock.now().getTime() / 1000)
  return refuses(t, {
    'exp a text': forge(header, claims({ exp: String(now + 60) }), sign),
    'exp absurdly far': forge(header, claims({ exp: 1e300 }), sign),
    'exp in milliseconds': forge(header, claims({ exp: (now + 60) * 1000 }), sign),
    'iat ahead': forge(header, claims({ iat: now + 600, exp: now + 1200 }), sign),
    'nbf ahead': forge(header, claims({ nbf: now + 600 }), sign),
  })
})

await t.test('case 10: an expired token, everywhere', async (t) => {
  const now = Math.floor(node.clock.now().getTime() / 1000)
  const token = forge(header, claims({ iat: now - 600, exp: now - 10 }), sign)
  const before = await footprint(node)
  for (const one of calls) {
    const heard = await ask(node, one, { authorization: `Bearer ${token}` })
    t.equal(heard.status, 401, `${one.method} ${one.path}`)
    if (one.path.startsWith('/users/')) t.match(heard.text, 'TOKEN_EXPIRED')
    t.equal(faultOf(heard), null)
  }
  t.equal(await footprint(node), before)
})

await t.test('case 12: a token of 15 KB costs nothing', async (t) => {
  const long = { payload: forge(header, claims({ x: 'x'.repeat(10_800) }), sign).slice(0, -10), letters: 'e'.repeat(15_000), dots: '.'.repeat(15_000), nested: `${base64url('['.repeat(11_000))}.e30.e30` }
  await refuses(t, long)
  const took: number[] = []
  for (let i = 0; i < 20; i += 1) {
    for (const token of Object.values(long)) {
      const startedAt = performance.now()
      await ask(node, { method: 'GET', path: '/verify' }, { authorization: `Bearer ${token}` })
      took.push(performance.now() - startedAt)
    }
  }
  t.comment(`a token of 15 KB is refused within ${quantile(took, 0.5).toFixed(2)} ms (median), ${quantile(took, 0.9).toFixed(2)} ms (p90)`)
  t.ok(quantile(took, 0.5) < 20)
  const { status } = await call(node, '/users/me', { method: 'GET', headers: { authorization: `Bearer ${'x'.repeat(17_000)}` } })
  t.equal(status, 431)
})

/** Over a real connection: no client library sends a header twice. */
async function say({ method, path, body }: ProtectedCall, headers: readonly string[]): Promise<string> {
  const text = body === undefined ? '' : JSON.stringify(body)
  const lines = [`${method} ${path} HTTP/1.1`, 'Host: localhost', 'Connection: close', ...headers, ...(text === '' ? [] : ['Content-Type: application/json']), `Content-Length: ${Buffer.byteLength(text)}`, '', text]
  const client = new RawClient(Number(new URL(node.url).port)).say(lines.join('\r\n'))
  const answer = await client.hearsAnswer()
  client.socket.destroy()
  return answer
}

await t.test('case 13: two good credentials, or one twice, are 400 everywhere, and neither is used', async (t) => {
  const { secret: apiKey } = await createApiKey(node.core.service, person.id, { name: 'k', scopes: null, expiresAt: null }, { origin: null })
  const bearer = `Authorization: Bearer ${grant.accessToken}`
  const before = await footprint(node)
  for (const one of calls) {
    const inQuery = { ...one, path: `${one.path}?access_token=${grant.accessToken}` }
    const answers = {
      'one twice': await say(one, [bearer, bearer]),
      'a key beside it': await say(one, [bearer, `X-API-Key: ${apiKey}`]),
      'a key twice': await say(one, [`X-API-Key: ${apiKey}`, `x-api-key: ${apiKey}`]),
      'in the query too': await say(inQuery, [bearer]),
      'in the query twice': await say({ ...one, path: `${inQuery.path}&access_token=${grant.accessToken}` }, []),
    }
    const statuses = Object.fromEntries(Object.entries(answers).map(([what, answer]) => [what, statusOf(answer)]))
    t.same(statuses, { 'one twice': 400, 'a key beside it': 400, 'a key twice': 400, 'in the query too': 400, 'in the query twice': 400 }, `${one.method} ${one.path}`)
    for (const answer of Object.values(answers)) t.match(answer, /\r\ncache-control: no-store\r\n/i)
  }
  t.equal(await footprint(node), before)
})

await t.test('case 13: a broken header beside a good cookie is refused everywhere', async (t) => {
  const { accessToken } = await enter(node, 'pin', person)
  const before = await footprint(node)
  const wrong: string[] = []
  for (const one of calls) {
    for (const authorization of ['Bearer nonsense', 'Bearer', 'Basic amFuZTp4eA', 'Digest x', accessToken]) {
      // Basic is the way of clients there.
      if (authorization.startsWith('Basic') && one.path.startsWith('/oauth/')) continue
      const fault = notInvalidToken(one, await ask(node, one, { authorization, cookie: `accessToken=${accessToken}` }))
      if (fault !== null) wrong.push(`${authorization.slice(0, 20)}, ${one.method} ${one.path}: ${fault}`)
    }
    const badKey = await ask(node, one, { 'x-api-key': 'nonsense', cookie: `accessToken=${accessToken}` })
    if (badKey.status !== 401) wrong.push(`a bad key, ${one.method} ${one.path}: ${badKey.status}`)
  }
  t.same(wrong, [])
  t.equal(await footprint(node), before)
})

await t.test('case 14: a token in the query counts where it may, and nowhere else', async (t) => {
  const before = await footprint(node)
  for (const one of calls) {
    const heard = await ask(node, { ...one, path: `${one.path}?access_token=${grant.accessToken}` })
    t.equal(heard.status, one.takesQuery ? 200 : 401, `${one.method} ${one.path}`)
    t.same([heard.header('cache-control'), heard.header('referrer-policy')], ['no-store', 'no-referrer'])
    t.notMatch(heard.text, grant.accessToken)
  }
  t.equal(await footprint(node), before)
  t.notOk(node.logLines.join('').includes(grant.accessToken))
})

await t.test('case 15: the tokens of who is suspended or deleted, everywhere, on every node', async (t) => {
  for (const [what, end] of [['suspended', setStatus], ['deleted', deleteUser]] as const) {
    const gone = await newPerson(node)
    const tokens = await Promise.all(everyDialect.map((dialect) => enter(node, dialect, gone)))
    await (end === setStatus ? setStatus(node.core.service, gone.id, 'suspended', operator) : deleteUser(node.core.service, gone.id, operator))
    await refuses(t, Object.fromEntries(tokens.map(({ accessToken }, i) => [`${what}, ${everyDialect[i] ?? ''}`, accessToken])))
    for (const [i, dialect] of everyDialect.entries()) {
      const { accessToken = '', refreshToken = '' } = tokens[i] ?? {}
      await untilDead(other, { accessToken })
      const answer = await clients[dialect].refresh(other, refreshToken)
      t.same([answer.status, answer.text], clients[dialect].invalidRefresh, `${what}: ${dialect}`)
    }
  }
})

await t.test('case 4: a key that was retired or revoked signs nothing that is good, everywhere', async (t) => {
  const old = node.app.signingKeys.current()
  await node.app.signingKeys.rotate(operator)
  await node.clock.advance(31)
  const made = () => forge({ kid: old.kid, alg: 'ES256', typ: 'at+jwt' }, claims(), ecdsa(old.privatePem))
  t.equal((await ask(node, { method: 'GET', path: '/verify' }, { authorization: `Bearer ${made()}` })).status, 200, 'as long as its tokens live')
  await node.clock.advance(3600 + 61)
  const { retired } = await node.app.signingKeys.maintain({ newestMaySignSeconds: null })
  t.same(retired, [old.kid])
  const present = node.app.signingKeys.current()
  await refuses(t, { retired: made(), 'its kid, signed by the present key': forge({ ...header, kid: old.kid }, claims(), ecdsa(present.privatePem)) })
  await node.app.signingKeys.revoke(present.kid, operator)
  await refuses(t, { revoked: forge({ ...header, kid: present.kid }, claims(), ecdsa(present.privatePem)) })
})

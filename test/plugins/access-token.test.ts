import { createHmac, createPublicKey, generateKeyPairSync } from 'node:crypto'
import { createServer, type AddressInfo } from 'node:net'
import { createLocalJWKSet, exportJWK, jwtVerify, SignJWT, type JSONWebKeySet } from 'jose'
import t, { type Test } from 'tap'
import { deleteUser, setStatus } from '../../src/domain/operators.js'
import { startTestApp, type TestApp } from '../support/app.js'
import { call, footprint } from '../support/auth-client.js'
import { base64url, ecdsa, forge, genuine, goodClaims, goodHeader } from '../support/forge.js'
import { logIn } from '../support/log-in.js'

const operator = { kind: 'operator', id: 'test' } as const
const password = 'correct horse battery staple'

const node = await startTestApp(t)
const user = await node.createUser({ username: 'jane.doe', email: 'jane.doe@example.com', password, pin: '4711' })
const grant = await logIn(node, 'jane.doe', password)
const session = { userId: user.id, sessionId: grant.state.session.id }
const key = node.app.signingKeys.current()
const header = goodHeader(node)
const claims = () => goodClaims(node, session)
const sign = genuine(node)

/** Where an access token is asked for, how it is carried there, and how a bad one is refused. */
const protectedPaths: { method: string; path: string; carry: (token: string) => { query?: string; headers?: Record<string, string> }; refused: [number, string] }[] = [
  { method: 'GET', path: '/verify', carry: (token) => ({ headers: { authorization: `Bearer ${token}` } }), refused: [401, 'Invalid token.'] },
  { method: 'GET', path: '/api/v1/auth/keys', carry: (token) => ({ headers: { authorization: `Bearer ${token}` } }), refused: [401, '{"error":"Authentication required"}'] },
  { method: 'POST', path: '/api/v1/auth/logout', carry: (token) => ({ headers: { authorization: `Bearer ${token}` } }), refused: [401, '{"error":"Authentication required"}'] },
  { method: 'POST', path: '/auth/logout', carry: (token) => ({ headers: { cookie: `accessToken=${token}` } }), refused: [401, '{"message":"Unauthorized API access"}'] },
  { method: 'GET', path: '/users/me', carry: (token) => ({ query: `?access_token=${encodeURIComponent(token)}` }), refused: [403, '{"errors":[{"message":"Invalid token.","extensions":{"code":"INVALID_TOKEN"}}]}'] },
]

async function refusesEverywhere(t: Test, what: string, token: string, on: TestApp = node) {
  for (const { method, path, carry, refused: [status, text] } of protectedPaths) {
    const { query = '', headers = {} } = carry(token)
    const answer = await call(on, path + query, { method, headers })
    if (answer.status !== status || !answer.text.includes(text)) t.same([answer.status, answer.text], [status, text], `${what}: ${method} ${path}`)
    if (path === '/verify') t.equal(answer.headers.get('www-authenticate'), 'Bearer error="invalid_token"', what)
  }
}

const status = async (token: string, on: TestApp = node) => (await call(on, '/verify', { method: 'GET', headers: { authorization: `Bearer ${token}` } })).status

/** Every one of them is refused on every path, nothing changes, and the database is not even asked. */
async function refuses(t: Test, tokens: Readonly<Record<string, string>>) {
  const before = await footprint(node)
  let queries = 0
  const count = () => { queries += 1 }
  node.core.pool.on('acquire', count)
  for (const [what, token] of Object.entries(tokens)) await refusesEverywhere(t, what, token)
  node.core.pool.off('acquire', count)
  // What the service does in the background asks now and then.
  t.ok(2 * queries < protectedPaths.length * Object.keys(tokens).length, `${queries} queries`)
  t.equal(await footprint(node), before, 'nothing changed')
}

const order = BigInt('0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551')

/** Of an ECDSA signature (r, s), (r, n − s) is valid too. */
function otherHalf(signature: string): string {
  const bytes = Buffer.from(signature, 'base64url')
  const s = BigInt(`0x${bytes.subarray(32).toString('hex')}`)
  return Buffer.concat([bytes.subarray(0, 32), Buffer.from((order - s).toString(16).padStart(64, '0'), 'hex')]).toString('base64url')
}

/** The same bytes in base64url with other bits after the last one that counts. */
function spareBits(text: string): string[] {
  const letters = Array.from('ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_')
  const bytes = Buffer.from(text, 'base64url')
  return letters.map((letter) => text.slice(0, -1) + letter).filter((other) => other !== text && Buffer.from(other, 'base64url').equals(bytes))
}

await t.test('a token that is forged well in every respect would be accepted: the others fail for what they differ in', async (t) => {
  t.equal(await status(forge(header, claims(), sign)), 200)
})

await t.test('case 1: no algorithm, in any spelling, is no signature', async (t) => {
  const spellings = ['none', 'None', 'NONE', 'nOnE', 'none ', '']
  const [, , oldSignature = ''] = grant.accessToken.split('.')
  await refuses(t, Object.fromEntries(spellings.flatMap((alg) => [
    [`alg ${alg}, empty signature`, forge({ ...header, alg }, claims(), () => '')],
    [`alg ${alg}, old signature`, forge({ ...header, alg }, claims(), () => Buffer.from(oldSignature, 'base64url'))],
    [`alg ${alg}, no kid`, forge({ alg, typ: 'at+jwt' }, claims(), () => '')],
  ])))
  await refuses(t, { 'no signature part': grant.accessToken.split('.').slice(0, 2).join('.'), 'an empty signature': `${grant.accessToken.split('.').slice(0, 2).join('.')}.` })
})

await t.test('case 2: a MAC keyed with our public key is no signature', async (t) => {
  const publicKey = createPublicKey(key.publicPem)
  const jwk = publicKey.export({ format: 'jwk' })
  const secrets: Record<string, string | Buffer> = {
    PEM: key.publicPem,
    'PEM without its last line break': key.publicPem.trimEnd(),
    DER: publicKey.export({ format: 'der', type: 'spki' }),
    JWK: JSON.stringify(jwk),
    'JWK as published': JSON.stringify(key.publicJwk),
    'the point': Buffer.concat([Buffer.from([4]), Buffer.from(jwk.x ?? '', 'base64url'), Buffer.from(jwk.y ?? '', 'base64url')]),
    'the kid': key.kid,
    nothing: '',
  }
  await refuses(t, Object.fromEntries(Object.entries(secrets).flatMap(([name, secret]) =>
    (['HS256', 'HS384', 'HS512'] as const).map((alg) => [
      `${alg} with ${name}`,
      forge({ ...header, alg }, claims(), (input) => createHmac(alg.replace('HS', 'sha'), secret).update(input).digest()),
    ]))))
})

await t.test('case 3: a kid that names none of our keys is refused without looking anywhere', async (t) => {
  const kids: unknown[] = ['unknown', '', 'k'.repeat(4096), '../../../../dev/null', '/etc/passwd', 'file:///etc/passwd', "' OR 1=1 --", "x' UNION SELECT 'secret' --", '__proto__', 'constructor', 'toString', [key.kid], { kid: key.kid }, null, 0, true, `${key.kid}\u0000`, ` ${key.kid}`]
  const empty = (input: string) => createHmac('sha256', '').update(input).digest()
  await refuses(t, Object.fromEntries([
    ['missing', forge({ alg: 'ES256', typ: 'at+jwt' }, claims(), sign)],
    ...kids.map((kid) => [`kid ${JSON.stringify(kid).slice(0, 30)}`, forge({ ...header, kid }, claims(), sign)]),
    ...kids.map((kid) => [`kid ${JSON.stringify(kid).slice(0, 30)} with an empty secret`, forge({ ...header, alg: 'HS256', kid }, claims(), empty)]),
  ] as [string, string][]))
})

await t.test('case 5: a key that comes with the token is not used, and nothing is fetched', async (t) => {
  let connections = 0
  const server = createServer((socket) => {
    connections += 1
    socket.destroy()
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  t.teardown(() => server.close())
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/keys.json`
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const jwk = await exportJWK(publicKey)
  const own = ecdsa(privateKey.export({ format: 'pem', type: 'pkcs8' }).toString())
  const x5c = [publicKey.export({ format: 'der', type: 'spki' }).toString('base64')]
  const members = { jku: { jku: url }, x5u: { x5u: url }, jwk: { jwk }, x5c: { x5c }, all: { jku: url, x5u: url, jwk, x5c, 'x5t#S256': 'x' } }
  await refuses(t, Object.fromEntries(Object.entries(members).flatMap(([name, member]) => [
    [`${name}, our kid`, forge({ ...header, ...member }, claims(), own)],
    [`${name}, its own kid`, forge({ ...header, ...member, kid: 'own' }, claims(), own)],
    [`${name}, signed by us`, forge({ ...header, ...member }, claims(), sign)],
  ])))
  await refuses(t, { 'another key under our kid': await new SignJWT(claims()).setProtectedHeader(header).sign(privateKey) })
  t.equal(connections, 0)
})

await t.test('case 6: a header with any member besides alg, kid and typ is refused', async (t) => {
  const members = { crit: ['exp'], 'crit, empty': [], zip: 'DEF', b64: false, cty: 'JWT', enc: 'A256GCM', nonce: 'x', exp: 9_999_999_999, '': 1, __proto__x: 1 }
  await refuses(t, Object.fromEntries(Object.entries(members).map(([name, value]) => [name, forge({ ...header, [name.split(',')[0] ?? '']: value }, claims(), sign)])))
  await refuses(t, {
    'typ twice': forge(JSON.stringify(header).replace('{', '{"typ":"JWT",').replace('"at+jwt"', '"at+jwt","x":1'), claims(), sign),
    'no object': forge('[]', claims(), sign),
    null: forge('null', claims(), sign),
    'not JSON': forge('{', claims(), sign),
    empty: forge('', claims(), sign),
  })
})

await t.test('case 8: a token of another kind is none: the typ says what it is', async (t) => {
  const types: unknown[] = ['JWT', 'rt+jwt', 'AT+JWT', 'at+JWT', 'application/at+jwt', 'jwt', '', null, 1, ['at+jwt']]
  await refuses(t, Object.fromEntries([
    ['absent', forge({ kid: key.kid, alg: 'ES256' }, claims(), sign)],
    ...types.map((typ) => [`typ ${JSON.stringify(typ)}`, forge({ ...header, typ }, claims(), sign)]),
  ] as [string, string][]))
})

await t.test('case 7: a token without one of its claims, or with one of another type, is refused', async (t) => {
  const required = ['iss', 'aud', 'exp', 'iat', 'sub', 'sid', 'ep', 'jti', 'scope']
  const wrong: Record<string, unknown[]> = {
    iss: ['https://evil.example', 'http://127.0.0.1:9154/', '', null, 1, ['http://127.0.0.1:9154']],
    aud: ['tessera', '', null, [], ['http://127.0.0.1:9154'], ['other', 'http://127.0.0.1:9154'], { 0: 'http://127.0.0.1:9154' }],
    exp: ['9999999999', null, true, 1.5, [], '', '2099-01-01T00:00:00Z'],
    iat: ['0', null, true, 1.5, [], -1],
    sub: ['', null, 1, [user.id], {}],
    sid: ['', null, 1, [session.sessionId]],
    ep: ['0', null, -1, 0.5, []],
    jti: ['', null, 1],
    scope: [null, 1, ['admin']],
    amr: ['pwd', [1]],
    nbf: ['0', null],
    username: [1, null],
    email: [1, null],
  }
  await refuses(t, Object.fromEntries([
    ...required.map((name) => [`no ${name}`, forge(header, { ...claims(), [name]: undefined }, sign)]),
    ...Object.entries(wrong).flatMap(([name, values]) => values.map((value) => [`${name} ${JSON.stringify(value)}`, forge(header, { ...claims(), [name]: value }, sign)])),
    ...['null', '[]', '"text"', '1', '{', ''].map((payload) => [`payload ${payload}`, forge(header, payload, sign)]),
  ] as [string, string][]))
})

await t.test('case 10: times: past, absurdly far, ahead; five seconds are tolerated', async (t) => {
  const now = Math.floor(node.clock.now().getTime() / 1000)
  const at = (changes: Record<string, number>) => forge(header, { ...claims(), ...changes }, sign)
  await refuses(t, {
    'a longer life than any token has': at({ iat: now, exp: now + 3601 }),
    'exp 1e15': at({ exp: 1e15 }),
    'exp 1e300': at({ exp: 1e300 }),
    'exp below zero': at({ exp: -1 }),
    'exp before iat': at({ iat: now, exp: now - 1 }),
    'exp at iat': at({ iat: now, exp: now }),
    'iat ahead': at({ iat: now + 120, exp: now + 3600 }),
    'iat in milliseconds': at({ iat: now * 1000, exp: now * 1000 + 3600 }),
    'nbf ahead': at({ nbf: now + 120 }),
    'nbf absurd': at({ nbf: 1e300 }),
  })
  t.equal(await status(at({ iat: now + 3, exp: now + 60 })), 200, 'a clock that is three seconds ahead')
  t.equal(await status(at({ iat: now - 60, exp: now - 1 })), 200, 'one that is a second behind')
  t.equal(await status(at({ nbf: now - 60 })), 200)
})

await t.test('case 10: an expired token is refused everywhere; directus says that it is expired', async (t) => {
  const now = Math.floor(node.clock.now().getTime() / 1000)
  const expired = forge(header, { ...claims(), iat: now - 3600, exp: now - 30 }, sign)
  const before = await footprint(node)
  for (const { method, path, carry, refused } of protectedPaths) {
    const { query = '', headers = {} } = carry(expired)
    const answer = await call(node, path + query, { method, headers })
    t.equal(answer.status, 401, path)
    t.ok(answer.text.includes(path === '/users/me' ? '{"errors":[{"message":"Token expired.","extensions":{"code":"TOKEN_EXPIRED"}}]}' : path === '/verify' ? 'Token expired.' : refused[1]), path)
  }
  t.equal(await footprint(node), before)
})

await t.test('case 10: a token that was good is expired when its time has come, from the cache too', async (t) => {
  const { accessToken } = await logIn(node, 'jane.doe', '4711', 'pin')
  t.equal(await status(accessToken), 200)
  await node.clock.advance(66)
  t.equal(await status(accessToken), 401)
})

await t.test('case 9: an id token, a refresh token and an API key are refused in one another’s place, and nothing is revoked', async (t) => {
  const { tokens } = (await call(node, '/v1/auth', { body: { username: 'jane.doe', password } })).json as { tokens: { idToken: string; accessToken: string; refreshToken: string } }
  const created = await call(node, '/api/v1/auth/keys', { headers: { authorization: `Bearer ${tokens.accessToken}` } })
  const { apiKey } = created.json as { apiKey: string }
  const before = await footprint(node)
  await refusesEverywhere(t, 'an id token', tokens.idToken)
  await refusesEverywhere(t, 'a refresh token', tokens.refreshToken)
  t.equal((await call(node, `/users/me?access_token=${apiKey}`, { method: 'GET' })).status, 403, 'a key in a query')
  t.equal((await call(node, '/users/me', { method: 'GET', headers: { cookie: `accessToken=${apiKey}` } })).status, 403, 'a key in a cookie')
  for (const token of Object.values(tokens)) t.equal((await call(node, '/verify', { method: 'GET', headers: { 'x-api-key': token } })).status, 401, 'a token as a key')
  for (const token of [tokens.idToken, tokens.accessToken, apiKey]) {
    t.equal((await call(node, '/v1/auth/refreshtoken', { body: { refreshtoken: token } })).status, 400)
    t.equal((await call(node, '/api/v1/auth/refresh', { body: { refreshToken: token } })).status, 401)
    t.equal((await call(node, '/auth/refresh', { body: { refresh_token: token } })).status, 401)
    t.equal((await call(node, '/auth/refresh', { headers: { cookie: `refreshToken=${token}` } })).status, 401)
  }
  t.equal(await footprint(node), before)
  t.equal(await status(tokens.accessToken), 200)
})

await t.test('case 11: a copy of a token in another spelling is dead with it', async (t) => {
  const { accessToken } = await logIn(node, 'jane.doe', password)
  const [head = '', payload = '', signature = ''] = accessToken.split('.')
  const copies = [accessToken, `${head}.${payload}.${otherHalf(signature)}`, ...spareBits(signature).map((text) => `${head}.${payload}.${text}`), `${accessToken}=`, ...spareBits(payload).map((text) => `${head}.${text}.${signature}`), ...spareBits(head).map((text) => `${text}.${payload}.${signature}`)]
  t.ok(copies.length >= 5)
  t.equal(await status(`${head}.${payload}.${otherHalf(signature)}`), 200, 'the other half of the signature is as good as the one')
  t.equal((await call(node, '/api/v1/auth/logout', { headers: { authorization: `Bearer ${accessToken}` } })).status, 200)
  for (const copy of copies) await refusesEverywhere(t, 'after the logout', copy)
})

await t.test('case 12: a long token is refused, a longer header too', async (t) => {
  await refuses(t, { '14 KB of payload': forge(header, { ...claims(), iss: 'x'.repeat(10_000) }, sign), 'dots': '.'.repeat(15_000), 'letters': 'e'.repeat(15_000), 'brackets': base64url('['.repeat(5000)).concat('.e30.e30') })
  t.equal((await call(node, '/verify', { method: 'GET', headers: { authorization: `Bearer ${'x'.repeat(17_000)}` } })).status, 431)
})

await t.test('case 15: the tokens of a suspended or deleted user are refused everywhere', async (t) => {
  const suspended = await node.createUser({ username: 'suspended', password })
  const deleted = await node.createUser({ username: 'deleted', password })
  const tokens = { suspended: (await logIn(node, 'suspended', password)).accessToken, deleted: (await logIn(node, 'deleted', password)).accessToken }
  t.same([await status(tokens.suspended), await status(tokens.deleted)], [200, 200])
  await setStatus(node.core.service, suspended.id, 'suspended', operator)
  await deleteUser(node.core.service, deleted.id, operator)
  for (const [what, token] of Object.entries(tokens)) await refusesEverywhere(t, what, token)
  await setStatus(node.core.service, suspended.id, 'active', operator)
  await refusesEverywhere(t, 'active again: the old token stays dead', tokens.suspended)
})

await t.test('case 4: the keys of other algorithms verify their own only, and a withdrawn key none', async (t) => {
  const first = await startTestApp(t)
  const someone = await first.createUser({ username: 'jane.doe', password })
  const before = await logIn(first, 'jane.doe', password)
  const es256 = first.app.signingKeys.current()
  const own = { userId: someone.id, sessionId: before.state.session.id }

  for (const alg of ['EdDSA', 'RS256'] as const) {
    const other = await startTestApp(t, { database: first.database, clock: first.clock, environment: { SIGNING_ALG: alg } })
    await first.clock.advance(31)
    await first.app.signingKeys.reload()
    const token = (await logIn(other, 'jane.doe', password)).accessToken
    const set = (await call(other, '/.well-known/jwks.json', { method: 'GET' })).json as JSONWebKeySet
    const { protectedHeader } = await jwtVerify(token, createLocalJWKSet(set), { algorithms: [alg], currentDate: first.clock.now() })
    t.same(Object.keys(protectedHeader), ['kid', 'alg', 'typ'])
    t.ok(token.startsWith('eyJraWQi'), 'kid first, whatever the algorithm')
    t.same([await status(token, first), await status(before.accessToken, other)], [200, 200], `${alg} beside ES256`)

    const { kid } = other.app.signingKeys.current()
    const claimed = goodClaims(first, own)
    for (const forged of [{ ...header, kid }, { ...header, kid, alg }, { ...header, kid: es256.kid, alg }]) {
      await refusesEverywhere(t, `${alg}: ${JSON.stringify(forged)}`, forge(forged, claimed, ecdsa(es256.privatePem)), first)
    }
  }

  t.equal(await status(before.accessToken, first), 200)
  await first.app.signingKeys.revoke(es256.kid, operator)
  t.equal(await status(before.accessToken, first), 401, 'from the cache too')
  await refusesEverywhere(t, 'forged with a key that is known outside', forge({ kid: es256.kid, alg: 'ES256', typ: 'at+jwt' }, goodClaims(first, own), ecdsa(es256.privatePem)), first)
})

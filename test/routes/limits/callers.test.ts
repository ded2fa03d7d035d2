import { generateKeyPairSync } from 'node:crypto'
import t, { type Test } from 'tap'
import { createClient } from '../../../src/domain/clients.js'
import { newApiKey } from '../../support/account.js'
import { startTestApp, type TestApp } from '../../support/app.js'
import { call, type Answer } from '../../support/auth-client.js'
import { assertionOf, clientOf, postForm, tokenOf, type Authentication } from '../../support/oauth.js'

const operator = { kind: 'operator', id: 'test' } as const
const limits = { RATE_LIMIT: 'on', RATE_LIMIT_DEFAULT: '6/min', RATE_LIMIT_REFRESH: '6/min', RATE_LIMIT_CLIENT: '12/min', RATE_LIMIT_FEED: '12/min', TRUST_PROXY: '127.0.0.1' }

const start = (t: Test, environment: Record<string, string> = {}): Promise<TestApp> => startTestApp(t, { environment: { ...limits, ...environment } })

async function newService(node: TestApp, name: string, scopes: readonly string[] = ['introspect', 'revocations', 'revoke']): Promise<{ id: string; secret: string; basic: Authentication }> {
  const { client, secret } = await createClient(node.core.service, { name, scopes, accessSeconds: null, jwks: null }, operator, 3600)
  return { id: client.id, secret: secret ?? '', basic: clientOf(client.id, secret ?? '') }
}

const from = (address: string, { form = {}, headers = {} }: Authentication): Authentication => ({ form, headers: { ...headers, 'x-forwarded-for': address } })
const introspect = (node: TestApp, who: Authentication, address = '198.51.100.1'): Promise<Answer> =>
  postForm(node, '/oauth/introspect', from(address, { headers: who.headers ?? {}, form: { ...who.form, token: 'garbage' } }))
const feed = (node: TestApp, authorization: string, address = '198.51.100.1'): Promise<Answer> =>
  call(node, '/revocations', { method: 'GET', headers: { authorization, 'x-forwarded-for': address } })

async function statuses(times: number, ask: () => Promise<Answer>): Promise<number[]> {
  const all: number[] = []
  for (let i = 0; i < times; i += 1) all.push((await ask()).status)
  return all
}

const many = (times: number, status: number): number[] => Array<number>(times).fill(status)

await t.test('services behind one address have a limit each, and one that uses up its own starves no other [attack:introspection-flood]', async (t) => {
  const node = await start(t)
  const [flooded, other] = [await newService(node, 'orders'), await newService(node, 'billing')]
  // The first call of each shows a credential that nobody knows yet: it counts for the address.
  t.strictSame([await statuses(1, () => introspect(node, flooded.basic)), await statuses(1, () => introspect(node, other.basic))], [[200], [200]])
  t.strictSame(await statuses(14, () => introspect(node, flooded.basic)), [...many(12, 200), 429, 429])
  t.strictSame(await statuses(12, () => introspect(node, other.basic)), many(12, 200))
  const refused = await introspect(node, flooded.basic)
  t.match(refused.headers.get('ratelimit'), /^"client";r=0;/)
  t.match(refused.headers.get('retry-after'), /^\d+$/)
})

await t.test('one service on many addresses has one limit', async (t) => {
  const node = await start(t)
  const { basic } = await newService(node, 'orders')
  t.equal((await introspect(node, basic, '203.0.113.1')).status, 200)
  let i = 0
  t.strictSame(await statuses(13, () => introspect(node, basic, `203.0.113.${(i += 1) % 9}`)), [...many(12, 200), 429])
})

await t.test('the feed has a limit of its own, which no introspection uses up [attack:feed-starved]', async (t) => {
  const node = await start(t)
  const { basic } = await newService(node, 'orders')
  const { accessToken } = await tokenOf(node, from('198.51.100.1', basic))
  const bearer = { headers: { authorization: `Bearer ${accessToken}` } }
  await statuses(20, () => introspect(node, bearer))
  await statuses(20, () => introspect(node, { headers: { authorization: 'Bearer garbage' } }))
  t.equal((await introspect(node, bearer)).status, 429)
  t.strictSame(await statuses(12, () => feed(node, `Bearer ${accessToken}`)), many(12, 200), 'the feed answers')
  const key = await newApiKey(node, (await node.createUser({ username: 'robot', role: 'admin' })).id)
  t.ok([200, 403].includes((await feed(node, `Bearer ${key}`, '198.51.100.2')).status), 'and another caller is not concerned')
})

await t.test('wrong credentials count for their address, and the service next door goes on [attack:wrong-clients-behind-one-address]', async (t) => {
  const node = await start(t)
  const good = await newService(node, 'orders')
  t.equal((await introspect(node, good.basic)).status, 200)
  const wrong = clientOf(good.id, 'wrong')
  t.strictSame(await statuses(8, () => introspect(node, wrong)), [...many(5, 401), 429, 429, 429])
  t.strictSame(await statuses(5, () => introspect(node, good.basic)), many(5, 200))
  t.strictSame(await statuses(1, () => introspect(node, wrong, '203.0.113.9')), [401])
  t.strictSame(await statuses(14, () => feed(node, 'Bearer sk_live_x', '203.0.113.50')), [...many(12, 401), 429, 429], 'at the feed as well')
})

await t.test('a credential in the body is counted by client once it was right, and by address while it is wrong', async (t) => {
  const node = await start(t, { RATE_LIMIT_CLIENT: '20/min' })
  const { id, secret } = await newService(node, 'orders')
  const inBody = (given: string): Authentication => ({ form: { client_id: id, client_secret: given } })
  t.strictSame(await statuses(10, () => introspect(node, inBody(secret))), many(10, 200), 'more than RATE_LIMIT_DEFAULT')
  t.strictSame(await statuses(8, () => introspect(node, inBody('wrong'), '203.0.113.9')), [...many(6, 401), 429, 429])
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const jwks = { keys: [{ ...publicKey.export({ format: 'jwk' }), kid: 'one', alg: 'ES256', use: 'sig' }] }
  const { client } = await createClient(node.core.service, { name: 'signed', scopes: ['introspect'], accessSeconds: null, jwks }, operator, 3600)
  const signed = (): Promise<Answer> => introspect(node, assertionOf(node, { clientId: client.id, key: { privateKey, kid: 'one' } }), '192.0.2.1')
  t.strictSame(await statuses(10, signed), many(10, 200), 'an assertion is another one every time')
})

await t.test('a client that is revoked is counted by its address again', async (t) => {
  const node = await start(t)
  const { id, basic } = await newService(node, 'orders')
  t.equal((await introspect(node, basic)).status, 200)
  t.ok(await node.core.service.repository.clients.delete(id))
  t.strictSame(await statuses(8, () => introspect(node, basic)), [...many(6, 401), 429, 429])
})

await t.test('at the token endpoint a client is counted by client, and refresh tokens without one by address', async (t) => {
  const node = await start(t)
  const { basic } = await newService(node, 'orders')
  const ask = (who: Authentication, form: Record<string, string>): Promise<Answer> => postForm(node, '/oauth/token', from('198.51.100.1', { headers: who.headers ?? {}, form }))
  t.equal((await ask(basic, { grant_type: 'client_credentials' })).status, 200)
  t.strictSame(await statuses(12, () => ask(basic, { grant_type: 'client_credentials' })), many(12, 200))
  t.strictSame(await statuses(8, () => ask({}, { grant_type: 'refresh_token', refresh_token: 'garbage' })), [...many(5, 400), 429, 429, 429])
})

import { randomBytes, randomUUID } from 'node:crypto'
import t from 'tap'
import { call } from '../support/auth-client.js'
import { inParallel } from '../support/statistics.js'
import { startFleet, startVerifier, kidOf, untilAnswer, verifierFate, verifyStatus } from '../support/fleet.js'
import { forge, genuine, goodClaims, goodHeader } from '../support/forge.js'
import { openSession } from '../support/sessions.js'
import { recordStatements } from '../support/statements.js'
import { createTcpProxy } from '../support/tcp-proxy.js'
import { startTestApp, type TestApp } from '../support/app.js'

/** Keys that change while a fleet is at work. The long form, under load and in processes of their own: test/faults/key-rotation.test.ts. */

const operator = { kind: 'operator', id: 'test' } as const

await t.test('a key is rotated twice: every node and verifier takes the tokens of all three, whichever node signed them', async (t) => {
  const [a, b] = await startFleet(t, 2)
  let keysRead = ''
  const verifier = await startVerifier(t, a, {
    fetch: async (input, init) => {
      const response = await fetch(input, init)
      if (new URL(input instanceof Request ? input.url : input).pathname === '/.well-known/jwks.json') keysRead = await response.clone().text()
      return response
    },
  })
  const user = await a.createUser({ username: 'jane' })
  const tokens: string[] = []
  const allPass = async (why: string) => {
    for (const node of [a, b ?? a]) {
      const { accessToken } = await openSession(node, user)
      tokens.push(accessToken)
      t.strictSame(await Promise.all([verifyStatus(a, accessToken), verifyStatus(b ?? a, accessToken), verifierFate(verifier, accessToken)]), [200, 200, 'alive'], why)
    }
  }
  await allPass('before')
  for (const round of ['once', 'twice']) {
    const kid = await (round === 'once' ? a : b ?? a).app.signingKeys.rotate(operator)
    const knows = (node: TestApp) => Promise.resolve(node.app.signingKeys.find(kid) !== null)
    for (const node of [a, b ?? a]) t.ok(Number.isFinite(await untilAnswer(() => knows(node), true)), 'every node has heard of it')
    await allPass(`rotated ${round}, and published`)
    t.ok(Number.isFinite(await untilAnswer(() => Promise.resolve(keysRead.includes(kid)), true)), 'and so has the verifier, before the key signs')
    await a.clock.advance(31)
    await allPass(`rotated ${round}, and signing`)
    t.equal(kidOf(tokens.at(-1) ?? ''), kid)
  }
  t.equal(new Set(tokens.map(kidOf)).size, 3)
  for (const token of tokens) t.strictSame([await verifyStatus(b ?? a, token), await verifierFate(verifier, token)], [200, 'alive'], 'the older ones too')
})

await t.test('a key that is revoked is believed nowhere, at once', async (t) => {
  const [a, b = a] = await startFleet(t, 2)
  const verifier = await startVerifier(t, b)
  const user = await a.createUser({ username: 'jane' })
  const { accessToken } = await openSession(a, user)
  t.strictSame([await verifyStatus(a, accessToken), await verifyStatus(b, accessToken), await verifierFate(verifier, accessToken)], [200, 200, 'alive'])
  await a.app.signingKeys.revoke(kidOf(accessToken), operator)
  t.equal(await verifyStatus(a, accessToken), 401, 'on the node that was told, with the acknowledgement')
  const next = (await openSession(a, user)).accessToken
  t.equal(await verifyStatus(b, next), 200, 'what the new key signs is good everywhere, at once')
  const onB = await untilAnswer(() => verifyStatus(b, accessToken), 401)
  const inVerifier = await untilAnswer(() => verifierFate(verifier, accessToken), 'invalid')
  t.ok(onB < 2000, `on the other node after ${Math.round(onB)} ms`)
  t.ok(inVerifier < 5000, `in a verifier after ${Math.round(inVerifier)} ms`)
  t.ok(Number.isFinite(await untilAnswer(() => verifierFate(verifier, next), 'alive')))
})

await t.test('a node that no notification reaches asks for a key that it does not know', async (t) => {
  const a = await startTestApp(t)
  const proxy = await createTcpProxy(t, a.database.connectionString)
  const deaf = await startTestApp(t, { database: a.database, clock: a.clock, environment: { DATABASE_LISTEN_URL: proxy.connectionString } })
  const user = await a.createUser({ username: 'jane' })
  proxy.silence()
  proxy.silenceNewOnes(true)
  await a.app.signingKeys.revoke(a.app.signingKeys.current().kid, operator)
  t.equal(await verifyStatus(deaf, (await openSession(a, user)).accessToken), 200)
})

await t.test('1,000 unknown kids cost a verifier at most two reads of the JWKS, and a node at most one query a second', async (t) => {
  const [node] = await startFleet(t, 1)
  let reads = 0
  const counting: typeof fetch = (input, init) => {
    if (new URL(input instanceof Request ? input.url : input).pathname === '/.well-known/jwks.json') reads += 1
    return fetch(input, init)
  }
  const verifier = await startVerifier(t, node, { fetch: counting })
  const claims = goodClaims(node, { userId: randomUUID(), sessionId: randomUUID() })
  const forged = Array.from({ length: 1000 }, () => forge({ ...goodHeader(node), kid: randomBytes(16).toString('base64url') }, claims, genuine(node)))
  const fates = new Set<string>()
  await inParallel(forged, 50, async (token) => {
    fates.add(await verifierFate(verifier, token))
  })
  t.strictSame([...fates], ['invalid'])
  t.ok(reads <= 2, `${reads} reads`)

  const statements = recordStatements(node.core.pool)
  const startedAt = performance.now()
  const statuses = new Set<number>()
  for (let i = 0; i < 300; i += 50) for (const status of await Promise.all(forged.slice(i, i + 50).map((token) => verifyStatus(node, token)))) statuses.add(status)
  const seconds = (performance.now() - startedAt) / 1000
  t.strictSame([...statuses], [401])
  const questions = statements.take().filter((text) => text.includes('FROM signing_keys')).length
  t.ok(questions >= 1 && questions <= Math.floor(seconds) + 1, `${questions} questions in ${seconds.toFixed(1)} s`)
  t.comment(`1,000 unknown kids: ${reads} reads of the JWKS by the verifier; 300 at a node: ${questions} questions to the database in ${seconds.toFixed(1)} s`)
})

await t.test('a verifier asks a tessera that does not answer no more often for that', async (t) => {
  const [node] = await startFleet(t, 1)
  let reads = 0
  const refusing: typeof fetch = (input, init) => {
    if (new URL(input instanceof Request ? input.url : input).pathname !== '/.well-known/jwks.json') return fetch(input, init)
    reads += 1
    return Promise.resolve(new Response('out of order', { status: 500 }))
  }
  const verifier = await startVerifier(t, node, { fetch: refusing })
  const startedAt = performance.now()
  for (let i = 0; i < 50; i += 1) t.equal(await verifierFate(verifier, forge(goodHeader(node), {}, genuine(node))), 'unavailable')
  const seconds = (performance.now() - startedAt) / 1000
  t.ok(reads <= Math.floor(seconds) + 2, `${reads} reads in ${seconds.toFixed(1)} s`)
})

for (const alg of ['ES256', 'EdDSA', 'RS256'] as const) {
  await t.test(`tokens by ${alg} are good on another node and in a verifier, and bad with another signature`, async (t) => {
    const [a, b = a] = await startFleet(t, 2, { environment: { SIGNING_ALG: alg } })
    const verifier = await startVerifier(t, b)
    const { accessToken, refreshToken } = await openSession(a, await a.createUser({ username: 'jane' }))
    const { json } = await call(b, '/api/v1/auth/refresh', { body: { refreshToken } })
    const { token } = { token: '', ...(typeof json === 'object' ? json : {}) }
    for (const one of [accessToken, token]) t.strictSame([await verifyStatus(a, one), await verifyStatus(b, one), await verifierFate(verifier, one)], [200, 200, 'alive'])
    const [header = '', payload = ''] = accessToken.split('.')
    const spliced = [header, payload, token.split('.')[2]].join('.')
    t.strictSame([await verifyStatus(b, spliced), await verifierFate(verifier, spliced)], [401, 'invalid'])
  })
}

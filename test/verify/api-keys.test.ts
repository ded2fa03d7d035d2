import t, { type Test } from 'tap'
import { createApiKey, isWellFormedKey, newApiKeySecret } from '../../src/domain/api-keys.js'
import { setStatus } from '../../src/domain/operators.js'
import type { Verifier, VerifierOptions } from '../../src/verify/index.js'
import * as offline from '../../src/verify/api-key-form.js'
import { startTestApp, type TestApp } from '../support/app.js'
import { startVerifier, untilAnswer, verifierFate } from '../support/fleet.js'
import { logIn } from '../support/log-in.js'
import { times } from '../support/repository.js'

const password = 'correct horse'
const node = await startTestApp(t)
const jane = await node.createUser({ username: 'jane', password })
const newKey = async (): Promise<string> => (await createApiKey(node.core.service, jane.id, { name: 'k', scopes: null, expiresAt: null }, { origin: null })).secret

interface Counted {
  readonly verifier: Verifier
  /** How often tessera was asked about a credential. */
  readonly asked: () => number
  readonly mostAtOnce: () => number
  /** What the next questions are answered instead of by tessera. */
  readonly answer: (response: (() => Response) | null) => void
}

async function countedVerifier(t: Test, app: TestApp, options: Partial<VerifierOptions> = {}): Promise<Counted> {
  let [asked, inFlight, most] = [0, 0, 0]
  let instead: (() => Response) | null = null
  const counting: typeof fetch = async (url, init) => {
    if (!(url as string).endsWith('/oauth/introspect')) return fetch(url, init)
    asked += 1
    inFlight += 1
    most = Math.max(most, inFlight)
    try {
      return instead ? instead() : await fetch(url, init)
    } finally {
      inFlight -= 1
    }
  }
  const verifier = await startVerifier(t, app, { fetch: counting, maxLagMs: 20_000, ...options })
  return { verifier, asked: () => asked, mostAtOnce: () => most, answer: (response) => (instead = response) }
}

await t.test('the checksum that a service tries first is tessera’s own', (t) => {
  const genuine = times(200, () => newApiKeySecret())
  const damaged = genuine.flatMap((key) => [key.slice(0, -1), `${key}x`, key.toLowerCase(), key.slice(0, 20) + (key[20] === 'a' ? 'b' : 'a') + key.slice(21), key.replace('live', 'test')])
  for (const key of genuine) t.ok(offline.isWellFormedKey(key) && isWellFormedKey(key))
  for (const key of damaged) t.equal(offline.isWellFormedKey(key), isWellFormedKey(key), key)
  t.end()
})

await t.test('3,300 requests with a made-up key ask tessera nothing, and users are let in [attack:made-up-keys-at-a-service]', async (t) => {
  const { verifier, asked } = await countedVerifier(t, node)
  const { accessToken } = await logIn(node, 'jane', password)
  const madeUp = times(3300, (i) => (i % 3 === 0 ? 'sk_live_x' : `sk_live_${String(i).padStart(38, '0')}`))
  t.same([...new Set(await Promise.all(madeUp.map((key) => verifierFate(verifier, key))))], ['invalid'])
  t.equal(asked(), 0)
  t.equal(await verifierFate(verifier, accessToken), 'alive')
})

await t.test('unknown keys with a good checksum: a few questions at a time, the rest unavailable, and nobody else waits for them', async (t) => {
  const { verifier, asked, mostAtOnce } = await countedVerifier(t, node)
  const { accessToken } = await logIn(node, 'jane', password)
  const good = await newKey()
  t.equal((await verifier.verify(good)).subject, jane.id)
  const fates = Promise.all(times(600, () => verifierFate(verifier, newApiKeySecret())))
  t.equal(await verifierFate(verifier, accessToken), 'alive')
  t.equal((await verifier.verify(good)).subject, jane.id)
  const counts = new Map<string, number>()
  for (const fate of await fates) counts.set(fate, (counts.get(fate) ?? 0) + 1)
  t.ok((counts.get('unavailable') ?? 0) >= 500, 'those are told to come again')
  t.equal((counts.get('unavailable') ?? 0) + (counts.get('invalid') ?? 0), 600)
  t.ok(mostAtOnce() <= 8, `${mostAtOnce()} at once`)
  t.ok(asked() <= 1 + 8 + 64, `${asked()} in all`)
})

await t.test('when many keys were bad, no more unknown ones are asked about for a while, and known ones still are', async (t) => {
  let ahead = 0
  const { verifier, asked } = await countedVerifier(t, node, { now: () => node.clock.now().getTime() + ahead })
  const good = await newKey()
  await verifier.verify(good)
  for (let round = 0; round < 12; round += 1) await Promise.all(times(10, () => verifierFate(verifier, newApiKeySecret())))
  const askedSoFar = asked()
  t.ok(askedSoFar <= 135, `${askedSoFar} questions`)
  ahead += 31_000
  t.equal((await verifier.verify(good)).subject, jane.id, 'its time in memory is over')
  t.equal(asked(), askedSoFar + 1)
  t.equal(await verifierFate(verifier, newApiKeySecret()), 'invalid', 'and after that while they are')
})

await t.test('one key is asked about once, however many show it, good or bad; a bad one again after a few seconds', async (t) => {
  let ahead = 0
  const { verifier, asked } = await countedVerifier(t, node, { now: () => node.clock.now().getTime() + ahead })
  const [good, bad] = [await newKey(), newApiKeySecret()]
  const showAll = (key: string) => Promise.all(times(200, () => verifierFate(verifier, key)))
  t.same([...new Set(await showAll(good))], ['alive'])
  t.equal(asked(), 1)
  t.same([...new Set([...(await showAll(bad)), ...(await showAll(bad))])], ['invalid'])
  t.equal(asked(), 2)
  ahead += 6000
  t.equal(await verifierFate(verifier, bad), 'invalid')
  t.equal(asked(), 3)
})

await t.test('a key whose owner is suspended and let in again serves again, without a restart', async (t) => {
  let ahead = 0
  const { verifier } = await countedVerifier(t, node, { now: () => node.clock.now().getTime() + ahead })
  const eve = await node.createUser({ username: 'eve', password })
  const { secret } = await createApiKey(node.core.service, eve.id, { name: 'k', scopes: null, expiresAt: null }, { origin: null })
  t.equal(await verifierFate(verifier, secret), 'alive')
  await setStatus(node.core.service, eve.id, 'suspended', { kind: 'operator', id: 'test' })
  t.ok(Number.isFinite(await untilAnswer(() => verifierFate(verifier, secret), 'invalid')), 'the feed drops it')
  await setStatus(node.core.service, eve.id, 'active', { kind: 'operator', id: 'test' })
  ahead += 6000
  t.equal(await verifierFate(verifier, secret), 'alive')
})

await t.test('a key is not believed past its own end, however fresh it is in memory', async (t) => {
  let ahead = 0
  const { verifier, answer } = await countedVerifier(t, node, { now: () => node.clock.now().getTime() + ahead })
  const end = new Date(Math.ceil(node.clock.now().getTime() / 1000) * 1000 + 10_000)
  const { secret } = await createApiKey(node.core.service, jane.id, { name: 'short', scopes: null, expiresAt: end }, { origin: null })
  t.same((await verifier.verify(secret)).expiresAt, end)
  ahead += 11_000
  // As it was answered before: the service's own time is what counts here.
  answer(() => Response.json({ active: true, sub: jane.id, key_id: 'k', exp: end.getTime() / 1000 }))
  t.equal(await verifierFate(verifier, secret), 'invalid')
})

await t.test('after a 429 no question is asked until it may be, and what is in memory serves on', async (t) => {
  const { verifier, asked, answer } = await countedVerifier(t, node)
  const [good, other] = [await newKey(), await newKey()]
  await verifier.verify(good)
  answer(() => new Response(null, { status: 429, headers: { 'retry-after': '1' } }))
  t.equal(await verifierFate(verifier, other), 'unavailable')
  answer(null)
  const before = asked()
  t.same(await Promise.all(times(20, () => verifierFate(verifier, other))), times(20, () => 'unavailable'))
  t.equal(asked(), before)
  t.equal(await verifierFate(verifier, good), 'alive')
  t.ok(Number.isFinite(await untilAnswer(() => verifierFate(verifier, other), 'alive')))
})

import { setTimeout as pause } from 'node:timers/promises'
import t from 'tap'
import { createApiKey, newApiKeySecret } from '../../src/domain/api-keys.js'
import { startTestApp } from '../support/app.js'
import { startVerifier, verifierFate } from '../support/fleet.js'
import { logIn } from '../support/log-in.js'

const password = 'correct horse'
const seconds = 15

await t.test(`for ${seconds} s a service is flooded with garbage, and tessera with introspections from its address: its users are let in throughout [fault:garbage-flood]`, { timeout: 120_000 }, async (t) => {
  const node = await startTestApp(t, { environment: { RATE_LIMIT: 'on', RATE_LIMIT_DEFAULT: '300/min' } })
  const jane = await node.createUser({ username: 'jane', password })
  const { accessToken } = await logIn(node, 'jane', password)
  const { secret } = await createApiKey(node.core.service, jane.id, { name: 'k', scopes: null, expiresAt: null }, { origin: null })
  const verifier = await startVerifier(t, node)
  const endsAt = performance.now() + seconds * 1000
  const counts = { garbage: 0, strangers: 0, limited: 0 }
  const fates = new Map<string, number>()
  const garbage = async (): Promise<void> => {
    for (let i = 0; performance.now() < endsAt; i += 1) {
      await verifierFate(verifier, i % 2 === 0 ? 'sk_live_x' : newApiKeySecret())
      counts.garbage += 1
      await pause(1)
    }
  }
  const stranger = async (): Promise<void> => {
    while (performance.now() < endsAt) {
      const { status } = await fetch(`${node.url}/oauth/introspect`, { method: 'POST', headers: { authorization: 'Bearer sk_live_x', 'content-type': 'application/json' }, body: '{"token":"x"}' })
      counts.strangers += 1
      if (status === 429) counts.limited += 1
      await pause(2)
    }
  }
  const user = async (credential: string): Promise<void> => {
    while (performance.now() < endsAt) {
      const fate = await verifierFate(verifier, credential)
      fates.set(fate, (fates.get(fate) ?? 0) + 1)
      await pause(20)
    }
  }
  await Promise.all([garbage(), garbage(), stranger(), user(accessToken), user(secret)])
  t.ok(counts.garbage > 1000 && counts.limited > 0, `${counts.garbage} requests with garbage; ${counts.limited} of ${counts.strangers} of a stranger were limited`)
  t.strictSame([...fates.keys()], ['alive'], JSON.stringify([...fates]))
})

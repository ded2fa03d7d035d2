import type { Test } from 'tap'
import { setTimeout as pause } from 'node:timers/promises'
import { createClient } from '../../src/domain/clients.js'
import { createVerifier, type Verifier, type VerifierOptions } from '../../src/verify/index.js'
import { startTestApp, type TestApp, type TestAppOptions } from './app.js'
import { call, type Answer } from './auth-client.js'

/** Several nodes over one database and one clock, as a gateway sees them. */
export async function startFleet(t: Test, size: number, options: TestAppOptions = {}): Promise<[TestApp, ...TestApp[]]> {
  const first = await startTestApp(t, options)
  const others: TestApp[] = []
  for (let i = 1; i < size; i += 1) others.push(await startTestApp(t, { ...options, database: first.database, clock: first.clock }))
  return [first, ...others]
}

/** A service of the fleet that verifies tokens by itself; it has read the first news. */
export async function startVerifier(t: Test, node: TestApp, options: Partial<VerifierOptions> = {}): Promise<Verifier> {
  const request = { name: 'verifier', scopes: ['revocations', 'introspect'], accessSeconds: null, jwks: null }
  const { client, secret } = await createClient(node.core.service, request, { kind: 'service', id: 'test' }, 3600)
  const verifier = createVerifier({
    issuer: node.config.publicUrl.href,
    baseUrl: node.url,
    credential: { clientId: client.id, clientSecret: secret ?? '' },
    now: () => node.clock.now().getTime(),
    ...options,
  })
  t.teardown(() => {
    verifier.close()
  })
  await verifier.ready()
  return verifier
}

/** `alive`, or why not. */
export const verifierFate = (verifier: Verifier, token: string): Promise<string> =>
  verifier.verify(token).then(() => 'alive', (error: unknown) => (error instanceof Error && 'code' in error ? String(error.code) : String(error)))

/** What a gateway is told about a token. */
export async function verifyStatus({ url }: { readonly url: string }, token: string): Promise<number> {
  return (await verify(url, token)).status
}

export const verify = (url: string, token: string): Promise<Answer> => call({ url }, '/verify', { method: 'GET', headers: { authorization: `Bearer ${token}` } })

/** Asks until the answer is the expected one. @returns how long that took, in milliseconds; Infinity if it never came */
export async function untilAnswer<T>(ask: () => Promise<T>, expected: T, withinMs = 10_000): Promise<number> {
  const startedAt = performance.now()
  while ((await ask()) !== expected) {
    if (performance.now() - startedAt > withinMs) return Infinity
    await pause(5)
  }
  return performance.now() - startedAt
}

/** The header of a token, unverified. */
export const kidOf = (token: string): string => {
  const header: unknown = JSON.parse(Buffer.from(token.split('.')[0] ?? '', 'base64url').toString())
  return typeof header === 'object' && header !== null && 'kid' in header ? String(header.kid) : ''
}

import { v7 as uuidv7 } from 'uuid'
import { AuthError } from '../../src/domain/errors.js'
import { issueGrant, type Grant } from '../../src/domain/grants.js'
import type { DialectName, User } from '../../src/domain/model.js'
import type { Service } from '../../src/domain/service.js'
import type { TestApp } from './app.js'
import { inParallel } from './statistics.js'

/** What the domain works with, on this node. */
export const serviceOf = ({ app, core, config }: TestApp): Service => ({
  ...core.service,
  accessTokens: app.accessTokens,
  revocations: { isFresh: () => app.revocationFeed.isFresh(), isTokenDead: () => Promise.resolve(false) },
  settings: { issuer: config.publicUrl.href, audience: config.audience, publicClientId: config.tokensetClientId, refreshGraceSeconds: config.refreshGraceSeconds, apiKeyMaxAgeSeconds: config.apiKeyMaxAgeSeconds, dialects: app.dialectPolicies },
})

/** A session without a login: for tests that need thousands, and are about something else than who gets in. */
export async function openSession(node: TestApp, user: User, dialect: DialectName = 'bearer'): Promise<Grant> {
  const service = serviceOf(node)
  const policy = node.app.dialectPolicies[dialect]
  const state = await service.repository.sessions.open({
    id: uuidv7(),
    userId: user.id,
    dialect,
    amr: ['pwd'],
    ip: '127.0.0.1',
    userAgent: null,
    epoch: user.epoch,
    lifetimeSeconds: policy.refreshSeconds,
    idleSeconds: policy.idleSeconds,
  })
  if (state === null) throw new Error('the session was not opened')
  return issueGrant(service, policy, state, { key: service.keyring.current('refresh'), generation: 0 })
}

/** So many of them, whatever else the machine has to do: a call that was answered with 503 is made again. */
export async function openSessions(node: TestApp, user: User, count: number, dialect?: DialectName): Promise<Grant[]> {
  const grants: Grant[] = []
  await inParallel(Array.from({ length: count }), 8, async () => void grants.push(await untilAcknowledged(() => openSession(node, user, dialect))))
  return grants
}

/** Only what was acknowledged is measured: a call that an overloaded machine answered with 503 is made again. */
export async function untilAcknowledged<T>(call: () => Promise<T>): Promise<T> {
  for (;;) {
    try {
      return await call()
    } catch (error) {
      if (!(error instanceof AuthError && error.code === 'unavailable')) throw error
    }
  }
}

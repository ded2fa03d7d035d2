import { setTimeout as pause } from 'node:timers/promises'
import { AuthError, type AuthErrorCode } from '../../src/domain/errors.js'
import type { DialectName } from '../../src/domain/model.js'
import type { TestApp } from './app.js'
import { logIn, testOrigin } from './log-in.js'

/** What becomes of a call: the name of the refusal, or `alive`. */
export type Fate = AuthErrorCode | 'alive'

export async function fateOf(call: Promise<unknown>): Promise<Fate> {
  try {
    await call
    return 'alive'
  } catch (error) {
    if (error instanceof AuthError) return error.code
    throw error
  }
}

export interface Client {
  access(): Promise<Fate>
  refresh(): Promise<Fate>
  /** As `access`, but the word may still be on its way to this node: it has a second. */
  soonDead(): Promise<Fate>
}

const patienceMs = 1000

/** Somebody who has logged in. */
export async function clientOf(node: TestApp, name: string, secret: string, dialect: DialectName = 'bearer'): Promise<Client> {
  const { accessToken: token, refreshToken } = await logIn(node, name, secret, dialect)
  const access = () => fateOf(node.app.identity.authenticate({ kind: 'access_token', token, via: 'header' }))
  return {
    access,
    refresh: () => fateOf(node.app.identity.refresh({ dialect: node.app.dialectPolicies[dialect], token: refreshToken, origin: testOrigin })),
    soonDead: () => soonDead(access),
  }
}

export const keyFate = ({ app }: TestApp, key: string): Promise<Fate> => fateOf(app.identity.authenticate({ kind: 'api_key', key }))

export async function soonDead(ask: () => Promise<Fate>): Promise<Fate> {
  const deadline = performance.now() + patienceMs
  for (;;) {
    const fate = await ask()
    if (fate !== 'alive' || performance.now() > deadline) return fate
    await pause(5)
  }
}

/** The newest entry of the audit trail. */
export const lastEvent = async ({ core }: TestApp) => (await core.service.repository.audit.list({ before: null, limit: 1 }))[0]

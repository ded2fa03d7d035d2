import type { Config } from './config/index.js'
import { AuthError } from './domain/errors.js'
import { emailIdentifier, usernameIdentifier } from './domain/identifiers.js'
import type { Actor, Role, User } from './domain/model.js'
import { insertAccount, prepareAccount, type PreparedAccount } from './domain/new-accounts.js'
import { setStatus } from './domain/operators.js'
import { verifyPin } from './domain/passwords.js'
import type { LoginRecord } from './domain/ports.js'
import type { CoreService } from './domain/service.js'

/** An account for trying things out. Everybody knows its secret. */
export interface DemoAccount {
  readonly username: string | null
  readonly email: string | null
  readonly password: string | null
  readonly pin: string | null
  readonly role: Role
}

export const demoAccounts: readonly DemoAccount[] = [
  { username: 'cooluser1', email: null, password: null, pin: '0000', role: 'user' },
  { username: null, email: 'admin@example.com', password: 'Z1Tu5', pin: null, role: 'admin' },
  { username: 'jane.doe', email: 'jane.doe@example.com', password: 'correct horse battery staple', pin: null, role: 'user' },
]

const actor: Actor = { kind: 'service', id: 'demo' }

export interface Demo {
  /** Those that can be logged in to as published. */
  readonly accounts: readonly DemoAccount[]
  /** Names of those that were suspended now. */
  readonly suspended: readonly string[]
}

/**
 * Where the demo is allowed, creates its accounts in a database that never had a user. Elsewhere what is left of a demo, with
 * the secrets that everybody knows, is suspended: the data of a trial may have been taken into service.
 */
export async function settleDemo(service: CoreService, { demoAllowed }: Pick<Config, 'demoAllowed'>): Promise<Demo> {
  if (demoAllowed && (await createDemoAccounts(service))) return { accounts: demoAccounts, suspended: [] }
  const standing = await findStanding(service)
  if (demoAllowed) return { accounts: standing.map(({ account }) => account), suspended: [] }
  for (const { user } of standing) await setStatus(service, user.id, 'suspended', actor)
  return { accounts: [], suspended: standing.map(({ account }) => loginNameOf(account)) }
}

export const loginNameOf = ({ username, email }: DemoAccount): string => username ?? email ?? ''

/** @returns false when there have been users before, or another start was faster */
export async function createDemoAccounts(service: CoreService): Promise<boolean> {
  if (!(await isUnused(service))) return false
  const prepared: PreparedAccount[] = []
  // One after the other: the hash queue may be as short as one.
  for (const account of demoAccounts) prepared.push(await prepareAccount(service, { ...account, demo: true }))
  try {
    await service.repository.transaction(async (tx) => {
      for (const account of prepared) await insertAccount(tx, account, actor)
    })
    return true
  } catch (error) {
    // Names are unique: of two starts at once one creates all three, and the other meets the first of them here.
    if (error instanceof AuthError && error.code === 'conflict') return false
    throw error
  }
}

/** The trail outlives users: where all were deleted on purpose, nobody is to come back. */
async function isUnused({ repository }: CoreService): Promise<boolean> {
  return (await repository.users.isEmpty()) && (await repository.audit.list({ before: null, limit: 1 })).length === 0
}

async function findStanding(service: CoreService): Promise<{ account: DemoAccount; user: User }[]> {
  const standing = []
  for (const account of demoAccounts) {
    const identifier = account.username === null ? emailIdentifier(account.email ?? '') : usernameIdentifier(account.username)
    const record = await service.repository.users.findForLogin(identifier, '')
    if (record !== null && (await opens(service, account, record))) standing.push({ account, user: record.user })
  }
  return standing
}

/** Whether it is the account of the demo, and its published secret is all that it takes. */
async function opens({ hasher, keyring }: CoreService, account: DemoAccount, { user, passwordHash, pin, totp }: LoginRecord): Promise<boolean> {
  const isTheirs = user.username === account.username && user.email === account.email
  if (!isTheirs || user.status !== 'active' || totp !== null) return false
  const fairness = { address: 'operator', account: user.id }
  if (account.pin !== null) return pin !== null && verifyPin(hasher, keyring, pin, account.pin, fairness)
  return passwordHash !== null && account.password !== null && hasher.verify(passwordHash, account.password, fairness)
}

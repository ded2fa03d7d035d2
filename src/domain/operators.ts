import type { AuditEventType } from './audit.js'
import { AuthError, malformed } from './errors.js'
import { usernameIdentifier, emailIdentifier } from './identifiers.js'
import type { Actor, Role, User, UserStatus } from './model.js'
import { insertAccount, prepareAccount, type NewAccount } from './new-accounts.js'
import { hashPin, requirePassword, requirePin } from './passwords.js'
import type { Repository } from './ports.js'
import type { CoreService } from './service.js'
import { endSession } from './sessions.js'

/** What an operator may do to others: the command line and the admin endpoints. An operator sets secrets, and never reads one. */

export type { NewAccount } from './new-accounts.js'

/** How a user is named: one of the three. */
export type UserReference = { readonly id: string } | { readonly username: string } | { readonly email: string }

/** @throws AuthError not_found */
export async function findUser(service: Pick<CoreService, 'repository'>, reference: UserReference): Promise<User> {
  const { users } = service.repository
  const user =
    'id' in reference
      ? await users.find(reference.id)
      : await users.findByIdentifier('email' in reference ? emailIdentifier(reference.email) : usernameIdentifier(reference.username))
  if (user === null) throw new AuthError('not_found', { reason: 'there is no such user' })
  return user
}

/** @throws AuthError malformed | conflict */
export async function createUser(service: CoreService, account: NewAccount, actor: Actor): Promise<User> {
  const prepared = await prepareAccount(service, account)
  return service.repository.transaction((tx) => insertAccount(tx, prepared, actor))
}

/**
 * All tokens of the user are dead, on every node, once this is committed, and all sessions that are not moved to the new epoch.
 * API keys live. @returns the new epoch
 */
async function startNewEpoch(tx: Repository, userId: string): Promise<number> {
  const epoch = await tx.users.raiseEpoch(userId)
  if (epoch === null) throw new AuthError('not_found', { reason: 'there is no such user' })
  await tx.revocations.announce({ kind: 'user', subject: userId, epoch, survivor: null })
  return epoch
}

async function changeUser(service: CoreService, userId: string, type: AuditEventType, actor: Actor, change: (tx: Repository) => Promise<unknown>): Promise<void> {
  await service.repository.transaction(async (tx) => {
    await change(tx)
    await tx.audit.append({ type, actor, userId })
  })
}

const statusEvents = { active: 'user_activated', suspended: 'user_suspended' } as const satisfies Record<UserStatus, AuditEventType>

/** Suspension ends every session and silences every key. Activation revives the keys, not the sessions. */
export const setStatus = (service: CoreService, userId: string, status: UserStatus, actor: Actor): Promise<void> =>
  changeUser(service, userId, statusEvents[status], actor, async (tx) => {
    await tx.users.setStatus(userId, status)
    await startNewEpoch(tx, userId)
  })

export const deleteUser = (service: CoreService, userId: string, actor: Actor): Promise<void> =>
  changeUser(service, userId, 'user_deleted', actor, async (tx) => {
    // A login takes the counter, then the user: the other way round the two would stand in each other's way.
    await tx.attempts.hold(userId)
    await startNewEpoch(tx, userId)
    await tx.users.delete(userId)
  })

/** Ends every session and deletes every API key. */
export const revokeUser = (service: CoreService, userId: string, actor: Actor): Promise<void> =>
  changeUser(service, userId, 'user_revoked', actor, async (tx) => {
    await startNewEpoch(tx, userId)
    for (const key of await tx.apiKeys.list(userId)) {
      await tx.apiKeys.delete(key.id, userId)
      await tx.revocations.announce({ kind: 'api_key', subject: key.id })
    }
  })

/** Sessions live on with the new rights; access tokens with the old ones are dead, and refreshed. */
export const setRole = (service: CoreService, user: User, role: Role, actor: Actor): Promise<void> =>
  changeUser(service, user.id, 'user_role_changed', actor, async (tx) => {
    await tx.users.setRole(user.id, role)
    await tx.sessions.moveAllToEpoch(user.id, user.epoch, await startNewEpoch(tx, user.id))
  })

/** Lifts the wait after failed attempts. A PIN that was closed stays closed until it is set anew. */
export const unlockUser = (service: CoreService, userId: string, actor: Actor): Promise<void> =>
  changeUser(service, userId, 'user_unlocked', actor, (tx) => tx.attempts.unlock(userId))

/** @throws AuthError malformed */
export async function setPassword(service: CoreService, userId: string, password: string, actor: Actor): Promise<void> {
  requirePassword(password)
  const hash = await service.hasher.hash(password, { address: 'operator', account: userId })
  await changeUser(service, userId, 'password_changed', actor, async (tx) => {
    await tx.credentials.setPassword(userId, hash)
    await startNewEpoch(tx, userId)
  })
}

/** A new PIN is open, however often the old one was guessed. @throws AuthError malformed */
export async function setPinOf(service: CoreService, user: User, pin: string, actor: Actor): Promise<void> {
  requirePin(pin)
  if (user.username === null) throw malformed('a PIN is used with a username, and this user has none')
  const stored = await hashPin(service.hasher, service.keyring, pin, { address: 'operator', account: user.id })
  await changeUser(service, user.id, 'pin_changed', actor, async (tx) => {
    await tx.credentials.setPin(user.id, stored)
    await tx.attempts.reopenPin(user.id)
    await startNewEpoch(tx, user.id)
  })
}

/** For who has lost the authenticator and the recovery codes. @returns false when none was enabled */
export async function resetTotp(service: CoreService, userId: string, actor: Actor): Promise<boolean> {
  return service.repository.transaction(async (tx) => {
    const wasEnabled = await tx.credentials.disableTotp(userId)
    if (wasEnabled) await tx.audit.append({ type: 'totp_disabled', actor, userId })
    return wasEnabled
  })
}

/** @throws AuthError not_found */
export async function endSessionOf(service: CoreService, sessionId: string, actor: Actor): Promise<void> {
  const session = await endSession(service.repository, { sessionId, because: 'ended_by_operator', origin: null, actor })
  if (session === null) throw new AuthError('not_found', { reason: 'there is no such session, or it has ended' })
}

/** Ends every session of everybody: after a leak, or after a backup was restored. API keys live. */
export async function revokeEverything(service: CoreService, actor: Actor): Promise<void> {
  await service.repository.transaction(async (tx) => {
    const epoch = await tx.users.raiseGlobalEpoch()
    await tx.revocations.announce({ kind: 'all', epoch })
    await tx.audit.append({ type: 'everything_revoked', actor })
  })
}

import type { AuditEvent, AuditEventType } from './audit.js'
import { AuthError, malformed } from './errors.js'
import { canonicalEmail, emailIdentifier, newEmail, newUsername, usernameIdentifier } from './identifiers.js'
import type { Operator, Role, User, UserStatus } from './model.js'
import { insertAccount, prepareAccount, type NewAccount } from './new-accounts.js'
import { lockoutOf, type LockoutReport } from './lockout-report.js'
import { hashPin, requirePassword, requirePin } from './passwords.js'
import type { ChangedNames, Repository } from './ports.js'
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
export async function createUser(service: CoreService, account: NewAccount, actor: Operator): Promise<User> {
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

async function changeUser(
  service: CoreService,
  userId: string,
  type: AuditEventType,
  actor: Operator,
  change: (tx: Repository) => Promise<unknown>,
  detail: NonNullable<AuditEvent['detail']> = {},
): Promise<void> {
  await service.repository.transaction(async (tx) => {
    await change(tx)
    await tx.audit.append({ type, actor, userId, origin: actor.origin ?? null, detail })
  })
}

const statusEvents = { active: 'user_activated', suspended: 'user_suspended' } as const satisfies Record<UserStatus, AuditEventType>

/** Suspension ends every session and silences every key. Activation revives the keys, not the sessions. */
export const setStatus = (service: CoreService, userId: string, status: UserStatus, actor: Operator): Promise<void> =>
  changeUser(service, userId, statusEvents[status], actor, async (tx) => {
    await tx.users.setStatus(userId, status)
    await startNewEpoch(tx, userId)
  })

export const deleteUser = (service: CoreService, userId: string, actor: Operator): Promise<void> =>
  changeUser(service, userId, 'user_deleted', actor, async (tx) => {
    // A login takes the counter, then the user: the other way round the two would stand in each other's way.
    await tx.attempts.hold(userId)
    await startNewEpoch(tx, userId)
    await tx.users.delete(userId)
  })

/** Ends every session and deletes every API key. */
export const revokeUser = (service: CoreService, userId: string, actor: Operator): Promise<void> =>
  changeUser(service, userId, 'user_revoked', actor, async (tx) => {
    await startNewEpoch(tx, userId)
    for (const key of await tx.apiKeys.list(userId)) {
      await tx.apiKeys.delete(key.id, userId)
      await tx.revocations.announce({ kind: 'api_key', subject: key.id })
    }
  })

/** Sessions live on with the new rights; access tokens with the old ones are dead, and refreshed. */
export const setRole = (service: CoreService, user: User, role: Role, actor: Operator): Promise<void> =>
  changeUser(service, user.id, 'user_role_changed', actor, async (tx) => {
    await tx.users.setRole(user.id, role)
    await tx.sessions.moveAllToEpoch(user.id, user.epoch, await startNewEpoch(tx, user.id))
  }, { role })

export interface NewNames {
  readonly username?: string | null
  readonly email?: string | null
  readonly emailVerified?: boolean
}

/**
 * What is not given stays. Another address is not verified unless that is said. Sessions live on; access tokens with the old
 * names are dead, and refreshed.
 * @throws AuthError malformed | conflict
 */
export const setNames = (service: CoreService, user: User, given: NewNames, actor: Operator): Promise<void> =>
  changeUser(service, user.id, 'user_renamed', actor, async (tx) => {
    const names = newNames(user, given)
    if (given.username === null && (await tx.users.findForReauthentication(user.id, ''))?.pin) throw malformed('a PIN is used with a username, and this user has one')
    if (!(await tx.users.setNames(user.id, names))) throw new AuthError('conflict', { reason: 'that username or email is taken' })
    await tx.sessions.moveAllToEpoch(user.id, user.epoch, await startNewEpoch(tx, user.id))
  }, { changed: Object.keys(given) })

/** Only what is given is judged: a name of long ago may follow rules of long ago. */
function newNames(user: User, { username, email, emailVerified }: NewNames): ChangedNames {
  const [usernameAfter, emailAfter] = [username === undefined ? user.username : username, email === undefined ? user.email : email]
  if (usernameAfter === null && emailAfter === null) throw malformed('a user needs a username, an email or both')
  const address = email == null ? null : newEmail(email)
  const isSameAddress = email === undefined || (address !== null && user.email !== null && address.canonical === canonicalEmail(user.email))
  return {
    ...(username === undefined ? {} : { username: username === null ? null : newUsername(username) }),
    ...(email === undefined ? {} : { email: address }),
    emailVerified: emailAfter !== null && (emailVerified ?? (isSameAddress && user.emailVerified)),
  }
}

/** Lifts the wait after failed attempts. A PIN that was closed stays closed until it is set anew. @returns what there was to lift */
export const unlockUser = (service: CoreService, userId: string, actor: Operator): Promise<LockoutReport> =>
  service.repository.transaction(async (tx) => {
    const inside = { ...service, repository: tx }
    await tx.attempts.hold(userId)
    const before = await lockoutOf(inside, userId)
    await changeUser(inside, userId, 'user_unlocked', actor, () => tx.attempts.unlock(userId))
    return before
  })

/** @throws AuthError malformed */
export async function setPassword(service: CoreService, userId: string, password: string, actor: Operator): Promise<void> {
  requirePassword(password)
  const hash = await service.hasher.hash(password, { address: 'operator', account: userId })
  await changeUser(service, userId, 'password_changed', actor, async (tx) => {
    await tx.credentials.setPassword(userId, hash)
    await startNewEpoch(tx, userId)
  })
}

/** A new PIN is open, however often the old one was guessed. @throws AuthError malformed */
export async function setPinOf(service: CoreService, user: User, pin: string, actor: Operator): Promise<void> {
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
export async function resetTotp(service: CoreService, userId: string, actor: Operator): Promise<boolean> {
  return service.repository.transaction(async (tx) => {
    const wasEnabled = await tx.credentials.disableTotp(userId)
    if (wasEnabled) await tx.audit.append({ type: 'totp_disabled', actor, userId, origin: actor.origin ?? null })
    return wasEnabled
  })
}

/** @throws AuthError not_found */
export async function endSessionOf(service: CoreService, sessionId: string, actor: Operator): Promise<void> {
  const session = await endSession(service.repository, { sessionId, because: 'ended_by_operator', origin: actor.origin ?? null, actor })
  if (session === null) throw new AuthError('not_found', { reason: 'there is no such session, or it has ended' })
}

/** Ends every session of everybody: after a leak, or after a backup was restored. API keys live. */
export async function revokeEverything(service: CoreService, actor: Operator): Promise<void> {
  await service.repository.transaction(async (tx) => {
    const epoch = await tx.users.raiseGlobalEpoch()
    await tx.revocations.announce({ kind: 'all', epoch })
    await tx.audit.append({ type: 'everything_revoked', actor, origin: actor.origin ?? null })
  })
}

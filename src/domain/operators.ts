import type { AuditEvent, AuditEventType } from './audit.js'
import { change } from './authority.js'
import { AuthError, malformed } from './errors.js'
import { canonicalEmail, emailIdentifier, newEmail, newUsername, usernameIdentifier } from './identifiers.js'
import type { Authority, NewRevocation, Operator, Role, User, UserStatus } from './model.js'
import { insertAccount, prepareAccount, type NewAccount } from './new-accounts.js'
import { lockoutOf, type LockoutReport } from './lockout-report.js'
import { hashPin, requirePassword, requirePin } from './passwords.js'
import type { ChangedNames, Repository } from './ports.js'
import type { CoreService } from './service.js'
import { endSessionRow } from './sessions.js'

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
  return change(service, authorityOf(actor), async (tx) => ({ result: await insertAccount(tx, prepared, actor) }))
}

type WithAttempts = (tx: Repository) => Promise<void>

export const authorityOf = ({ authority }: Operator): Authority | null => authority ?? null

/**
 * Begins a change of a user: holds the row. Two administrators may change each other at once, and each would hold what the other
 * waits for: such changes go one after the other. The command line acts on nobody's authority, and does not wait for them.
 * @param withAttempts all that is done to the counters of attempts. A login takes its counter, then the user: the other way round
 *   the two would stand in each other's way, also over a counter that is new.
 * @returns null when the user is gone
 */
export async function holdIfThere(tx: Repository, userId: string, actor: Operator, withAttempts?: WithAttempts): Promise<User | null> {
  if (actor.authority !== undefined && (await tx.users.find(userId))?.role === 'admin') await tx.users.holdAdministrators()
  if (withAttempts) {
    await tx.attempts.hold(userId)
    await withAttempts(tx)
  }
  return tx.users.hold(userId)
}

/** @throws AuthError not_found */
export async function holdUser(tx: Repository, userId: string, actor: Operator, withAttempts?: WithAttempts): Promise<User> {
  const user = await holdIfThere(tx, userId, actor, withAttempts)
  if (user === null) throw new AuthError('not_found', { reason: 'there is no such user' })
  return user
}

/**
 * All tokens of the user are dead, on every node, once this is committed and announced, and all sessions that are not moved to
 * the new epoch. API keys live.
 */
async function startNewEpoch(tx: Repository, userId: string): Promise<NewRevocation & { kind: 'user' }> {
  const epoch = await tx.users.raiseEpoch(userId)
  if (epoch === null) throw new AuthError('not_found', { reason: 'there is no such user' })
  return { kind: 'user', subject: userId, epoch, survivor: null }
}

const eventOf = (type: AuditEventType, userId: string, actor: Operator, detail: NonNullable<AuditEvent['detail']> = {}): AuditEvent =>
  ({ type, actor, userId, origin: actor.origin ?? null, detail })

/** Part of a change of a user who is held already. */
export interface UserStep {
  readonly ends: readonly NewRevocation[]
  readonly event: AuditEvent
}

type Step = (tx: Repository, user: User) => Promise<UserStep>

const changeUser = (service: CoreService, userId: string, actor: Operator, step: Step, withAttempts?: WithAttempts): Promise<void> =>
  change(service, authorityOf(actor), async (tx) => {
    const { ends, event } = await step(tx, await holdUser(tx, userId, actor, withAttempts))
    return { result: undefined, ends, events: [event] }
  })

const statusEvents = { active: 'user_activated', suspended: 'user_suspended' } as const satisfies Record<UserStatus, AuditEventType>

/** Suspension ends every session and silences every key. Activation revives the keys, not the sessions. */
export const setStatus = (service: CoreService, userId: string, status: UserStatus, actor: Operator): Promise<void> =>
  changeUser(service, userId, actor, (tx, user) => setStatusOf(tx, user, status, actor))

export async function setStatusOf(tx: Repository, { id }: User, status: UserStatus, actor: Operator): Promise<UserStep> {
  await tx.users.setStatus(id, status)
  return { ends: [await startNewEpoch(tx, id)], event: eventOf(statusEvents[status], id, actor) }
}

export const deleteUser = (service: CoreService, userId: string, actor: Operator): Promise<void> =>
  changeUser(service, userId, actor, async (tx) => {
    const end = await startNewEpoch(tx, userId)
    await tx.users.delete(userId)
    return { ends: [end], event: eventOf('user_deleted', userId, actor) }
  }, () => Promise.resolve())

/** Ends every session and deletes every API key. */
export const revokeUser = (service: CoreService, userId: string, actor: Operator): Promise<void> =>
  changeUser(service, userId, actor, async (tx) => {
    const end = await startNewEpoch(tx, userId)
    const { ids } = await tx.apiKeys.deleteAll(userId)
    return { ends: [end, ...ids.map((subject) => ({ kind: 'api_key', subject }) as const)], event: eventOf('user_revoked', userId, actor) }
  })

/** Sessions live on with the new rights; access tokens with the old ones are dead, and refreshed. */
export const setRole = (service: CoreService, user: User, role: Role, actor: Operator): Promise<void> =>
  changeUser(service, user.id, actor, (tx, held) => setRoleOf(tx, held, role, actor))

export async function setRoleOf(tx: Repository, user: User, role: Role, actor: Operator): Promise<UserStep> {
  await tx.users.setRole(user.id, role)
  return { ends: [await moveSessions(tx, user)], event: eventOf('user_role_changed', user.id, actor, { role }) }
}

async function moveSessions(tx: Repository, user: User): Promise<NewRevocation> {
  const end = await startNewEpoch(tx, user.id)
  await tx.sessions.moveAllToEpoch(user.id, user.epoch, end.epoch)
  return end
}

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
  changeUser(service, user.id, actor, (tx, held) => setNamesOf(tx, held, given, actor))

export async function setNamesOf(tx: Repository, user: User, given: NewNames, actor: Operator): Promise<UserStep> {
  const names = newNames(user, given)
  if (given.username === null && (await tx.users.findForReauthentication(user.id, ''))?.pin) throw malformed('a PIN is used with a username, and this user has one')
  if (!(await tx.users.setNames(user.id, names))) throw new AuthError('conflict', { reason: 'that username or email is taken' })
  return { ends: [await moveSessions(tx, user)], event: eventOf('user_renamed', user.id, actor, { changed: Object.keys(given) }) }
}

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
  change(service, authorityOf(actor), async (tx) => {
    const lifted: LockoutReport[] = []
    await holdUser(tx, userId, actor, async (held) => {
      lifted.push(await lockoutOf({ repository: held }, userId))
      await held.attempts.unlock(userId)
    })
    const [before = await lockoutOf({ repository: tx }, userId)] = lifted
    return { result: before, events: [eventOf('user_unlocked', userId, actor)] }
  })

/** @throws AuthError malformed */
export async function setPassword(service: CoreService, userId: string, password: string, actor: Operator): Promise<void> {
  requirePassword(password)
  const hash = await service.hasher.hash(password, { address: 'operator', account: userId })
  await changeUser(service, userId, actor, async (tx) => {
    await tx.credentials.setPassword(userId, hash)
    return { ends: [await startNewEpoch(tx, userId)], event: eventOf('password_changed', userId, actor) }
  })
}

/** A new PIN is open, however often the old one was guessed. @throws AuthError malformed */
export async function setPinOf(service: CoreService, user: User, pin: string, actor: Operator): Promise<void> {
  requirePin(pin)
  if (user.username === null) throw malformed('a PIN is used with a username, and this user has none')
  const stored = await hashPin(service.hasher, service.keyring, pin, { address: 'operator', account: user.id })
  await changeUser(service, user.id, actor, async (tx) => {
    await tx.credentials.setPin(user.id, stored)
    return { ends: [await startNewEpoch(tx, user.id)], event: eventOf('pin_changed', user.id, actor) }
  }, ({ attempts }) => attempts.reopenPin(user.id))
}

/** For who has lost the authenticator and the recovery codes. @returns false when none was enabled */
export const resetTotp = (service: CoreService, userId: string, actor: Operator): Promise<boolean> =>
  change(service, authorityOf(actor), async (tx) => {
    await holdUser(tx, userId, actor)
    const wasEnabled = await tx.credentials.disableTotp(userId)
    return { result: wasEnabled, events: wasEnabled ? [{ type: 'totp_disabled', actor, userId, origin: actor.origin ?? null }] : [] }
  })

/** @throws AuthError not_found */
export async function endSessionOf(service: CoreService, sessionId: string, actor: Operator): Promise<void> {
  const session = await change(service, authorityToEnd(sessionId, actor), async (tx) => {
    const owner = (await tx.sessions.find(sessionId))?.user
    if (owner !== undefined) await holdIfThere(tx, owner.id, actor)
    return endSessionRow(tx, { sessionId, because: 'ended_by_operator', origin: actor.origin ?? null, actor })
  })
  if (session === null) throw new AuthError('not_found', { reason: 'there is no such session, or it has ended' })
}

/** Whoever ends the own session loses the authority by that: nothing is left to check. */
const authorityToEnd = (sessionId: string, { authority }: Operator): Authority | null =>
  authority === undefined || (authority.holder.kind === 'session' && authority.holder.sessionId === sessionId) ? null : authority

/** Ends every session of everybody: after a leak, or after a backup was restored. API keys live. */
export const revokeEverything = (service: CoreService, actor: Operator): Promise<void> =>
  change(service, authorityOf(actor), async (tx) => {
    const epoch = await tx.users.raiseGlobalEpoch()
    return { result: undefined, ends: [{ kind: 'all', epoch }], events: [{ type: 'everything_revoked', actor, origin: actor.origin ?? null }] }
  })

import { v7 as uuidv7 } from 'uuid'
import { AuthError, malformed } from './errors.js'
import { newEmail, newUsername } from './identifiers.js'
import type { Operator, Role, User, UserStatus } from './model.js'
import { hashPin, requirePassword, requirePasswordHash, requirePin } from './passwords.js'
import type { NewUser, Repository, StoredPin } from './ports.js'
import type { CoreService } from './service.js'

/** An account that is to be. */
export interface NewAccount {
  readonly username: string | null
  readonly email: string | null
  readonly password: string | null
  readonly pin: string | null
  readonly role: Role
  /** argon2id in the PHC string format, from another system, in place of the password. */
  readonly passwordHash?: string | null
  readonly status?: UserStatus
  /** The `sub` of its tokens, from another tessera; a new one by default. */
  readonly id?: string | null
  readonly emailVerified?: boolean
  readonly createdAt?: Date | null
  /** The demo accounts alone bypass the policies for new secrets. */
  readonly demo?: boolean
}

/** An account whose secrets are hashed: nothing slow is left to be done inside a transaction. */
export interface PreparedAccount {
  readonly user: NewUser
  readonly status: UserStatus
  readonly passwordHash: string | null
  readonly pin: StoredPin | null
}

/** The given and the canonical forms of the names of an account. */
export type Handles = Pick<NewUser, 'username' | 'email'>

/**
 * All that can be judged without the database.
 * @throws AuthError malformed
 */
export function requireAccount(account: NewAccount): Handles {
  const { password, passwordHash = null, pin, demo } = account
  const username = account.username === null ? null : newUsername(account.username)
  const email = account.email === null ? null : newEmail(account.email)
  if (username === null && email === null) throw malformed('a user needs a username, an email or both')
  if (account.emailVerified === true && email === null) throw malformed('an address that is verified must be there: give email')
  if (pin !== null && username === null) throw malformed('a PIN is used with a username: give one')
  if (password !== null && passwordHash !== null) throw malformed('give a password or the hash of one, not both')
  if (passwordHash !== null) requirePasswordHash(passwordHash)
  if (!demo && password !== null) requirePassword(password)
  if (!demo && pin !== null) requirePin(pin)
  return { username, email }
}

/** @throws AuthError malformed | unavailable */
export async function prepareAccount(service: Pick<CoreService, 'hasher' | 'keyring'>, account: NewAccount): Promise<PreparedAccount> {
  const handles = requireAccount(account)
  const id = account.id?.toLowerCase() ?? uuidv7()
  const fairness = { address: 'operator', account: id }
  const { password, passwordHash = null, pin, role, status = 'active' } = account
  return {
    user: { id, ...handles, role, emailVerified: account.emailVerified ?? false, ...(account.createdAt ? { createdAt: account.createdAt } : {}) },
    status,
    passwordHash: password === null ? passwordHash : await service.hasher.hash(password, fairness),
    pin: pin === null ? null : await hashPin(service.hasher, service.keyring, pin, fairness),
  }
}

/**
 * To be called inside a transaction.
 * @throws AuthError conflict
 */
export async function insertAccount(tx: Repository, { user, status, passwordHash, pin }: PreparedAccount, actor: Operator): Promise<User> {
  if (!(await tx.users.insert(user))) throw new AuthError('conflict', { reason: 'that username or email is taken' })
  if (status !== 'active') await tx.users.setStatus(user.id, status)
  if (passwordHash !== null) await tx.credentials.setPassword(user.id, passwordHash)
  if (pin !== null) await tx.credentials.setPin(user.id, pin)
  await tx.audit.append({ type: 'user_created', actor, userId: user.id, origin: actor.origin ?? null, detail: { role: user.role } })
  const created = await tx.users.find(user.id)
  if (created === null) throw new Error('a user who was just inserted is not there')
  return created
}

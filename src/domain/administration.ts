import type { AuditEventType, StoredAuditEvent } from './audit.js'
import { change } from './authority.js'
import { AuthError, malformed } from './errors.js'
import { foldName, lowerName } from './name-folding.js'
import { lockoutOf, type LockoutReport } from './lockout-report.js'
import type { Authority, Operator, Role, Session, User, UserStatus } from './model.js'
import type { NewAccount } from './new-accounts.js'
import * as operators from './operators.js'
import type { CoreService } from './service.js'
import { reportSigningKeys, type SigningKeyReport, type SigningKeys } from './signing-keys.js'

/** An operator who calls over HTTP: a user of the service too, and not to be locked out by themselves. */
export interface Administrator extends Operator {
  readonly userId: string
  readonly authority: Authority
}

/** A user, which secrets are set, and what is open: never a secret. */
export interface UserOverview {
  readonly user: User
  readonly hasPassword: boolean
  readonly hasPin: boolean
  readonly tfaEnabled: boolean
  readonly sessions: number
  readonly apiKeys: number
  readonly lockout: LockoutReport
}

export interface Page<Row> {
  readonly rows: readonly Row[]
  /** Where the next page begins; null: there is none. */
  readonly next: string | null
}

export interface UserQuery {
  readonly search: string | null
  readonly role: Role | null
  readonly status: UserStatus | null
  readonly cursor: string | null
  readonly limit: number
}

export interface SessionQuery {
  readonly userId: string | null
  readonly cursor: string | null
  readonly limit: number
}

export interface AuditQuery {
  readonly userId: string | null
  readonly type: AuditEventType | null
  readonly since: Date | null
  readonly cursor: string | null
  readonly limit: number
}

export interface UserChange extends operators.NewNames {
  readonly role?: Role
  readonly status?: UserStatus
}

/** What the admin endpoints do: the commands of the command line, over HTTP. Each change leaves an event that names who made it. */
export interface Administration {
  listUsers(query: UserQuery): Promise<Page<User>>
  findUser(id: string): Promise<UserOverview>
  createUser(account: NewAccount, by: Administrator): Promise<UserOverview>
  changeUser(id: string, change: UserChange, by: Administrator): Promise<UserOverview>
  deleteUser(id: string, by: Administrator): Promise<void>
  setPassword(id: string, password: string, by: Administrator): Promise<void>
  setPin(id: string, pin: string, by: Administrator): Promise<void>
  resetTotp(id: string, by: Administrator): Promise<void>
  unlockUser(id: string, by: Administrator): Promise<void>
  revokeUser(id: string, by: Administrator): Promise<void>
  listSessions(query: SessionQuery): Promise<Page<Session>>
  endSession(id: string, by: Administrator): Promise<void>
  listAudit(query: AuditQuery): Promise<Page<StoredAuditEvent>>
  listKeys(): Promise<SigningKeyReport[]>
  rotateKeys(by: Administrator): Promise<SigningKeyReport>
  revokeKey(kid: string, by: Administrator): Promise<SigningKeyReport>
}

export function createAdministration(service: CoreService, signingKeys: SigningKeys): Administration {
  const { repository } = service
  const find = (id: string): Promise<User> => operators.findUser(service, { id })

  /** @throws AuthError not_found | conflict */
  async function findOther(id: string, by: Administrator, what: string): Promise<User> {
    const user = await find(id)
    if (user.id === by.userId) throw new AuthError('conflict', { reason: what })
    return user
  }

  return {
    async listUsers({ search, role, status, cursor, limit }) {
      const prefix = search === null ? null : { canonical: lowerName(search), folded: foldName(search) }
      const rows = await repository.users.list({ after: cursor, limit: limit + 1, prefix, role, status })
      return pageOf(rows, limit, ({ id }) => id)
    },
    findUser: async (id) => overviewOf(service, await find(id)),
    createUser: async (account, by) => overviewOf(service, await operators.createUser(service, account, by)),
    changeUser: async (id, change, by) => overviewOf(service, await changeUser(service, await find(id), change, by)),
    async deleteUser(id, by) {
      const user = await findOther(id, by, 'you cannot delete yourself: another operator can')
      await operators.deleteUser(service, user.id, by)
    },
    async setPassword(id, password, by) {
      const user = await findOther(id, by, 'change your own password at /users/me/password, which asks for the present one')
      await operators.setPassword(service, user.id, password, by)
    },
    async setPin(id, pin, by) {
      await operators.setPinOf(service, await findOther(id, by, 'change your own PIN at /users/me/pin, which asks for your password'), pin, by)
    },
    async resetTotp(id, by) {
      const user = await findOther(id, by, 'switch off your own second factor at /users/me/tfa/disable, which asks for a code')
      await operators.resetTotp(service, user.id, by)
    },
    async unlockUser(id, by) {
      await operators.unlockUser(service, (await find(id)).id, by)
    },
    async revokeUser(id, by) {
      const user = await findOther(id, by, 'you cannot revoke yourself: end your sessions at /users/me/sessions, and your API keys at /api/v1/auth/keys')
      await operators.revokeUser(service, user.id, by)
    },
    async listSessions({ userId, cursor, limit }) {
      return pageOf(await repository.sessions.listAllAlive({ before: cursor, limit: limit + 1, userId }), limit, ({ id }) => id)
    },
    endSession: (id, by) => operators.endSessionOf(service, id, by),
    async listAudit({ userId, type, since, cursor, limit }) {
      const rows = await repository.audit.list({ before: cursor === null ? null : Number(cursor), limit: limit + 1, userId, type, since })
      return pageOf(rows, limit, ({ id }) => String(id))
    },
    listKeys: () => reportSigningKeys(service),
    async rotateKeys(by) {
      return reportOf(service, await signingKeys.rotate(by))
    },
    async revokeKey(kid, by) {
      const known = (await reportSigningKeys(service)).find((key) => key.kid === kid)
      if (known === undefined) throw new AuthError('not_found', { reason: 'there is no such signing key' })
      if (known.state === 'revoked' || !(await signingKeys.revoke(kid, by))) throw new AuthError('conflict', { reason: 'that signing key is revoked already' })
      return reportOf(service, kid)
    },
  }
}

/** One row more than was asked for tells whether there are more. */
function pageOf<Row>(rows: readonly Row[], limit: number, cursorOf: (row: Row) => string): Page<Row> {
  const shown = rows.slice(0, limit)
  const last = shown.at(-1)
  return { rows: shown, next: rows.length > limit && last !== undefined ? cursorOf(last) : null }
}

async function reportOf(service: CoreService, kid: string): Promise<SigningKeyReport> {
  const report = (await reportSigningKeys(service)).find((key) => key.kid === kid)
  if (report === undefined) throw new Error('a signing key that was just written is not there')
  return report
}

/** @throws AuthError not_found when the user went meanwhile */
export async function overviewOf({ repository }: CoreService, { id }: User): Promise<UserOverview> {
  const record = await repository.users.findForReauthentication(id, '')
  if (record === null) throw new AuthError('not_found', { reason: 'there is no such user' })
  return {
    user: record.user,
    hasPassword: record.passwordHash !== null,
    hasPin: record.pin !== null,
    tfaEnabled: record.totp !== null,
    sessions: await repository.sessions.countAlive(id),
    apiKeys: (await repository.apiKeys.list(id)).length,
    lockout: await lockoutOf({ repository }, id),
  }
}

/** All of it or nothing, and one revocation for all. @throws AuthError malformed | conflict | not_found */
async function changeUser(service: CoreService, user: User, requested: UserChange, by: Administrator): Promise<User> {
  refuseLockout(user, requested, by)
  const { role, status, ...names } = requested
  if (Object.keys(requested).length === 0) throw malformed('give at least one of username, email, email_verified, role and status')
  return change(service, by.authority, async (tx) => {
    await operators.holdUser(tx, user.id, by)
    // Each step starts a new epoch: the next one must know it, or it would not find the sessions that it is to keep.
    const current = (): Promise<User> => operators.findUser({ repository: tx }, { id: user.id })
    const steps: operators.UserStep[] = []
    if (Object.keys(names).length > 0) steps.push(await operators.setNamesOf(tx, await current(), names, by))
    if (role !== undefined && role !== (await current()).role) steps.push(await operators.setRoleOf(tx, await current(), role, by))
    if (status !== undefined && status !== (await current()).status) steps.push(await operators.setStatusOf(tx, await current(), status, by))
    // The end of the last epoch is that of those before.
    return { result: await current(), ends: steps.at(-1)?.ends ?? [], events: steps.map(({ event }) => event) }
  })
}

/** Nobody takes away their own rights, so one administrator is always left. */
function refuseLockout(user: User, { role, status }: UserChange, by: Administrator): void {
  if (user.id !== by.userId) return
  if (status === 'suspended') throw new AuthError('conflict', { reason: 'you cannot suspend yourself: another operator can' })
  if (role !== undefined && role !== user.role) throw new AuthError('conflict', { reason: 'you cannot change your own role: another operator can' })
}

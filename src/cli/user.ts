import { hashCost } from '../config/fleet.js'
import { overviewOf } from '../domain/administration.js'
import type { User } from '../domain/model.js'
import * as operators from '../domain/operators.js'
import type { CoreService } from '../domain/service.js'
import { limit, newEmail, newPin, newRole, newUsername, password, passwordStdin, pin, role, type commands } from './commands.js'
import type { Context, Handler } from './context.js'
import { exportUsers } from './export.js'
import { importUsers } from './import.js'
import { liftedText, lockoutFacts, lockoutValue, pinFact } from './lockout.js'
import { facts, table, type Result } from './output.js'
import { gather } from './pages.js'
import { readSecret } from './secret.js'
import { nameOf, userOf } from './who.js'

const factsOf = (user: User) =>
  [['id', user.id], ['username', user.username], ['email', user.email], ['role', user.role], ['status', user.status], ['created', user.createdAt]] as const

const userValue = ({ id, username, email, emailVerified, role, status, createdAt }: User) => ({ id, username, email, emailVerified, role, status, createdAt })

async function create(context: Context): Promise<Result> {
  const { read, actor, say } = context
  await context.agreed(...hashCost)
  const secrets = { password: await passwordOf(context), pin: read(pin) }
  const { service } = await context.core()
  const user = await operators.createUser(service, { username: read(newUsername), email: read(newEmail), role: read(role), ...secrets }, actor)
  if (secrets.password === null && secrets.pin === null) say('There is no password and no PIN yet: set one with `tessera user set-password` or `set-pin`.')
  return { value: userValue(user), text: facts(factsOf(user)) }
}

/** null: none was given. */
async function passwordOf({ read }: Context): Promise<string | null> {
  return read(passwordStdin) ? readSecret('Password: ') : read(password)
}

async function list(context: Context): Promise<Result> {
  const { repository } = (await context.core()).service
  const users = await gather<User>(context, context.read(limit), (last, rows) => repository.users.list({ after: last?.id ?? null, limit: rows }))
  const rows = users.map((user) => [user.id, user.username, user.email, user.role, user.status, user.createdAt])
  return { value: users.map(userValue), text: table(['ID', 'USERNAME', 'EMAIL', 'ROLE', 'STATUS', 'CREATED'], rows) }
}

async function show(context: Context): Promise<Result> {
  const user = await userOf(context)
  const { hasPassword, hasPin, tfaEnabled, sessions, apiKeys, lockout } = await overviewOf((await context.core()).service, user)
  const opened = { hasPassword, hasPin, tfaEnabled, sessions, apiKeys, lockout: lockoutValue(lockout) }
  const more = [['password', hasPassword], ['PIN', pinFact(lockout, hasPin)], ['second factor', tfaEnabled], ['sessions', sessions], ['API keys', apiKeys], ...lockoutFacts(lockout)] as const
  return { value: { ...userValue(user), ...opened }, text: facts([...factsOf(user), ...more]) }
}

type Change = (service: CoreService, user: User, context: Context) => Promise<unknown>

/** A change of one user: it says what became of whom. */
const changing = (done: string, change: Change): Handler => async (context) => {
  const user = await userOf(context)
  const { service } = await context.core()
  await change(service, user, context)
  const value = userValue((await service.repository.users.find(user.id)) ?? user)
  return { value, text: `${nameOf(user)} (${user.id}): ${done}` }
}

const setPassword = changing('the password is set, every session has ended', async (service, user, context) => {
  await context.agreed(...hashCost)
  await operators.setPassword(service, user.id, (await passwordOf(context)) ?? '', context.actor)
})

async function unlock(context: Context): Promise<Result> {
  const user = await userOf(context)
  const lockout = await operators.unlockUser((await context.core()).service, user.id, context.actor)
  return { value: { ...userValue(user), lifted: lockoutValue(lockout) }, text: `${nameOf(user)} (${user.id}): ${liftedText(lockout)}` }
}

async function resetTotp(context: Context): Promise<Result> {
  const user = await userOf(context)
  const { service } = await context.core()
  const wasEnabled = await operators.resetTotp(service, user.id, context.actor)
  return { value: { ...userValue(user), wasEnabled }, text: `${nameOf(user)} (${user.id}): ${wasEnabled ? 'the second factor is off' : 'there was no second factor'}` }
}

export const user = {
  create,
  list,
  show,
  suspend: changing('suspended, every session has ended', (service, { id }, { actor }) => operators.setStatus(service, id, 'suspended', actor)),
  activate: changing('active', (service, { id }, { actor }) => operators.setStatus(service, id, 'active', actor)),
  unlock,
  delete: changing('deleted', (service, { id }, { actor }) => operators.deleteUser(service, id, actor)),
  revoke: changing('every session has ended, every API key is deleted', (service, { id }, { actor }) => operators.revokeUser(service, id, actor)),
  'set-password': setPassword,
  'set-pin': changing('the PIN is set, every session has ended', async (service, user, context) => {
    await context.agreed(...hashCost)
    await operators.setPinOf(service, user, context.read(newPin), context.actor)
  }),
  'set-role': changing('the role is changed', (service, user, { actor, read }) => operators.setRole(service, user, read(newRole), actor)),
  'reset-totp': resetTotp,
  import: importUsers,
  export: exportUsers,
} satisfies Record<keyof typeof commands.user.verbs, Handler>

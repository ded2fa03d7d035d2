import type { User } from '../domain/model.js'
import { findUser, type UserReference } from '../domain/operators.js'
import { email, id, limit, username } from './commands.js'
import type { Context } from './context.js'
import { CommandError } from './errors.js'
import { gather, shortened } from './pages.js'

/** Which user the command names; null when it names none. */
function referenceOf({ read }: Context): UserReference | null {
  const [name, address, number] = [read(username), read(email), read(id)]
  if (name !== null) return { username: name }
  if (address !== null) return { email: address }
  // As the dialect bearer shows it.
  return number === null ? null : { id: number.replace(/^user_/, '') }
}

/** @throws AuthError not_found */
export async function userOf(context: Context): Promise<User> {
  const reference = referenceOf(context)
  if (reference === null) throw new CommandError('name a user')
  const { service } = await context.core()
  return findUser(service, reference)
}

/** What the named user has, or everybody when none is named; no more than --limit. */
export async function listOf<T>(context: Context, ofEverybody: (last: T | null, rows: number) => Promise<T[]>, ofUser: (userId: string) => Promise<T[]>): Promise<T[]> {
  const most = context.read(limit)
  if (referenceOf(context) === null) return gather(context, most, ofEverybody)
  return shortened(context, await ofUser((await userOf(context)).id), most)
}

/** How a user is spoken of. */
export const nameOf = (user: User): string => user.username ?? user.email ?? user.id

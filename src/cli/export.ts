import type { ExportedUser, Users } from '../domain/ports.js'
import type { Context } from './context.js'
import type { Result } from './output.js'
import { streamed, writeLines } from './stream.js'

const usersAPage = 500

/** One user a line, with the members that `tessera user import` reads. */
export async function exportUsers(context: Context): Promise<Result> {
  const { users } = (await context.core()).service.repository
  let count = 0
  const isWhole = await writeLines(lines(users, () => (count += 1)))
  context.say(isWhole ? `${count} users, with the hashes of their passwords: keep the file as you would keep passwords` : 'The reader went before the end.')
  return streamed
}

async function* lines(users: Users, onUser: () => void): AsyncGenerator<string> {
  for (let after: string | null = null; ; ) {
    const page: ExportedUser[] = await users.listForExport({ after, limit: usersAPage })
    for (const exported of page) {
      onUser()
      yield `${JSON.stringify(lineOf(exported))}\n`
    }
    const last = page.at(-1)
    if (last === undefined) return
    after = last.user.id
  }
}

const lineOf = ({ user, passwordHash }: ExportedUser) => ({
  id: user.id,
  username: user.username,
  email: user.email,
  email_verified: user.emailVerified,
  password_hash: passwordHash,
  role: user.role,
  status: user.status,
  created_at: user.createdAt.toISOString(),
})

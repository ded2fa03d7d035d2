import type { Session } from '../domain/model.js'
import { endSessionOf, revokeEverything } from '../domain/operators.js'
import { all, sessionId, type commands } from './commands.js'
import type { Context, Handler } from './context.js'
import { table, type Result } from './output.js'
import { listOf } from './who.js'

const sessionValue = ({ id, userId, dialect, amr, authTime, ip, userAgent, expiresAt, idleExpiresAt }: Session) =>
  ({ id, userId, dialect, amr, authTime, ip, userAgent, expiresAt, idleExpiresAt })

async function list(context: Context): Promise<Result> {
  const { repository } = (await context.core()).service
  const sessions = await listOf<Session>(
    context,
    (last, rows) => repository.sessions.listAllAlive({ before: last?.id ?? null, limit: rows }),
    (userId) => repository.sessions.listAlive(userId),
  )
  const rows = sessions.map((session) => [session.id, session.userId, session.dialect, session.amr, session.authTime, session.expiresAt, session.ip, session.userAgent])
  return { value: sessions.map(sessionValue), text: table(['ID', 'USER', 'DIALECT', 'BY', 'SINCE', 'UNTIL', 'ADDRESS', 'USER AGENT'], rows) }
}

async function revoke(context: Context): Promise<Result> {
  const { service } = await context.core()
  const id = context.read(sessionId)
  if (context.read(all) || id === null) {
    await revokeEverything(service, context.actor)
    return { value: { revoked: 'all' }, text: 'every session of everybody has ended' }
  }
  await endSessionOf(service, id, context.actor)
  return { value: { revoked: id }, text: `${id}: the session has ended` }
}

export const session = { list, revoke } satisfies Record<keyof typeof commands.session.verbs, Handler>

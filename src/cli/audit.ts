import type { AuditEvent } from '../domain/audit.js'
import { lines, type commands } from './commands.js'
import type { Context, Handler } from './context.js'
import { table, type Result } from './output.js'

type StoredEvent = AuditEvent & { id: number; at: Date }

async function tail(context: Context): Promise<Result> {
  const { repository } = (await context.core()).service
  const events = (await repository.audit.list({ before: null, limit: context.read(lines) })).reverse()
  const rows = events.map((event) => [event.at, event.type, `${event.actor.kind}:${event.actor.id}`, event.userId ?? null, event.origin?.ip ?? null, detailOf(event)])
  return { value: events.map(eventValue), text: table(['AT', 'EVENT', 'BY', 'USER', 'ADDRESS', 'DETAIL'], rows) }
}

function detailOf({ dialect, detail }: AuditEvent): string {
  const known: NonNullable<AuditEvent['detail']> = { ...(dialect ? { dialect } : {}), ...detail }
  return Object.entries(known).map(([name, value]) => `${name}=${String(value)}`).join(' ')
}

const eventValue = ({ id, at, type, actor, userId, sessionId, dialect, origin, detail }: StoredEvent) =>
  ({ id, at, type, actor, userId, sessionId, dialect, origin, detail })

export const audit = { tail } satisfies Record<keyof typeof commands.audit.verbs, Handler>

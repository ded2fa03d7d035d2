import { verifyAudit } from '../domain/audit-chain.js'
import type { AuditEvent } from '../domain/audit.js'
import { head, lines, type commands } from './commands.js'
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

async function verify(context: Context): Promise<Result> {
  const report = await verifyAudit((await context.core()).service, context.read(head))
  if (report.intact) return { value: report, text: `intact: ${report.events} sealed events, head ${report.head.seq}:${report.head.mac}` }
  const { seq, eventId, problem } = report.fault
  const place = [seq === null ? null : `seal ${seq}`, eventId === null ? null : `event ${eventId}`].filter((part) => part !== null).join(', ')
  return { value: report, text: `broken${place === '' ? '' : ` at ${place}`}: ${problem}`, failed: true }
}

export const audit = { tail, verify } satisfies Record<keyof typeof commands.audit.verbs, Handler>

import type { AuditEvent, AuditEventType } from '../domain/audit.js'
import type { Actor, DialectName } from '../domain/model.js'
import type { AuditTrail } from '../domain/ports.js'
import { addressToNote, idToNote } from './inputs.js'
import type { Queryable } from './pool.js'

interface AuditRow {
  id: number
  at: Date
  type: AuditEventType
  user_id: string | null
  session_id: string | null
  actor_kind: Actor['kind']
  actor_id: string
  dialect: DialectName | null
  ip: string | null
  user_agent: string | null
  request_id: string | null
  detail: NonNullable<AuditEvent['detail']>
}

/** One column for the actor, `kind:id`; an id may have a colon in it. */
const append = `
  INSERT INTO audit_events (type, actor, user_id, session_id, dialect, ip, user_agent, request_id, detail)
  VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)`

const list = `
  SELECT id, at, type, user_id, session_id, dialect, host(ip) AS ip, user_agent, request_id, detail,
    split_part(actor, ':', 1) AS actor_kind, substr(actor, strpos(actor, ':') + 1) AS actor_id
  FROM audit_events WHERE $1::bigint IS NULL OR id < $1
  ORDER BY id DESC LIMIT $2`

export function createAuditTrail(database: Queryable): AuditTrail {
  return {
    async append({ type, actor, userId, sessionId, dialect, origin, detail }) {
      await database.query('audit_append', append, [
        type,
        `${actor.kind}:${actor.id}`,
        idToNote(userId),
        idToNote(sessionId),
        dialect,
        addressToNote(origin?.ip),
        origin?.userAgent,
        origin?.requestId,
        JSON.stringify(detail ?? {}),
      ])
    },

    async list({ before, limit }) {
      const { rows } = await database.query<AuditRow>(null, list, [before, limit])
      return rows.map(toEvent)
    },
  }
}

const toEvent = (row: AuditRow): AuditEvent & { id: number; at: Date } => ({
  id: row.id,
  at: row.at,
  type: row.type,
  actor: { kind: row.actor_kind, id: row.actor_id },
  userId: row.user_id,
  sessionId: row.session_id,
  dialect: row.dialect,
  origin: row.ip === null ? null : { ip: row.ip, userAgent: row.user_agent, requestId: row.request_id },
  detail: row.detail,
})

import type { AuditEvent, AuditEventType, StoredAuditEvent } from '../domain/audit.js'
import type { Actor, DialectName } from '../domain/model.js'
import type { AuditTrail } from '../domain/ports.js'
import { addressToNote, idToFind, idToNote } from './inputs.js'
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

const columns = `
  e.id, e.at, e.type, e.user_id, e.session_id, e.dialect, host(e.ip) AS ip, e.user_agent, e.request_id, e.detail,
  split_part(e.actor, ':', 1) AS actor_kind, substr(e.actor, strpos(e.actor, ':') + 1) AS actor_id`

const list = `
  SELECT ${columns} FROM audit_events e
  WHERE ($1::bigint IS NULL OR e.id < $1) AND ($3::uuid IS NULL OR e.user_id = $3) AND ($4::text IS NULL OR e.type = $4)
    AND ($5::timestamptz IS NULL OR e.at >= $5)
  ORDER BY e.id DESC LIMIT $2`

const listSealed = `
  SELECT s.seq, ${columns} FROM audit_seals s JOIN audit_events e ON e.id = s.event_id
  WHERE s.seq > $1 AND ($3::timestamptz IS NULL OR e.at >= $3) AND ($4::timestamptz IS NULL OR e.at < $4)
  ORDER BY s.seq LIMIT $2`

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

    async list({ before, limit, userId = null, type = null, since = null }) {
      const { rows } = await database.query<AuditRow>(null, list, [before, limit, userId === null ? null : idToFind(userId), type, since])
      return rows.map(toEvent)
    },

    async listSealed({ after, limit, since, until }) {
      const { rows } = await database.query<AuditRow & { seq: number }>(null, listSealed, [after, limit, since, until])
      return rows.map((row) => ({ ...toEvent(row), seq: row.seq }))
    },
  }
}

const toEvent = (row: AuditRow): StoredAuditEvent => ({
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

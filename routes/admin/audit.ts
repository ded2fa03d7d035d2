import type { FastifyPluginCallbackTypebox } from '@fastify/type-provider-typebox'
import { AuditAnswer, AuditQuery, failures } from '../../schemas/admin.js'
import { auditEventTypes, type AuditEventType, type StoredAuditEvent } from '../../src/domain/audit.js'
import { malformed } from '../../src/domain/errors.js'
import { defaultLimit, security, tags } from './security.js'

const schema = { summary: 'Read the audit trail, the newest first', tags, security, operationId: 'adminReadAudit', querystring: AuditQuery, response: { 200: AuditAnswer, ...failures } }

export const audit: FastifyPluginCallbackTypebox = (app, _options, done) => {
  app.get('/admin/audit', { schema, preHandler: app.authenticateAdministrator }, async ({ query }) => {
    const { user = null, type, since, cursor = null, limit = defaultLimit } = query
    const { rows, next } = await app.administration.listAudit({ userId: user, type: typeOf(type), since: momentOf(since), cursor, limit })
    return { data: rows.map(toEvent), next_cursor: next }
  })
  done()
}

/** @throws AuthError malformed: a type that is mistyped would look like one that never happened */
function typeOf(given: string | undefined): AuditEventType | null {
  if (given === undefined) return null
  const type = auditEventTypes.find((known) => known === given)
  if (type === undefined) throw malformed(`type must be one of ${auditEventTypes.join(', ')}`)
  return type
}

/** @throws AuthError malformed: a leap second is well-formed, and no `Date` */
function momentOf(given: string | undefined): Date | null {
  if (given === undefined) return null
  const moment = new Date(given)
  if (Number.isNaN(moment.getTime())) throw malformed('since is no time that can be looked for')
  return moment
}

const toEvent = ({ id, at, type, actor, userId, sessionId, dialect, origin, detail }: StoredAuditEvent) => ({
  id,
  at: at.toISOString(),
  type,
  actor,
  user_id: userId ?? null,
  session_id: sessionId ?? null,
  dialect: dialect ?? null,
  ip: origin?.ip ?? null,
  user_agent: origin?.userAgent ?? null,
  request_id: origin?.requestId ?? null,
  detail: { ...detail },
})

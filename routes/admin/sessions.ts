import type { FastifyPluginCallbackTypebox } from '@fastify/type-provider-typebox'
import { administratorOf } from '../../plugins/administration.js'
import { Done, failures, NoSuchSession, SessionParams, SessionsAnswer, SessionsQuery } from '../../schemas/admin.js'
import type { Session } from '../../src/domain/model.js'
import { defaultLimit, security, tags } from './security.js'

const schemas = {
  list: { summary: 'List the sessions that are alive, of everybody or of one user', tags, security, operationId: 'adminListSessions', querystring: SessionsQuery, response: { 200: SessionsAnswer, ...failures } },
  end: { summary: 'End a session, with all its tokens', tags, security, operationId: 'adminEndSession', params: SessionParams, response: { 204: Done('It is over.'), ...failures, 404: NoSuchSession } },
}

export const sessions: FastifyPluginCallbackTypebox = (app, _options, done) => {
  const preHandler = app.authenticateAdministrator

  app.get('/admin/sessions', { schema: schemas.list, preHandler }, async ({ query }) => {
    const { user = null, cursor = null, limit = defaultLimit } = query
    const { rows, next } = await app.administration.listSessions({ userId: user, cursor, limit })
    return { data: rows.map(toSession), next_cursor: next }
  })

  app.delete('/admin/sessions/:id', { schema: schemas.end, config: { ignoreBody: true }, preHandler }, async (request, reply) => {
    await app.administration.endSession(request.params.id, administratorOf(request))
    return reply.code(204).send(null)
  })
  done()
}

const toSession = (session: Session) => ({
  id: session.id,
  user_id: session.userId,
  dialect: session.dialect,
  amr: [...session.amr],
  created_at: session.authTime.toISOString(),
  expires_at: session.expiresAt.toISOString(),
  idle_expires_at: session.idleExpiresAt?.toISOString() ?? null,
  ip: session.ip,
  user_agent: session.userAgent,
})

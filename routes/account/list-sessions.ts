import type { FastifyPluginCallbackTypebox } from '@fastify/type-provider-typebox'
import { sessionOf } from '../../plugins/authenticate.js'
import { failures, SessionsAnswer } from '../../schemas/account.js'
import { sessionToRead } from './security.js'

const schema = {
  summary: 'Where I am logged in',
  tags: ['account'],
  security: sessionToRead,
  operationId: 'listSessions',
  response: { 200: SessionsAnswer, ...failures },
}

export const listSessions: FastifyPluginCallbackTypebox = (app, _options, done) => {
  app.get('/users/me/sessions', { schema, config: { queryToken: true }, preHandler: app.authenticateSession }, async (request) => {
    const { userId, sessionId } = sessionOf(request)
    const sessions = await app.identity.account.listSessions(userId)
    return {
      data: sessions.map((session) => ({
        id: session.id,
        dialect: session.dialect,
        amr: [...session.amr],
        created_at: session.authTime.toISOString(),
        expires_at: session.expiresAt.toISOString(),
        idle_expires_at: session.idleExpiresAt?.toISOString() ?? null,
        ip: session.ip,
        user_agent: session.userAgent,
        current: session.id === sessionId,
      })),
    }
  })
  done()
}

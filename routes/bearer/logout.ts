import type { FastifyPluginCallbackTypebox } from '@fastify/type-provider-typebox'
import { sessionOf } from '../../plugins/authenticate.js'
import { originOf } from '../../plugins/origin.js'
import { AuthenticationRequired, failures, Forbidden, LogoutAnswer } from '../../schemas/bearer.js'

const schema = {
  summary: 'End the session of the access token, with all its tokens',
  tags: ['bearer'],
  operationId: 'bearerLogout',
  security: [{ bearer: [] }],
  response: { 200: LogoutAnswer, ...failures, 401: AuthenticationRequired, 403: Forbidden },
}

export const logout: FastifyPluginCallbackTypebox = (app, _options, done) => {
  app.post('/api/v1/auth/logout', { schema, config: { ignoreBody: true }, preHandler: app.authenticateForLogout }, async (request) => {
    await app.identity.logout(sessionOf(request), originOf(request))
    return { message: 'Successfully logged out' as const }
  })
  done()
}

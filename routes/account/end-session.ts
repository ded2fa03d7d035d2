import type { FastifyPluginCallbackTypebox } from '@fastify/type-provider-typebox'
import { sessionOf } from '../../plugins/authenticate.js'
import { originOf } from '../../plugins/origin.js'
import { Done, failures, NoSuchSession, SessionParams } from '../../schemas/account.js'
import { session } from './security.js'

const schema = {
  summary: 'End one of my sessions, with all its tokens',
  tags: ['account'],
  security: session,
  operationId: 'endSession',
  params: SessionParams,
  response: { 204: Done('It is over.'), ...failures, 404: NoSuchSession },
}

export const endSession: FastifyPluginCallbackTypebox = (app, _options, done) => {
  app.delete('/users/me/sessions/:id', { schema, config: { ignoreBody: true }, preHandler: app.authenticateSession }, async (request, reply) => {
    await app.identity.account.endSession(sessionOf(request), request.params.id, originOf(request))
    return reply.code(204).send(null)
  })
  done()
}

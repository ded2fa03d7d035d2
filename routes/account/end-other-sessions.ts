import type { FastifyPluginCallbackTypebox } from '@fastify/type-provider-typebox'
import { sessionOf } from '../../plugins/authenticate.js'
import { originOf } from '../../plugins/origin.js'
import { Done, failures } from '../../schemas/account.js'
import { session } from './security.js'

const schema = {
  summary: 'End every session of mine but the one that asks',
  tags: ['account'],
  security: session,
  operationId: 'endOtherSessions',
  response: { 204: Done('All others are over.'), ...failures },
}

export const endOtherSessions: FastifyPluginCallbackTypebox = (app, _options, done) => {
  app.delete('/users/me/sessions', { schema, config: { ignoreBody: true }, preHandler: app.authenticateSession }, async (request, reply) => {
    await app.identity.account.endOtherSessions(sessionOf(request), originOf(request))
    return reply.code(204).send(null)
  })
  done()
}

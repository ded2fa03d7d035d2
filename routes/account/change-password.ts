import type { FastifyPluginCallbackTypebox } from '@fastify/type-provider-typebox'
import { absentBodyIsEmpty } from '../../plugins/absent-body.js'
import { sessionOf } from '../../plugins/authenticate.js'
import { originOf } from '../../plugins/origin.js'
import { bodyFailures, ChangePasswordBody, Done, WrongPassword } from '../../schemas/account.js'
import { session } from './security.js'

const schema = {
  summary: 'Change the password; every other session ends',
  tags: ['account'],
  security: session,
  operationId: 'changePassword',
  body: ChangePasswordBody,
  response: { 204: Done('The password is changed, and every other session is over.'), ...bodyFailures, 401: WrongPassword },
}

export const changePassword: FastifyPluginCallbackTypebox = (app, _options, done) => {
  app.post('/users/me/password', { schema, preValidation: absentBodyIsEmpty, preHandler: app.authenticateSession }, async (request, reply) => {
    await app.identity.account.changePassword(sessionOf(request), request.body, originOf(request))
    return reply.code(204).send(null)
  })
  done()
}

import type { FastifyPluginCallbackTypebox } from '@fastify/type-provider-typebox'
import { absentBodyIsEmpty } from '../../plugins/absent-body.js'
import { sessionOf } from '../../plugins/authenticate.js'
import { originOf } from '../../plugins/origin.js'
import { bodyFailures, Done, SetPinBody, WrongPassword } from '../../schemas/account.js'
import { session } from './security.js'

const schema = {
  summary: 'Set the PIN; every other session ends',
  tags: ['account'],
  security: session,
  operationId: 'setPin',
  body: SetPinBody,
  response: { 204: Done('The PIN is set, and every other session is over.'), ...bodyFailures, 401: WrongPassword },
}

export const setPin: FastifyPluginCallbackTypebox = (app, _options, done) => {
  app.post('/users/me/pin', { schema, preValidation: absentBodyIsEmpty, preHandler: app.authenticateSession }, async (request, reply) => {
    await app.identity.account.setPin(sessionOf(request), request.body, originOf(request))
    return reply.code(204).send(null)
  })
  done()
}

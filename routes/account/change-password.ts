import type { FastifyPluginCallbackTypebox } from '@fastify/type-provider-typebox'
import { absentBodyIsEmpty } from '../../plugins/absent-body.js'
import { sessionOf } from '../../plugins/authenticate.js'
import { originOf } from '../../plugins/origin.js'
import { bodyFailures, ChangePasswordBody, KeysRemaining, WrongPassword } from '../../schemas/account.js'
import { tellKeys } from './keys-remaining.js'
import { session } from './security.js'

const schema = {
  summary: 'Change the password; every other session ends',
  tags: ['account'],
  security: session,
  operationId: 'changePassword',
  body: ChangePasswordBody,
  response: { 204: KeysRemaining('The password is changed, and every other session is over.'), ...bodyFailures, 401: WrongPassword },
}

export const changePassword: FastifyPluginCallbackTypebox = (app, _options, done) => {
  app.post('/users/me/password', { schema, config: { hashes: true }, preValidation: absentBodyIsEmpty, preHandler: app.authenticateSession }, async (request, reply) => {
    const { current, new: next, end_keys: endKeys = false } = request.body
    const keys = await app.identity.account.changePassword(sessionOf(request), { current, new: next, endKeys }, originOf(request))
    return tellKeys(reply, keys).code(204).send(null)
  })
  done()
}

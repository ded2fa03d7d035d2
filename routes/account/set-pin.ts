import type { FastifyPluginCallbackTypebox } from '@fastify/type-provider-typebox'
import { absentBodyIsEmpty } from '../../plugins/absent-body.js'
import { sessionOf } from '../../plugins/authenticate.js'
import { originOf } from '../../plugins/origin.js'
import { bodyFailures, KeysRemaining, SetPinBody, WrongPassword } from '../../schemas/account.js'
import { tellKeys } from './keys-remaining.js'
import { session } from './security.js'

const schema = {
  summary: 'Set the PIN; every other session ends',
  tags: ['account'],
  security: session,
  operationId: 'setPin',
  body: SetPinBody,
  response: { 204: KeysRemaining('The PIN is set, and every other session is over.'), ...bodyFailures, 401: WrongPassword },
}

export const setPin: FastifyPluginCallbackTypebox = (app, _options, done) => {
  app.post('/users/me/pin', { schema, config: { hashes: true }, preValidation: absentBodyIsEmpty, preHandler: app.authenticateSession }, async (request, reply) => {
    const { password, pin, end_keys: endKeys = false } = request.body
    const keys = await app.identity.account.setPin(sessionOf(request), { password, pin, endKeys }, originOf(request))
    return tellKeys(reply, keys).code(204).send(null)
  })
  done()
}

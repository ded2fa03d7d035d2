import type { FastifyPluginCallbackTypebox } from '@fastify/type-provider-typebox'
import { absentBodyIsEmpty } from '../../plugins/absent-body.js'
import { sessionOf } from '../../plugins/authenticate.js'
import { originOf } from '../../plugins/origin.js'
import { bodyFailures, DisableTfaBody, Done, WrongOtp } from '../../schemas/account.js'
import { session } from './security.js'

const schema = {
  summary: 'Ask for no second factor any more',
  tags: ['account'],
  security: session,
  operationId: 'disableTfa',
  body: DisableTfaBody,
  response: { 204: Done('The secret and the recovery codes are forgotten.'), ...bodyFailures, 401: WrongOtp },
}

export const disableTfa: FastifyPluginCallbackTypebox = (app, _options, done) => {
  app.post('/users/me/tfa/disable', { schema, config: { hashes: true }, preValidation: absentBodyIsEmpty, preHandler: app.authenticateSession }, async (request, reply) => {
    await app.identity.account.disableTotp(sessionOf(request), request.body.otp, originOf(request))
    return reply.code(204).send(null)
  })
  done()
}

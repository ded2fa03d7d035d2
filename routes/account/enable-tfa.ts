import type { FastifyPluginCallbackTypebox } from '@fastify/type-provider-typebox'
import { absentBodyIsEmpty } from '../../plugins/absent-body.js'
import { sessionOf } from '../../plugins/authenticate.js'
import { originOf } from '../../plugins/origin.js'
import { bodyFailures, EnableTfaAnswer, EnableTfaBody, WrongOtp } from '../../schemas/account.js'
import { session } from './security.js'

const schema = {
  summary: 'Ask for a second factor at every login from now on',
  tags: ['account'],
  security: session,
  operationId: 'enableTfa',
  body: EnableTfaBody,
  response: { 200: EnableTfaAnswer, ...bodyFailures, 401: WrongOtp },
}

export const enableTfa: FastifyPluginCallbackTypebox = (app, _options, done) => {
  app.post('/users/me/tfa/enable', { schema, config: { hashes: true }, preValidation: absentBodyIsEmpty, preHandler: app.authenticateSession }, async (request) => {
    const recoveryCodes = await app.identity.account.enableTotp(sessionOf(request), request.body, originOf(request))
    return { data: { recovery_codes: recoveryCodes } }
  })
  done()
}

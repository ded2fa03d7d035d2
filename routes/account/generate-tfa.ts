import type { FastifyPluginCallbackTypebox } from '@fastify/type-provider-typebox'
import { absentBodyIsEmpty } from '../../plugins/absent-body.js'
import { sessionOf } from '../../plugins/authenticate.js'
import { originOf } from '../../plugins/origin.js'
import { bodyFailures, GenerateTfaAnswer, GenerateTfaBody, WrongPassword } from '../../schemas/account.js'
import { session } from './security.js'

const schema = {
  summary: 'Generate a secret for an authenticator; nothing changes until it is enabled',
  tags: ['account'],
  security: session,
  operationId: 'generateTfa',
  body: GenerateTfaBody,
  response: { 200: GenerateTfaAnswer, ...bodyFailures, 401: WrongPassword },
}

export const generateTfa: FastifyPluginCallbackTypebox = (app, _options, done) => {
  app.post('/users/me/tfa/generate', { schema, config: { hashes: true }, preValidation: absentBodyIsEmpty, preHandler: app.authenticateSession }, async (request) => {
    const generated = await app.identity.account.generateTotp(sessionOf(request), request.body.password, originOf(request))
    return { data: { secret: generated.secret, otpauth_url: generated.otpauthUrl } }
  })
  done()
}

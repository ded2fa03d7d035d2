import type { FastifyPluginCallbackTypebox } from '@fastify/type-provider-typebox'
import { absentBodyIsEmpty } from '../../plugins/absent-body.js'
import { originOf } from '../../plugins/origin.js'
import { refreshCookiesOf } from '../../plugins/refresh-cookies.js'
import { failures, LoginBody, LoginFailed, TokensAnswer } from '../../schemas/tokenset.js'
import { usernameOrEmailIdentifier } from '../../src/domain/identifiers.js'
import { toTokens } from './answer.js'
import { loginErrors } from './errors.js'

const schema = {
  summary: 'Log in with username or email, and password',
  tags: ['tokenset'],
  operationId: 'tokensetLogin',
  body: LoginBody,
  response: { 200: TokensAnswer, ...failures, 400: LoginFailed },
}

export const login: FastifyPluginCallbackTypebox = (app, _options, done) => {
  app.addHook('onRequest', (request, _reply, next) => {
    request.errorShape = loginErrors
    next()
  })
  app.post('/v1/auth', { schema, config: { hashes: true }, preValidation: absentBodyIsEmpty }, async (request) => {
    const { username, password, otp } = request.body
    const grant = await app.identity.login({
      dialect: app.dialectPolicies.tokenset,
      identifier: usernameOrEmailIdentifier(username),
      factor: 'password',
      secret: password,
      otp: otp ?? null,
      origin: originOf(request),
      refreshCookies: refreshCookiesOf(request),
      replaces: null,
    })
    return toTokens(app, grant)
  })
  done()
}

import type { FastifyPluginCallbackTypebox } from '@fastify/type-provider-typebox'
import { absentBodyIsEmpty } from '../../plugins/absent-body.js'
import { originOf } from '../../plugins/origin.js'
import { refreshCookiesOf } from '../../plugins/refresh-cookies.js'
import { failures, InvalidCredentials, LoginAnswer, LoginBody } from '../../schemas/bearer.js'
import { usernameIdentifier } from '../../src/domain/identifiers.js'
import { userIdOf } from './ids.js'

const schema = {
  summary: 'Log in with username and password',
  tags: ['bearer'],
  operationId: 'bearerLogin',
  body: LoginBody,
  response: { 200: LoginAnswer, ...failures, 401: InvalidCredentials },
}

export const login: FastifyPluginCallbackTypebox = (app, _options, done) => {
  app.post('/api/v1/auth/login', { schema, config: { hashes: true }, preValidation: absentBodyIsEmpty }, async (request) => {
    const { username, password, otp } = request.body
    const grant = await app.identity.login({
      dialect: app.dialectPolicies.bearer,
      identifier: usernameIdentifier(username),
      factor: 'password',
      secret: password,
      otp: otp ?? null,
      origin: originOf(request),
      refreshCookies: refreshCookiesOf(request),
      replaces: null,
    })
    const { user } = grant.state
    return {
      token: grant.accessToken,
      expires_in: grant.accessSeconds,
      user: { id: userIdOf(user), username: user.username, email: user.email },
      refreshToken: grant.refreshToken,
    }
  })
  done()
}

import type { FastifyPluginCallbackTypebox } from '@fastify/type-provider-typebox'
import { absentBodyIsEmpty } from '../../plugins/absent-body.js'
import { failures, InvalidRefreshToken, RefreshAnswer, RefreshBody } from '../../schemas/bearer.js'

const schema = {
  summary: 'Turn a refresh token into a new access token and a successor',
  tags: ['bearer'],
  operationId: 'bearerRefresh',
  body: RefreshBody,
  response: { 200: RefreshAnswer, ...failures, 401: InvalidRefreshToken },
}

export const refresh: FastifyPluginCallbackTypebox = (app, _options, done) => {
  app.post('/api/v1/auth/refresh', { schema, config: { rateClass: 'refresh' }, preValidation: absentBodyIsEmpty }, async (request) => {
    const grant = await app.rotateRefreshToken(request, 'bearer', request.body.refreshToken)
    return { token: grant.accessToken, expires_in: grant.accessSeconds, refreshToken: grant.refreshToken }
  })
  done()
}

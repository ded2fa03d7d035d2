import type { FastifyPluginCallbackTypebox } from '@fastify/type-provider-typebox'
import type { Static } from '@sinclair/typebox'
import { absentBodyIsEmpty } from '../../plugins/absent-body.js'
import { failures, RefreshBody, RefreshFailed, TokensAnswer } from '../../schemas/tokenset.js'
import { AuthError, malformed } from '../../src/domain/errors.js'
import { toTokens } from './answer.js'

const schema = {
  summary: 'Turn a refresh token into three new tokens',
  tags: ['tokenset'],
  operationId: 'tokensetRefresh',
  body: RefreshBody,
  response: { 200: TokensAnswer, ...failures, 400: RefreshFailed },
}

export const refresh: FastifyPluginCallbackTypebox = (app, _options, done) => {
  app.post('/v1/auth/refreshtoken', { schema, config: { rateClass: 'refresh' }, preValidation: absentBodyIsEmpty }, async (request) => {
    const grant = await app.rotateRefreshToken(request, 'tokenset', presentedToken(request.body))
    return toTokens(app, grant)
  })
  done()
}

/**
 * The source writes `refreshtoken` in requests and `refreshToken` in answers; an empty one is none.
 * @throws AuthError refresh_missing | malformed
 */
function presentedToken({ refreshtoken = '', refreshToken = '' }: Static<typeof RefreshBody>): string {
  if (refreshtoken !== '' && refreshToken !== '' && refreshtoken !== refreshToken) {
    throw malformed('refreshtoken and refreshToken differ: send one of them')
  }
  const token = refreshtoken === '' ? refreshToken : refreshtoken
  if (token === '') throw new AuthError('refresh_missing')
  return token
}

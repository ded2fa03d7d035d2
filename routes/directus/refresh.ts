import { failures, InvalidRefreshToken, RefreshBody, TokensAnswer, type Envelope } from '../../schemas/directus.js'
import type { Operation } from '../dialect.js'
import { presentedToken } from './presented-token.js'
import { refreshCookie, sendGrant } from './tokens.js'

export const refresh = (envelope: Envelope): Operation<typeof RefreshBody> => ({
  body: RefreshBody,
  response: { ...failures, 200: TokensAnswer(envelope), 401: InvalidRefreshToken },
  summary: 'Get a new access token for a refresh token',

  async handle(request, reply, body) {
    const { token, via } = presentedToken(request, body)
    const { mode = via === 'body' ? 'json' : 'cookie' } = body
    const grant = await request.server.rotateRefreshToken(request, 'directus', token)
    // The successor moves into the body: what stays in the cookie would be taken for theft at its next use.
    if (mode === 'json' && via === 'cookie') reply.clearTokenCookie(refreshCookie)
    return sendGrant(reply, grant, { mode, envelope })
  },
})

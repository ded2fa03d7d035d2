import type { Static } from '@sinclair/typebox'
import { refreshCookieOf } from '../../plugins/refresh-cookies.js'
import { failures, InvalidToken, RefreshAnswer } from '../../schemas/pin.js'
import { AuthError } from '../../src/domain/errors.js'
import type { Operation } from '../dialect.js'
import { setGrantCookies, type PinCookies } from './cookies.js'

/** The refresh token comes in its cookie, and its successor goes out in the same. */
export const refresh = (cookies: PinCookies): Operation => ({
  body: null,
  response: { ...failures, 200: RefreshAnswer, 401: InvalidToken },
  summary: 'Get a new access token for the refresh cookie',

  async handle(request, reply) {
    const token = refreshCookieOf(request, cookies.refresh.name)
    if (token === null) throw new AuthError('refresh_missing')
    const grant = await request.server.rotateRefreshToken(request, 'pin', token)
    setGrantCookies(reply, cookies, grant)
    return reply.send({ message: 'Access token refreshed successfully', accessToken: grant.accessToken } satisfies Static<typeof RefreshAnswer>)
  },
})

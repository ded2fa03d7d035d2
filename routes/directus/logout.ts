import { originOf } from '../../plugins/origin.js'
import { onlyCookie } from '../../plugins/refresh-cookies.js'
import { failures, InvalidRefreshToken, LoggedOut, LogoutBody } from '../../schemas/directus.js'
import type { Operation } from '../dialect.js'
import { presentedToken } from './presented-token.js'
import { refreshCookie } from './tokens.js'

/** Needs no access token, and looks at none. An unknown refresh token is success as well. */
export const logout: Operation<typeof LogoutBody> = {
  body: LogoutBody,
  response: { ...failures, 204: LoggedOut, 401: InvalidRefreshToken },
  summary: 'End the session of a refresh token',

  async handle(request, reply, body) {
    const { token } = presentedToken(request, body)
    await request.server.identity.logoutByRefreshToken('directus', token, originOf(request))
    // A cookie with another token is another session, which lives on.
    if (onlyCookie(request, refreshCookie.name) === token) reply.clearTokenCookie(refreshCookie)
    return reply.code(204).send()
  },
}

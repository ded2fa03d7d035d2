import { originOf } from '../../plugins/origin.js'
import { readCookie } from '../../plugins/cookie-transport.js'
import { allCookies } from '../../plugins/refresh-cookies.js'
import { failures, InvalidRefreshToken, LoggedOut, LogoutBody } from '../../schemas/directus.js'
import { AuthError } from '../../src/domain/errors.js'
import type { Operation } from '../dialect.js'
import { refreshCookie } from './tokens.js'

/** Needs no access token, and looks at none. An unknown refresh token is success as well. */
export const logout: Operation<typeof LogoutBody> = {
  body: LogoutBody,
  response: { ...failures, 204: LoggedOut, 401: InvalidRefreshToken },
  summary: 'End the session of a refresh token',

  async handle(request, reply, body) {
    const tokens = body.refresh_token ? [body.refresh_token] : allCookies(request, refreshCookie.name)
    if (tokens.length === 0) throw new AuthError('refresh_missing')
    for (const token of tokens) await request.server.identity.logoutByRefreshToken('directus', token, originOf(request))
    // A cookie with another token is another session, which lives on.
    const { kind } = readCookie(request, refreshCookie.name)
    const isOver = allCookies(request, refreshCookie.name).every((token) => tokens.includes(token))
    if (kind === 'many' && isOver) reply.clearOtherScopes(refreshCookie)
    if (kind !== 'none' && isOver) reply.clearTokenCookie(refreshCookie)
    return reply.code(204).send()
  },
}

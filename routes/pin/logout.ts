import type { Static } from '@sinclair/typebox'
import { sessionOf } from '../../plugins/authenticate.js'
import { originOf } from '../../plugins/origin.js'
import { allCookies } from '../../plugins/refresh-cookies.js'
import { failures, LogoutAnswer, Unauthorized } from '../../schemas/pin.js'
import type { Operation } from '../dialect.js'
import { clearGrantCookies, type PinCookies } from './cookies.js'

/** Ends the session of the access token, and those of the refresh cookies that are the same user's. */
export const logout = (cookies: PinCookies): Operation => ({
  body: null,
  response: { ...failures, 200: LogoutAnswer, 401: Unauthorized },
  summary: 'Log out',

  async handle(request, reply) {
    await request.server.authenticateForLogout(request)
    const tokens = allCookies(request, cookies.refresh.name)
    await request.server.identity.logout(sessionOf(request), originOf(request), { dialect: 'pin', tokens })
    clearGrantCookies(reply, cookies)
    return reply.send({ message: 'Logout successful' } satisfies Static<typeof LogoutAnswer>)
  },
})

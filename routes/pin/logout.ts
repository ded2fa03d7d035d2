import type { Static } from '@sinclair/typebox'
import type { FastifyRequest } from 'fastify'
import { sessionOf } from '../../plugins/authenticate.js'
import { readCookie } from '../../plugins/cookie-transport.js'
import { originOf } from '../../plugins/origin.js'
import { failures, LogoutAnswer, Unauthorized } from '../../schemas/pin.js'
import { AuthError } from '../../src/domain/errors.js'
import type { Operation } from '../dialect.js'
import { clearGrantCookies, type PinCookies } from './cookies.js'

/** Ends the session of the access token, and that of the refresh cookie if it is the same user's. */
export const logout = (cookies: PinCookies): Operation => ({
  body: null,
  response: { ...failures, 200: LogoutAnswer, 401: Unauthorized },
  summary: 'Log out',

  async handle(request, reply) {
    await request.server.authenticateForLogout(request)
    const token = refreshCookieBeside(request, cookies.refresh.name)
    await request.server.identity.logout(sessionOf(request), originOf(request), token === null ? null : { dialect: 'pin', token })
    clearGrantCookies(reply, cookies)
    return reply.send({ message: 'Logout successful' } satisfies Static<typeof LogoutAnswer>)
  },
})

/** Two of that name: one session would stay alive unseen, so nothing is ended, and the client is told. */
function refreshCookieBeside(request: FastifyRequest, name: string): string | null {
  const reading = readCookie(request, name)
  if (reading.kind === 'many') throw new AuthError('access_token_invalid', { cause: 'two refresh cookies' })
  return reading.kind === 'one' ? reading.value : null
}

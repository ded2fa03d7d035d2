import { auditMisdirected } from './misdirected.js'
import type { DialectName, Origin, SessionPrincipal } from './model.js'
import { decodeRefreshToken } from './refresh-token.js'
import type { Service } from './service.js'
import { endSession } from './sessions.js'

/**
 * Ends the session of an access token; and that of a refresh token beside it, if it is the same user's.
 * Ending what has ended is success.
 */
export async function logout(service: Service, principal: SessionPrincipal, origin: Origin, refreshCookie: { dialect: DialectName; token: string } | null = null): Promise<void> {
  await endSession(service.repository, { sessionId: principal.sessionId, because: 'logout', origin, actor: null })
  const token = refreshCookie && decodeRefreshToken(refreshCookie.token, service.keyring)
  if (token?.dialect !== refreshCookie?.dialect || !token || token.sessionId === principal.sessionId) return
  const state = await service.repository.sessions.find(token.sessionId)
  if (state?.user.id === principal.userId) await endSession(service.repository, { sessionId: token.sessionId, because: 'logout', origin, actor: null })
}

/** Ends the session of a refresh token. A forged, foreign or dead one changes nothing, and is no error. */
export async function logoutByRefreshToken(service: Service, dialect: DialectName, token: string, origin: Origin): Promise<void> {
  const presented = decodeRefreshToken(token, service.keyring)
  if (presented === null) return
  if (presented.dialect !== dialect) return auditMisdirected(service, dialect, presented, origin)
  await endSession(service.repository, { sessionId: presented.sessionId, because: 'logout', origin, actor: null })
}

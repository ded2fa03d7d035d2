import { auditMisdirected } from './misdirected.js'
import type { DialectName, Origin, SessionPrincipal } from './model.js'
import { decodeRefreshToken } from './refresh-token.js'
import type { Service } from './service.js'
import { endSession } from './sessions.js'

/** Refresh tokens that came with a logout. */
export interface TokensBeside {
  readonly dialect: DialectName
  readonly tokens: readonly string[]
}

/**
 * Ends the session of an access token; and those of the refresh tokens beside it that are the same user's.
 * Ending what has ended is success.
 */
export async function logout(service: Service, principal: SessionPrincipal, origin: Origin, beside: TokensBeside | null = null): Promise<void> {
  await endSession(service.repository, { sessionId: principal.sessionId, because: 'logout', origin, actor: null })
  for (const text of beside?.tokens ?? []) {
    const token = decodeRefreshToken(text, service.keyring)
    if (token === null || token.dialect !== beside?.dialect || token.sessionId === principal.sessionId) continue
    const state = await service.repository.sessions.find(token.sessionId)
    if (state?.user.id === principal.userId) await endSession(service.repository, { sessionId: token.sessionId, because: 'logout', origin, actor: null })
  }
}

/** Ends the session of a refresh token. A forged, foreign or dead one changes nothing, and is no error. */
export async function logoutByRefreshToken(service: Service, dialect: DialectName, token: string, origin: Origin): Promise<void> {
  const presented = decodeRefreshToken(token, service.keyring)
  if (presented === null) return
  if (presented.dialect !== dialect) return auditMisdirected(service, dialect, presented, origin, 'logout')
  await endSession(service.repository, { sessionId: presented.sessionId, because: 'logout', origin, actor: null })
}

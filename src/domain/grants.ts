import { v7 as uuidv7 } from 'uuid'
import type { DataKey } from './keyring.js'
import type { SessionState } from './model.js'
import { encodeRefreshToken } from './refresh-token.js'
import { scopesOfRole } from './scopes.js'
import type { DialectPolicy, Service } from './service.js'

/** What a login or a refresh gives; each dialect shows of it what its document says. */
export interface Grant {
  readonly state: SessionState
  readonly accessToken: string
  readonly accessTokenId: string
  readonly issuedAt: Date
  readonly accessSeconds: number
  readonly refreshToken: string
  /** Until the session ends if nobody refreshes it: what remains for a cookie. Seconds. */
  readonly refreshSeconds: number
}

/** An access token for the session, and the refresh token of the given generation. */
export function issueGrant(service: Service, dialect: DialectPolicy, state: SessionState, refresh: { key: DataKey; generation: number }): Grant {
  const { session } = state
  const issuedAt = service.clock.now()
  const accessSeconds = Math.max(1, Math.min(dialect.accessSeconds, state.remainingSeconds))
  const accessTokenId = uuidv7()
  const content = {
    sessionId: session.id,
    generation: refresh.generation,
    dialect: dialect.name,
    expiresAtSeconds: Math.floor(session.expiresAt.getTime() / 1000),
  }
  return {
    state,
    accessToken: service.accessTokens.sign(accessClaims(service, dialect, state, { issuedAt, accessSeconds, accessTokenId }), 'at+jwt'),
    accessTokenId,
    issuedAt,
    accessSeconds,
    refreshToken: encodeRefreshToken(content, refresh.key),
    refreshSeconds: Math.max(1, state.remainingSeconds),
  }
}

/** @see RFC 9068 §2.2 */
function accessClaims(service: Service, dialect: DialectPolicy, { session, user }: SessionState, token: { issuedAt: Date; accessSeconds: number; accessTokenId: string }) {
  const iat = Math.floor(token.issuedAt.getTime() / 1000)
  return {
    iss: service.settings.issuer,
    aud: service.settings.audience,
    sub: user.id,
    sid: session.id,
    ep: session.epoch,
    jti: token.accessTokenId,
    iat,
    exp: iat + token.accessSeconds,
    scope: scopesOfRole(user.role).join(' '),
    amr: session.amr,
    ...(user.username === null ? {} : { username: user.username }),
    ...(user.email === null ? {} : { email: user.email }),
    ...dialect.accessClaims(user),
  }
}

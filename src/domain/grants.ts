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
  /** What the access token allows. */
  readonly scopes: readonly string[]
  readonly refreshToken: string
  /** Until the session ends if nobody refreshes it: what remains for a cookie. Seconds. */
  readonly refreshSeconds: number
}

/** What the access token of a grant is asked to be. */
export interface GrantRequest {
  /** A client that authenticated. Absent: the public client. */
  readonly clientId?: string
  /** null or absent: everything that the user may do. What the user may not do is left out. */
  readonly scopes?: readonly string[] | null
}

/** An access token for the session, and the refresh token of the given generation. */
export function issueGrant(service: Service, dialect: DialectPolicy, state: SessionState, refresh: { key: DataKey; generation: number }, asked: GrantRequest = {}): Grant {
  const { session } = state
  const issuedAt = service.clock.now()
  const accessSeconds = Math.max(1, Math.min(dialect.accessSeconds, state.remainingSeconds))
  const accessTokenId = uuidv7()
  const scopes = scopesOfRole(state.user.role).filter((scope) => asked.scopes?.includes(scope) ?? true)
  const token = { issuedAt, accessSeconds, accessTokenId, scopes, clientId: asked.clientId ?? service.settings.publicClientId }
  const content = {
    sessionId: session.id,
    generation: refresh.generation,
    dialect: dialect.name,
    expiresAtSeconds: Math.floor(session.expiresAt.getTime() / 1000),
  }
  return {
    state,
    accessToken: service.accessTokens.sign(accessClaims(service, dialect, state, token), 'at+jwt'),
    accessTokenId,
    issuedAt,
    accessSeconds,
    scopes,
    refreshToken: encodeRefreshToken(content, refresh.key),
    refreshSeconds: Math.max(1, state.remainingSeconds),
  }
}

interface AccessTokenFacts extends Pick<Grant, 'issuedAt' | 'accessSeconds' | 'accessTokenId' | 'scopes'> {
  readonly clientId: string
}

/** @see RFC 9068 §2.2 */
function accessClaims(service: Service, dialect: DialectPolicy, { session, user }: SessionState, token: AccessTokenFacts) {
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
    client_id: token.clientId,
    scope: token.scopes.join(' '),
    auth_time: Math.floor(session.authTime.getTime() / 1000),
    amr: session.amr,
    ...(user.username === null ? {} : { username: user.username }),
    ...(user.email === null ? {} : { email: user.email }),
    ...dialect.accessClaims(user),
  }
}

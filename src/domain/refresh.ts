import { AuthError } from './errors.js'
import { isCrossing, noteCrossing } from './crossings.js'
import { issueGrant, type Grant, type GrantRequest } from './grants.js'
import { auditMisdirected } from './misdirected.js'
import type { Origin, SessionState } from './model.js'
import { networkOf } from './network.js'
import { decodeRefreshToken, type PresentedRefreshToken } from './refresh-token.js'
import { scopesOfEverybody, scopesOfRole } from './scopes.js'
import type { DialectPolicy, Service } from './service.js'
import { endSession } from './sessions.js'

export interface RefreshAttempt {
  readonly dialect: DialectPolicy
  readonly token: string
  readonly origin: Origin
  readonly asked?: GrantRequest
}

/** A successor for the first time; or once more, within the grace window or for a static client. */
export type Rotation = 'rotated' | 'grace' | 'static'

export interface RefreshedGrant extends Grant {
  readonly rotation: Rotation
  /** A predecessor was used from another network than its successor was asked for from. */
  readonly crossedNetworks: boolean
}

/**
 * Turns a presented refresh token into a fresh grant.
 * @param attempt.token compact JWS, `typ` rt+jwt
 * @returns a grant with the successor: the very same bytes when it is asked for again within the grace window
 * @throws AuthError refresh_invalid | malformed (invalid_scope; then nothing is rotated) | unavailable
 * @see RFC 9700 §4.14.2, docs/sessions.md
 */
export async function refresh(service: Service, attempt: RefreshAttempt): Promise<RefreshedGrant> {
  const presented = decodeRefreshToken(attempt.token, service.keyring)
  if (presented === null) throw invalid('forged')
  if (presented.dialect !== attempt.dialect.name) {
    await auditMisdirected(service, attempt.dialect.name, presented, attempt.origin, 'refresh')
    throw invalid('misdirected')
  }
  await requireGranted(service, attempt, presented)
  return (await rotate(service, attempt, presented)) ?? (await rotate(service, attempt, presented)) ?? refuseDead()
}

/**
 * A refused request must leave the refresh token as it is, so the scopes are judged before the rotation. A token that is dead or
 * used again is left to the rotation, which treats it as ever.
 * @see RFC 6749 §6
 */
async function requireGranted({ repository, settings }: Service, { dialect, asked }: RefreshAttempt, presented: PresentedRefreshToken): Promise<void> {
  const requested = asked?.scopes ?? []
  if (requested.every((scope) => scopesOfEverybody.includes(scope))) return
  const state = await repository.sessions.find(presented.sessionId)
  const judgement = judge(presented.generation, state, dialect, settings.refreshGraceSeconds)
  if (state === null || (judgement !== 'current' && judgement !== 'again')) return
  const granted: readonly string[] = scopesOfRole(state.user.role)
  if (!requested.every((scope) => granted.includes(scope))) throw new AuthError('malformed', { oauth: 'invalid_scope', reason: 'a scope that was asked for was not granted: leave scope out for all that was' })
}

/**
 * One try. The statement that advances reads the user from its snapshot: where a password change moved both the user and this
 * session while it waited for the row, it finds nothing although the session lives. Then, and only then, the answer is null.
 */
async function rotate(service: Service, { dialect, origin, asked }: RefreshAttempt, presented: PresentedRefreshToken): Promise<RefreshedGrant | null> {
  const { sessions } = service.repository
  const grantOf = (state: SessionState, rotation: Rotation, crossedNetworks = false): RefreshedGrant =>
    ({ ...issueGrant(service, dialect, state, { key: presented.key, generation: state.session.generation }, asked), rotation, crossedNetworks })
  const advanced = await sessions.advance(presented.sessionId, presented.generation, dialect.name, dialect.idleSeconds, networkOf(origin.ip))
  if (advanced) return grantOf(advanced, 'rotated')
  const state = await sessions.find(presented.sessionId)
  switch (judge(presented.generation, state, dialect, service.settings.refreshGraceSeconds)) {
    case 'current':
      return null
    case 'again': {
      if (state === null) return null
      const crossed = isCrossing(presented, state, dialect, origin)
      if (crossed && (await noteCrossing(service, state, origin))) return refuseReused(service, presented, origin)
      return grantOf(state, isRecent(state, service.settings.refreshGraceSeconds) ? 'grace' : 'static', crossed)
    }
    case 'ahead':
      return refuseAhead(service, presented, state, origin)
    case 'reused':
      return refuseReused(service, presented, origin)
    case 'dead':
      return refuseDead()
  }
}

export type Judgement = 'dead' | 'current' | 'again' | 'ahead' | 'reused'

/** What a genuine token of generation g is worth, the session being at generation G (sessions-and-tokens.md, Rotation). */
export function judge(g: number, state: SessionState | null, dialect: Pick<DialectPolicy, 'name' | 'staticClients'>, graceSeconds: number): Judgement {
  if (!state?.alive || state.session.dialect !== dialect.name) return 'dead'
  const { generation } = state.session
  if (g > generation) return 'ahead'
  if (g === generation) return 'current'
  if (g === generation - 1 && isRecent(state, graceSeconds)) return 'again'
  if (g === 0 && generation === 1 && dialect.staticClients) return 'again'
  return 'reused'
}

const isRecent = ({ secondsSinceRotation }: SessionState, graceSeconds: number): boolean => secondsSinceRotation !== null && secondsSinceRotation < graceSeconds

const invalid = (cause: string): AuthError => new AuthError('refresh_invalid', { cause })

function refuseDead(): never {
  throw invalid('dead')
}

/** Nobody can hold it: either the database was restored from a backup, or the refresh key is known outside. */
async function refuseAhead(service: Service, presented: PresentedRefreshToken, state: SessionState | null, origin: Origin): Promise<never> {
  const detail = { presented: presented.generation, current: state?.session.generation ?? null }
  const event = service.auditRepeats.admit({ type: 'refresh_ahead', actor: { kind: 'user', id: state?.user.id ?? 'unknown' }, userId: state?.user.id ?? null, sessionId: presented.sessionId, dialect: presented.dialect, origin, detail }, { what: 'ahead', subject: presented.sessionId, network: null })
  if (event !== null) await service.repository.audit.append(event)
  throw invalid('ahead')
}

/** Somebody else used the successor: the session ends, and has ended before the answer goes out. */
async function refuseReused(service: Service, presented: PresentedRefreshToken, origin: Origin): Promise<never> {
  await endSession(service.repository, { sessionId: presented.sessionId, because: 'refresh_reused', origin, actor: null })
  throw invalid('reused')
}

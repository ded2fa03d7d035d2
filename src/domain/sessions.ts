import type { AuditEvent } from './audit.js'
import { change, type Changed } from './authority.js'
import type { Actor, Origin, Session } from './model.js'
import type { Repository, SessionEnd } from './ports.js'

export interface EndOfSession {
  readonly sessionId: string
  readonly because: SessionEnd
  readonly origin: Origin | null
  /** null: the user of the session. */
  readonly actor: Actor | null
}

const eventTypes = {
  logout: 'logout',
  replaced: 'session_ended',
  refresh_reused: 'refresh_reused',
  ended_by_user: 'session_ended',
  ended_by_operator: 'session_ended',
  token_revoked: 'token_revoked',
} as const satisfies Record<SessionEnd, string>

/**
 * Ends one session: the row, the word to all nodes and the audit event, together.
 * @returns the session, or null when it had ended before: then nothing is written. Whoever asks again because the answer was
 *   lost hears that it is done, so this node obeys at once, wherever it was done
 */
export const endSession = (repository: Repository, end: EndOfSession): Promise<Session | null> =>
  change({ repository }, null, (tx) => endSessionRow(tx, end))

/** The same as a part of a change. */
export async function endSessionRow(tx: Repository, end: EndOfSession): Promise<Changed<Session | null>> {
  const session = await tx.sessions.revoke(end.sessionId, end.because)
  if (session === null) {
    await tx.revocations.recall(end.sessionId)
    return { result: null }
  }
  const event: AuditEvent = {
    type: eventTypes[end.because],
    actor: end.actor ?? { kind: 'user', id: session.userId },
    userId: session.userId,
    sessionId: session.id,
    dialect: session.dialect,
    origin: end.origin,
    detail: { because: end.because },
  }
  return { result: session, ends: [{ kind: 'session', subject: session.id }], events: [event] }
}

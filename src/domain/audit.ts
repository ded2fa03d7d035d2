import type { Actor, DialectName, Origin } from './model.js'

/** What is worth remembering: who, what, when, from where. Never a secret; an unknown identifier only as a keyed hash. */
export const auditEventTypes = [
  'login_succeeded',
  'login_failed',
  'login_locked',
  'logout',
  'session_ended',
  'sessions_ended',
  'refresh_reused',
  'refresh_crossed_networks',
  'refresh_ahead',
  'refresh_misdirected',
  'password_changed',
  'pin_changed',
  'totp_enabled',
  'totp_disabled',
  'recovery_code_used',
  'api_key_created',
  'api_key_rolled',
  'api_key_deleted',
  'user_created',
  'user_suspended',
  'user_activated',
  'user_unlocked',
  'user_deleted',
  'user_role_changed',
  'user_renamed',
  'user_revoked',
  'everything_revoked',
  'client_created',
  'client_rotated',
  'client_deleted',
  'token_revoked',
  'signing_key_rotated',
  'signing_key_revoked',
  'audit_pruned',
] as const

export type AuditEventType = (typeof auditEventTypes)[number]

export interface AuditEvent {
  readonly type: AuditEventType
  readonly actor: Actor
  readonly userId?: string | null
  readonly sessionId?: string | null
  readonly dialect?: DialectName | null
  readonly origin?: Origin | null
  readonly detail?: Readonly<Record<string, string | number | boolean | null | readonly string[]>>
}

/** As it stands in the trail. */
export interface StoredAuditEvent extends AuditEvent {
  readonly id: number
  readonly at: Date
}

/** With its place in the chain: numbers without gaps, in the order in which events became visible. */
export interface SealedAuditEvent extends StoredAuditEvent {
  readonly seq: number
}

/**
 * Everything that can go wrong on the way to an answer: a closed set. What we know (the cause, for the log) and what we
 * tell (the text, from the table of the answering dialect) are separate.
 */
export const authErrorCodes = [
  'malformed',
  'invalid_credentials',
  'unknown_user',
  'invalid_otp',
  'refresh_missing',
  'refresh_invalid',
  'authentication_required',
  'api_key_invalid',
  'access_token_invalid',
  'access_token_expired',
  'forbidden',
  'cross_site',
  'misdirected',
  'not_found',
  'api_key_not_found',
  'conflict',
  'method_not_allowed',
  'content_too_large',
  'unsupported_media_type',
  'too_many_requests',
  'internal',
  'unavailable',
] as const

export type AuthErrorCode = (typeof authErrorCodes)[number]

/** What the OAuth endpoints say instead, where they have a word of their own (RFC 6749 §5.2, RFC 6750 §3.1). */
export type OAuthErrorCode =
  | 'invalid_request'
  | 'invalid_client'
  | 'invalid_grant'
  | 'unauthorized_client'
  | 'unsupported_grant_type'
  | 'unsupported_token_type'
  | 'invalid_scope'
  | 'insufficient_scope'

export interface AuthErrorDetails {
  /** What is wrong and what to do, for the reader of a 400, 403, 409 or 421. Never a secret, never a value that was sent. */
  reason?: string
  /** The log's side: why it happened. */
  cause?: unknown
  /** For `too_many_requests` and `unavailable`. */
  retryAfterSeconds?: number
  /** For `method_not_allowed`: the methods that the path knows. */
  allow?: readonly string[]
  oauth?: OAuthErrorCode
}

export class AuthError extends Error {
  override readonly name = 'AuthError'
  readonly code: AuthErrorCode
  readonly reason: string | undefined
  readonly retryAfterSeconds: number | undefined
  readonly allow: readonly string[] | undefined
  readonly oauth: OAuthErrorCode | undefined

  constructor(code: AuthErrorCode, details: AuthErrorDetails = {}) {
    super(details.reason ? `${code}: ${details.reason}` : code, { cause: details.cause })
    this.code = code
    this.reason = details.reason
    this.retryAfterSeconds = details.retryAfterSeconds
    this.allow = details.allow
    this.oauth = details.oauth
  }
}

export const malformed = (reason: string): AuthError => new AuthError('malformed', { reason })

/** A dependency (Postgres, the hash queue) cannot answer now; the same call may succeed in a moment. */
export const unavailable = (cause: unknown, retryAfterSeconds = 1): AuthError =>
  new AuthError('unavailable', { cause, retryAfterSeconds })

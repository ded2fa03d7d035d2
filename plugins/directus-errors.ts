import type { AuthError, AuthErrorCode } from '../src/domain/errors.js'
import type { ErrorShape } from './error-shape.js'

/** Status, code, sentence for the reader, and what a `WWW-Authenticate` says. */
type Row = readonly [status: number, code: string, message: string, challenge?: string]

const bearer = 'Bearer'
const invalidToken = 'Bearer error="invalid_token"'

const rows = {
  malformed: [400, 'INVALID_PAYLOAD', 'Invalid payload.'],
  invalid_credentials: [401, 'INVALID_CREDENTIALS', 'Invalid user credentials.'],
  unknown_user: [401, 'INVALID_CREDENTIALS', 'Invalid user credentials.'],
  invalid_otp: [401, 'INVALID_OTP', 'Invalid user OTP.'],
  refresh_missing: [400, 'INVALID_PAYLOAD', 'Invalid payload.'],
  refresh_invalid: [401, 'INVALID_CREDENTIALS', 'Invalid user credentials.'],
  authentication_required: [401, 'INVALID_CREDENTIALS', 'Invalid user credentials.', bearer],
  api_key_invalid: [401, 'INVALID_CREDENTIALS', 'Invalid user credentials.', invalidToken],
  access_token_invalid: [403, 'INVALID_TOKEN', 'Invalid token.', invalidToken],
  access_token_expired: [401, 'TOKEN_EXPIRED', 'Token expired.', invalidToken],
  forbidden: [403, 'FORBIDDEN', "You don't have permission to access this."],
  cross_site: [403, 'FORBIDDEN', "You don't have permission to access this."],
  not_found: [404, 'ROUTE_NOT_FOUND', "Route «path» doesn't exist."],
  api_key_not_found: [404, 'ROUTE_NOT_FOUND', "Route «path» doesn't exist."],
  conflict: [409, 'CONFLICT', 'This already exists.'],
  method_not_allowed: [405, 'METHOD_NOT_ALLOWED', 'Method not allowed.'],
  content_too_large: [413, 'CONTENT_TOO_LARGE', 'Request body too large.'],
  unsupported_media_type: [415, 'UNSUPPORTED_MEDIA_TYPE', 'Unsupported media type.'],
  too_many_requests: [429, 'REQUESTS_EXCEEDED', 'Too many requests.'],
  internal: [500, 'INTERNAL_SERVER_ERROR', 'Internal server error.'],
  unavailable: [503, 'SERVICE_UNAVAILABLE', 'Service unavailable, try again.'],
} as const satisfies Record<AuthErrorCode, Row>

const refreshMissing = 'The refresh token is required in either the payload or cookie'

/**
 * `{"errors":[{"message","extensions":{"code","reason"?}}]}`. It answers in the dialect directus, and below /users in any case:
 * a user's own account is there whichever dialects are served.
 */
export const directusErrors: ErrorShape = {
  name: 'directus',
  render(error, path) {
    const [status, code, sentence, challenge]: Row = rows[error.code]
    const reason = reasonOf(error)
    const message = status === 400 && reason !== undefined ? `Invalid payload. ${asSentence(reason)}` : sentence.replace('«path»', () => path)
    const body = { errors: [{ message, extensions: { code, ...(reason === undefined ? {} : { reason }) } }] }
    return { status, body, ...(challenge === undefined ? {} : { challenge }) }
  },
}

const reasonOf = (error: AuthError): string | undefined => error.reason ?? (error.code === 'refresh_missing' ? refreshMissing : undefined)

const asSentence = (reason: string): string => (reason.endsWith('.') ? reason : `${reason}.`)

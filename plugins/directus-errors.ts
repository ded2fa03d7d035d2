import type { AuthError, AuthErrorCode } from '../src/domain/errors.js'
import type { ErrorShape } from './error-shape.js'

/** Status, code, text, and what a `WWW-Authenticate` says. With INVALID_PAYLOAD the text is the reason, for errors that bring none of their own. */
type Row = readonly [status: number, code: string, text: string, challenge?: string]

const bearer = 'Bearer'
const invalidToken = 'Bearer error="invalid_token"'
const invalidCredentials = 'Invalid user credentials.'
const forbidden = "You don't have permission to access this."
const noRoute = "Route «path» doesn't exist."

const table: Readonly<Record<AuthErrorCode, Row>> = {
  malformed: [400, 'INVALID_PAYLOAD', 'The request is malformed'],
  invalid_credentials: [401, 'INVALID_CREDENTIALS', invalidCredentials],
  // The same 401 as a wrong password: an address is not given away.
  unknown_user: [401, 'INVALID_CREDENTIALS', invalidCredentials],
  invalid_otp: [401, 'INVALID_OTP', 'Invalid user OTP.'],
  refresh_missing: [400, 'INVALID_PAYLOAD', 'The refresh token is required in either the payload or cookie'],
  refresh_invalid: [401, 'INVALID_CREDENTIALS', invalidCredentials],
  authentication_required: [401, 'INVALID_CREDENTIALS', invalidCredentials, bearer],
  api_key_invalid: [401, 'INVALID_CREDENTIALS', invalidCredentials, invalidToken],
  access_token_invalid: [403, 'INVALID_TOKEN', 'Invalid token.', invalidToken],
  access_token_expired: [401, 'TOKEN_EXPIRED', 'Token expired.', invalidToken],
  forbidden: [403, 'FORBIDDEN', forbidden],
  cross_site: [403, 'FORBIDDEN', forbidden],
  misdirected: [421, 'MISDIRECTED_REQUEST', 'Misdirected request.'],
  not_found: [404, 'ROUTE_NOT_FOUND', noRoute],
  api_key_not_found: [404, 'ROUTE_NOT_FOUND', noRoute],
  conflict: [400, 'INVALID_PAYLOAD', 'This already exists'],
  method_not_allowed: [405, 'METHOD_NOT_ALLOWED', 'Method not allowed.'],
  content_too_large: [413, 'CONTENT_TOO_LARGE', 'Request body too large.'],
  unsupported_media_type: [415, 'UNSUPPORTED_MEDIA_TYPE', 'Unsupported media type.'],
  too_many_requests: [429, 'REQUESTS_EXCEEDED', 'Too many requests.'],
  internal: [500, 'INTERNAL_SERVER_ERROR', 'Internal server error.'],
  unavailable: [503, 'SERVICE_UNAVAILABLE', 'Service unavailable, try again.'],
}

/**
 * `{"errors":[{"message","extensions":{"code"}}]}`: the dialect directus, and everything below /users, where a user's own
 * account is whichever dialects are served.
 */
export const directusErrors = {
  name: 'directus',
  render(error: AuthError, path: string) {
    const [status, code, text, challenge] = table[error.code]
    const item = code === 'INVALID_PAYLOAD' ? invalidPayload(error.reason ?? text) : { message: text.replace('«path»', () => path), extensions: { code } }
    return { status, body: { errors: [item] }, ...(challenge === undefined ? {} : { challenge }) }
  },
} satisfies ErrorShape

const invalidPayload = (reason: string) => ({ message: `Invalid payload. ${reason}.`, extensions: { code: 'INVALID_PAYLOAD', reason } })

import { STATUS_CODES } from 'node:http'
import type { AuthErrorCode } from '../src/domain/errors.js'
import type { ErrorShape } from './error-shape.js'

/** Status, sentence for the reader, and what a `WWW-Authenticate` says. */
type Problem = readonly [status: number, detail: string, challenge?: string]

const bearer = 'Bearer'
const invalidToken = 'Bearer error="invalid_token"'
/** RFC 6750 §3.1: a good token that opens something else. */
const insufficientScope = 'Bearer error="insufficient_scope"'

const problems = {
  malformed: [400, 'The request is malformed.'],
  invalid_credentials: [401, 'Invalid credentials.'],
  unknown_user: [401, 'Invalid credentials.'],
  invalid_otp: [401, 'Invalid one-time password.'],
  refresh_missing: [400, 'The refresh token is missing.'],
  refresh_invalid: [401, 'Invalid or expired refresh token.'],
  authentication_required: [401, 'Authentication required.', bearer],
  api_key_invalid: [401, 'Invalid API key.', invalidToken],
  access_token_invalid: [401, 'Invalid token.', invalidToken],
  access_token_expired: [401, 'Token expired.', invalidToken],
  forbidden: [403, 'You are not allowed to do this.'],
  cross_site: [403, 'Cross-site request refused.'],
  misdirected: [421, 'This server is not called that.'],
  not_found: [404, 'There is nothing here.'],
  api_key_not_found: [404, 'API key not found.'],
  conflict: [409, 'This already exists.'],
  method_not_allowed: [405, 'Method not allowed.'],
  content_too_large: [413, 'Request body too large.'],
  unsupported_media_type: [415, 'Unsupported media type.'],
  too_many_requests: [429, 'Too many requests.'],
  internal: [500, 'Internal server error.'],
  unavailable: [503, 'Service unavailable, try again.'],
} as const satisfies Record<AuthErrorCode, Problem>

/** RFC 9457. The answer of every path that no dialect claims. */
export const problemDetails: ErrorShape = {
  name: 'problem-details',
  render(error) {
    const [status, detail, ordinary]: Problem = problems[error.code]
    const challenge = error.oauth === 'insufficient_scope' ? insufficientScope : ordinary
    const body = { type: 'about:blank', title: STATUS_CODES[status], status, detail: error.reason ?? detail }
    return { status, body, contentType: 'application/problem+json', ...(challenge === undefined ? {} : { challenge }) }
  },
}

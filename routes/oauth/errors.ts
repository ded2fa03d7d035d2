import type { ErrorShape } from '../../plugins/error-shape.js'
import type { AuthErrorCode } from '../../src/domain/errors.js'

type Row = readonly [status: number, error: string, description: string]

const table: Readonly<Record<AuthErrorCode, Row>> = {
  malformed: [400, 'invalid_request', 'The request is malformed'],
  invalid_credentials: [401, 'invalid_client', 'Client authentication failed'],
  unknown_user: [401, 'invalid_client', 'Client authentication failed'],
  invalid_otp: [401, 'invalid_client', 'Client authentication failed'],
  refresh_missing: [400, 'invalid_request', 'refresh_token is required'],
  refresh_invalid: [400, 'invalid_grant', 'The refresh token is invalid, expired or revoked'],
  authentication_required: [401, 'invalid_client', 'Authenticate as a client, or with an API key or access token'],
  api_key_invalid: [401, 'invalid_token', 'The API key is invalid'],
  access_token_invalid: [401, 'invalid_token', 'The access token is invalid or revoked'],
  access_token_expired: [401, 'invalid_token', 'The access token has expired'],
  forbidden: [403, 'insufficient_scope', 'The scope for this call is missing'],
  cross_site: [403, 'invalid_request', 'Cross-site request refused'],
  misdirected: [421, 'invalid_request', 'Misdirected request'],
  not_found: [404, 'not_found', 'There is nothing here'],
  api_key_not_found: [404, 'not_found', 'There is no such API key'],
  conflict: [409, 'invalid_request', 'The request conflicts with the present state'],
  method_not_allowed: [405, 'invalid_request', 'Method not allowed'],
  content_too_large: [413, 'invalid_request', 'Request body too large'],
  unsupported_media_type: [415, 'invalid_request', 'Send a form: application/x-www-form-urlencoded'],
  too_many_requests: [429, 'temporarily_unavailable', 'Too many requests'],
  internal: [500, 'server_error', 'Internal server error'],
  unavailable: [503, 'temporarily_unavailable', 'Service unavailable, try again'],
}

/** RFC 6749 §5.2, RFC 6750 §3. */
export const oauthErrors: ErrorShape = {
  name: 'oauth',
  render(error) {
    const [status, defaultError, description] = table[error.code]
    const name = error.oauth ?? defaultError
    const body = { error: name, error_description: quotable(error.reason ?? description) }
    return { status: statusOf(name, status), body, ...(status === 401 || name === 'insufficient_scope' ? { challenge: challengeOf(name) } : {}) }
  },
}

const statusOf = (name: string, status: number): number => (name === 'unauthorized_client' ? 400 : status)

const challengeOf = (name: string): string => (name === 'invalid_client' ? 'Basic realm="tessera", charset="UTF-8"' : `Bearer error="${name}"`)

/** RFC 6749 §5.2: printable ASCII without quote and backslash. */
const quotable = (text: string): string => text.replace(/["\\]/g, "'").replace(/[^\x20-\x7e]/g, '?')

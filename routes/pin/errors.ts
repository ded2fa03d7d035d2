import type { ErrorShape } from '../../plugins/error-shape.js'
import type { AuthError } from '../../src/domain/errors.js'
import type { ErrorTable } from '../dialect.js'

const table = {
  malformed: [400, 'The request is malformed'],
  invalid_credentials: [401, 'Invalid credentials'],
  // The same 401 as a wrong PIN: neither a name nor a second factor is given away.
  unknown_user: [401, 'Invalid credentials'],
  invalid_otp: [401, 'Invalid credentials'],
  refresh_missing: [401, 'Invalid token'],
  refresh_invalid: [401, 'Invalid token'],
  authentication_required: [401, 'Unauthorized API access'],
  api_key_invalid: [401, 'Unauthorized API access'],
  access_token_invalid: [401, 'Unauthorized API access'],
  access_token_expired: [401, 'Unauthorized API access'],
  forbidden: [403, 'Forbidden'],
  cross_site: [403, 'Cross-site request refused'],
  misdirected: [421, 'Misdirected request'],
  not_found: [404, 'Not found'],
  api_key_not_found: [404, 'Not found'],
  conflict: [409, 'Conflict'],
  method_not_allowed: [405, 'Method not allowed'],
  content_too_large: [413, 'Request body too large'],
  unsupported_media_type: [415, 'Unsupported media type'],
  too_many_requests: [429, 'Too many requests'],
  internal: [500, 'Internal server error'],
  unavailable: [503, 'Service unavailable, try again'],
} as const satisfies ErrorTable<readonly [status: number, message: string]>

/** `{"message"}`, dialects.md. Where an error has a reason, it says more than the table. */
export const pinErrors = {
  name: 'pin',
  render(error: AuthError) {
    const [status, message] = table[error.code]
    return { status, body: { message: error.reason ?? message } }
  },
} satisfies ErrorShape

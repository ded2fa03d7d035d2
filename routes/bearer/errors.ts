import type { ErrorShape } from '../../plugins/error-shape.js'
import type { Config } from '../../src/config/index.js'
import type { AuthError } from '../../src/domain/errors.js'
import type { ErrorTable } from '../dialect.js'

type Text = string | ((error: AuthError) => string)
type Row = readonly [status: number, text: Text, challenge?: string]

const reasonOr = (text: string) => ({ reason }: AuthError) => reason ?? text

// RFC 6750 §3: an error code only for who has presented something.
const asked = 'Bearer'
const refused = 'Bearer error="invalid_token"'

const errors = {
  malformed: [400, reasonOr('The request is malformed')],
  invalid_credentials: [401, 'Invalid credentials'],
  unknown_user: [401, 'Invalid credentials'],
  // The same as a wrong password: whether there is a second factor is nobody's business.
  invalid_otp: [401, 'Invalid credentials'],
  refresh_missing: [400, 'refreshToken is required'],
  refresh_invalid: [401, 'Invalid or expired refresh token'],
  authentication_required: [401, 'Authentication required', asked],
  api_key_invalid: [401, 'Authentication required', refused],
  access_token_invalid: [401, 'Authentication required', refused],
  access_token_expired: [401, 'Authentication required', refused],
  forbidden: [403, reasonOr('Forbidden')],
  cross_site: [403, 'Forbidden'],
  misdirected: [421, reasonOr('Misdirected request')],
  not_found: [404, 'Not found'],
  api_key_not_found: [404, 'API key not found'],
  conflict: [409, reasonOr('Conflict')],
  method_not_allowed: [405, 'Method not allowed'],
  content_too_large: [413, 'Request body too large'],
  unsupported_media_type: [415, 'Unsupported media type'],
  too_many_requests: [429, 'Too many requests'],
  internal: [500, 'Internal server error'],
  unavailable: [503, 'Service unavailable, try again'],
} as const satisfies ErrorTable<Row>

/** The source's literal answer, for who would rather tell strangers which usernames exist. */
const disclosing = { ...errors, unknown_user: [401, 'User not found'] } as const satisfies ErrorTable<Row>

export function bearerErrors({ discloseUnknownUser }: Pick<Config, 'discloseUnknownUser'>): ErrorShape {
  const table: ErrorTable<Row> = discloseUnknownUser ? disclosing : errors
  return {
    name: 'bearer',
    render(error) {
      const [status, text, challenge] = table[error.code]
      const body = { error: typeof text === 'string' ? text : text(error) }
      return { status, body, ...(challenge === undefined ? {} : { challenge }) }
    },
  }
}

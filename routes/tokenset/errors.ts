import { STATUS_CODES } from 'node:http'
import type { ErrorShape } from '../../plugins/error-shape.js'
import type { AuthError } from '../../src/domain/errors.js'
import type { ErrorTable } from '../dialect.js'

interface Row {
  readonly status: number
  /** The source's text; absent: the reason phrase of the status. */
  readonly statusMessage?: string
  /** One sentence; null: the body has no such member. */
  readonly error: string | null
  /** Whether the error's own reason says more. */
  readonly tellsReason?: true
  readonly challenge?: string
}

const incorrect = { status: 400, statusMessage: 'Login failed', error: 'Incorrect username or password.' } as const
const badToken = { status: 401, error: 'Authentication required', challenge: 'Bearer error="invalid_token"' } as const

const table = {
  malformed: { status: 400, error: 'The request is malformed', tellsReason: true },
  invalid_credentials: incorrect,
  unknown_user: incorrect,
  invalid_otp: incorrect,
  refresh_missing: { status: 400, statusMessage: 'Missing refresh token', error: null },
  refresh_invalid: { status: 400, statusMessage: 'Failed to refresh token', error: 'Invalid Refresh Token' },
  authentication_required: { status: 401, error: 'Authentication required', challenge: 'Bearer' },
  api_key_invalid: badToken,
  access_token_invalid: badToken,
  access_token_expired: badToken,
  forbidden: { status: 403, error: 'You may not do this', tellsReason: true },
  cross_site: { status: 403, error: 'Cross-site request refused' },
  misdirected: { status: 421, error: 'Misdirected request', tellsReason: true },
  not_found: { status: 404, error: 'Not found' },
  api_key_not_found: { status: 404, error: 'API key not found' },
  conflict: { status: 409, error: 'Conflict', tellsReason: true },
  method_not_allowed: { status: 405, error: 'Method not allowed' },
  content_too_large: { status: 413, error: 'Request body too large' },
  unsupported_media_type: { status: 415, error: 'Unsupported media type' },
  too_many_requests: { status: 429, error: 'Too many requests' },
  internal: { status: 500, error: 'Internal server error' },
  unavailable: { status: 503, error: 'Service unavailable, try again' },
} as const satisfies ErrorTable<Row>

/** At the login, bad input is a login that failed. */
const loginTable = { ...table, malformed: { ...table.malformed, statusMessage: 'Login failed' } } as const satisfies ErrorTable<Row>

const shapeOf = (rows: ErrorTable<Row>): ErrorShape => ({
  name: 'tokenset',
  render(failure) {
    const row = rows[failure.code]
    return { status: row.status, body: bodyOf(row, failure), ...(row.challenge === undefined ? {} : { challenge: row.challenge }) }
  },
})

function bodyOf({ status, statusMessage, error, tellsReason }: Row, { reason }: AuthError) {
  const head = { statusCode: status, statusMessage: statusMessage ?? STATUS_CODES[status] ?? '' }
  return error === null ? head : { ...head, error: tellsReason ? (reason ?? error) : error }
}

export const errors = shapeOf(table)
export const loginErrors = shapeOf(loginTable)

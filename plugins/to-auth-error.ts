import type { FastifySchemaValidationError } from 'fastify'
import { AuthError, malformed, unavailable } from '../src/domain/errors.js'
import { validationReason } from './validation-reason.js'

/**
 * What any error means to a client. What nobody foresaw is `internal`, with the error as its cause.
 * @param error whatever was thrown
 */
export function toAuthError(error: unknown): AuthError {
  if (error instanceof AuthError) return error
  if (typeof error !== 'object' || error === null) return new AuthError('internal', { cause: error })
  if ('validation' in error && isValidation(error.validation)) return malformed(validationReason(error.validation))
  const known = 'code' in error && typeof error.code === 'string' ? frameworkErrors[error.code] : undefined
  if (known !== undefined) return known(error)
  if ('statusCode' in error && error.statusCode === 429) return new AuthError('too_many_requests')
  return new AuthError('internal', { cause: error })
}

const isValidation = (value: unknown): value is FastifySchemaValidationError[] =>
  Array.isArray(value) && value.every((item) => typeof item === 'object' && item !== null && 'keyword' in item && 'instancePath' in item)

/** The refusals of the framework itself. Their own texts repeat what was sent, so none is passed on. */
const frameworkErrors: Readonly<Record<string, (error: object) => AuthError>> = {
  FST_ERR_BAD_URL: () => malformed('The path is not a valid URL'),
  FST_ERR_NOT_FOUND: () => new AuthError('not_found'),
  FST_ERR_MAX_PARAM_LENGTH: () => new AuthError('not_found'),
  FST_STATIC_FORBIDDEN_PATH: () => new AuthError('not_found'),
  FST_ERR_CTP_BODY_TOO_LARGE: () => new AuthError('content_too_large'),
  FST_ERR_CTP_INVALID_MEDIA_TYPE: () => new AuthError('unsupported_media_type'),
  FST_ERR_ROUTE_MISSING_CONTENT_TYPE: () => new AuthError('unsupported_media_type'),
  FST_ERR_CTP_INVALID_CONTENT_LENGTH: () => malformed('The body is not as long as announced'),
  FST_ERR_CTP_EMPTY_JSON_BODY: () => malformed('The body is empty'),
  FST_ERR_CTP_INVALID_JSON_BODY: () => malformed('The body is not valid JSON'),
  FST_ERR_HANDLER_TIMEOUT: (error) => unavailable(error),
}

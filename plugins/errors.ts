import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import fp from 'fastify-plugin'
import type { AuthError, AuthErrorCode } from '../src/domain/errors.js'
import { redacted } from '../src/http/redaction.js'
import { plainJson, shapeByPath, type ErrorShape, type PrefixedShape } from './error-shape.js'
import { problemDetails } from './problem-details.js'
import { pathOf, routedPath } from './request-path.js'
import { toAuthError } from './to-auth-error.js'

declare module 'fastify' {
  interface FastifyInstance {
    /** Answers a request with an error, in the shape that is due. */
    answerError(error: unknown, request: FastifyRequest, reply: FastifyReply): void
  }
  interface FastifyRequest {
    /** Who answers errors from here on; null: whoever answers for the path. */
    errorShape: ErrorShape | null
    /** What this request was refused with; for the log. */
    errorCode: AuthErrorCode | null
  }
}

export interface ErrorsOptions {
  /** `/` need not be among them: it is problem details. */
  readonly shapes: readonly PrefixedShape[]
}

/** The one place where an error becomes an answer. */
function errorsPlugin(app: FastifyInstance, options: ErrorsOptions, done: () => void): void {
  const shapeFor = shapeByPath(options.shapes, problemDetails)

  function answerError(error: unknown, request: FastifyRequest, reply: FastifyReply): void {
    const failure = toAuthError(error)
    // A request that the router refused knows nothing of decorators: the member is missing there.
    const shape = (request.errorShape as ErrorShape | null | undefined) ?? shapeFor(routedPath(request))
    const { status, body, contentType = plainJson, challenge } = shape.render(failure, redacted(pathOf(request.url)))
    request.errorCode = failure.code
    logFailure(request, failure)
    reply.code(status).header('cache-control', 'no-store').type(contentType)
    if (challenge !== undefined) reply.header('www-authenticate', challenge)
    if (status === 429 || status === 503) reply.header('retry-after', String(Math.max(1, Math.ceil(failure.retryAfterSeconds ?? 1))))
    if (status === 405) reply.header('allow', (failure.allow ?? []).join(', '))
    reply.send(JSON.stringify(body))
  }

  app.decorate('answerError', answerError)
  app.decorateRequest('errorShape', null)
  app.decorateRequest('errorCode', null)
  app.setErrorHandler((error, request, reply) => {
    // A refused body makes the framework hang up while the client is still sending, and the answer is lost on the way.
    // Left open, the connection takes in the rest, for as long as a request may take, and drops it. A server that is
    // closing says so in a header of its own.
    if (!reply.raw.hasHeader('connection') && reply.hasHeader('connection')) reply.removeHeader('connection')
    answerError(error, request, reply)
  })
  done()
}

function logFailure({ log }: FastifyRequest, failure: AuthError): void {
  if (failure.code === 'internal') log.error({ err: failure.cause ?? failure }, 'unexpected failure')
  else if (failure.code === 'unavailable') log.warn({ err: failure.cause ?? failure }, 'unavailable')
  else log.debug({ code: failure.code, reason: failure.reason, err: failure.cause }, 'refused')
}

export default fp(errorsPlugin, { name: 'errors' })

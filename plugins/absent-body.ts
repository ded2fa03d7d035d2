import type { FastifyRequest } from 'fastify'

/**
 * preValidation: no body is an empty object, so that the schema says which member is missing, or that none is.
 * A body that says `null` stays one, and is refused.
 */
export function absentBodyIsEmpty(request: FastifyRequest, _reply: unknown, done: () => void): void {
  if (request.body === undefined) request.body = {}
  done()
}

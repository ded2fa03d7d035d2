import { METHODS } from 'node:http'
import type { FastifyInstance } from 'fastify'

/** Node answers it with an event of its own, and never with a request. */
const notRequests: ReadonlySet<string> = new Set(['CONNECT'])
const ordinary: ReadonlySet<string> = new Set(['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'TRACE'])

/**
 * Teaches the framework every method that Node's parser takes: services behind a gateway speak WebDAV too. The bodies of the
 * unusual ones stay unread, and Node drops them after the answer.
 */
export function everyMethod(fastify: FastifyInstance): string[] {
  const methods = METHODS.filter((method) => !notRequests.has(method))
  for (const method of methods) if (!ordinary.has(method)) fastify.addHttpMethod(method, { overrideExisting: true })
  return methods
}

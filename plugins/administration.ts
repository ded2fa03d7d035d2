import type { FastifyInstance, FastifyRequest } from 'fastify'
import fp from 'fastify-plugin'
import type { Administration, Administrator } from '../src/domain/administration.js'
import { AuthError } from '../src/domain/errors.js'
import { principalOf } from './authenticate.js'
import { originOf } from './origin.js'

declare module 'fastify' {
  interface FastifyInstance {
    administration: Administration
    /** preHandler: a user of role `admin`, or an API key of one that has the scope `admin`. */
    readonly authenticateAdministrator: (request: FastifyRequest) => Promise<void>
  }
}

export interface AdministrationOptions {
  administration: Administration
}

/** Who makes a request behind `authenticateAdministrator`, for the audit. */
export function administratorOf(request: FastifyRequest): Administrator {
  const principal = principalOf(request)
  const origin = originOf(request)
  const authority = { holder: principal, scope: 'admin' }
  switch (principal.kind) {
    case 'session':
      return { kind: 'operator', id: `user:${principal.userId}`, userId: principal.userId, origin, authority }
    case 'api_key':
      return { kind: 'operator', id: `api_key:${principal.apiKeyId}`, userId: principal.userId, origin, authority }
    case 'client':
      throw new AuthError('forbidden', { reason: 'log in as a user of role admin, or use an API key with the scope admin' })
  }
}

function administrationPlugin(fastify: FastifyInstance, { administration }: AdministrationOptions, done: () => void): void {
  fastify.decorate('administration', administration)
  const requireAdmin = fastify.requireScope('admin')
  fastify.decorate('authenticateAdministrator', async (request: FastifyRequest) => {
    await requireAdmin(request)
    administratorOf(request)
  })
  done()
}

export default fp(administrationPlugin, { name: 'administration', dependencies: ['authenticate'] })

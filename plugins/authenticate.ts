import type { FastifyInstance, FastifyRequest } from 'fastify'
import fp from 'fastify-plugin'
import { AuthError } from '../src/domain/errors.js'
import type { Principal, SessionPrincipal } from '../src/domain/model.js'
import type { Scope } from '../src/domain/scopes.js'
import { extractCredential } from './token-extraction.js'

declare module 'fastify' {
  interface FastifyInstance {
    /** preHandler: whoever presents a good credential. */
    readonly authenticate: (request: FastifyRequest) => Promise<void>
    /** preHandler: a session that has the ordinary rights of its user; API keys, clients and tokens narrowed to something else are forbidden. */
    readonly authenticateSession: (request: FastifyRequest) => Promise<void>
    /** preHandler: any session, to end it. */
    readonly authenticateForLogout: (request: FastifyRequest) => Promise<void>
    /** preHandler: whoever holds the scope, by whatever credential. */
    requireScope(scope: Scope): (request: FastifyRequest) => Promise<void>
  }
  interface FastifyRequest {
    principal: Principal | null
  }
}

/** The principal of a route behind `authenticate`. */
export function principalOf(request: FastifyRequest): Principal {
  if (request.principal === null) throw new AuthError('authentication_required')
  return request.principal
}

/** The principal of a route behind `authenticateSession`. */
export function sessionOf(request: FastifyRequest): SessionPrincipal {
  const principal = principalOf(request)
  if (principal.kind !== 'session') throw new AuthError('forbidden', { reason: 'log in as a user: an API key or a client may not do this' })
  return principal
}

/** By what the calls of a service are counted. */
export function callerNameOf(principal: Principal): string {
  if (principal.kind === 'client') return `client:${principal.clientId}`
  return principal.kind === 'api_key' ? `api_key:${principal.apiKeyId}` : `user:${principal.userId}`
}

const accountNameOf = (principal: Principal): string => (principal.kind === 'client' ? `client:${principal.clientId}` : `user:${principal.userId}`)

/** Who cannot be authenticated now has not shown a wrong credential. */
export const isUnavailable = (error: unknown): boolean => !(error instanceof AuthError) || error.code === 'unavailable'

function requireHeld({ scopes }: Principal, scope: Scope): void {
  if (!scopes.includes(scope)) throw new AuthError('forbidden', { oauth: 'insufficient_scope', reason: `this takes the scope ${scope}` })
}

function authenticatePlugin(fastify: FastifyInstance, _options: object, done: () => void): void {
  fastify.decorateRequest('principal', null)
  const authenticate = async (request: FastifyRequest): Promise<void> => {
    try {
      request.principal = await fastify.identity.authenticate(extractCredential(request))
    } catch (error) {
      if (!isUnavailable(error)) await fastify.countStranger(request)
      throw error
    }
    const { callers, hashes } = request.routeOptions.config
    if (callers !== undefined) await fastify.countCaller(request, callerNameOf(request.principal))
    if (hashes) await fastify.countAccount(request, accountNameOf(request.principal))
  }
  fastify.decorate('authenticate', authenticate)
  fastify.decorate('authenticateForLogout', async (request: FastifyRequest) => {
    await authenticate(request)
    sessionOf(request)
  })
  fastify.decorate('authenticateSession', async (request: FastifyRequest) => {
    await authenticate(request)
    requireHeld(sessionOf(request), 'profile')
  })
  fastify.decorate('requireScope', (scope: Scope) => async (request: FastifyRequest) => {
    await authenticate(request)
    requireHeld(principalOf(request), scope)
  })
  done()
}

export default fp(authenticatePlugin, { name: 'authenticate', dependencies: ['identity', 'rate-limit'] })

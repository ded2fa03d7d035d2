import type { FastifyInstance, FastifyRequest } from 'fastify'
import fp from 'fastify-plugin'
import type { Grant, GrantRequest } from '../src/domain/grants.js'
import type { DialectName } from '../src/domain/model.js'
import { originOf } from './origin.js'

declare module 'fastify' {
  interface FastifyInstance {
    /**
     * The one way in which a refresh token becomes a grant, for every dialect.
     * @throws AuthError refresh_invalid | malformed (invalid_scope) | unavailable
     */
    rotateRefreshToken(request: FastifyRequest, dialect: DialectName, token: string, asked?: GrantRequest): Promise<Grant>
  }
}

function refreshRotationPlugin(fastify: FastifyInstance, _options: object, done: () => void): void {
  fastify.decorate('rotateRefreshToken', (request: FastifyRequest, dialect: DialectName, token: string, asked: GrantRequest = {}) =>
    fastify.identity.refresh({ dialect: fastify.dialectPolicies[dialect], token, origin: originOf(request), asked }),
  )
  done()
}

export default fp(refreshRotationPlugin, { name: 'refresh-rotation', dependencies: ['identity'] })

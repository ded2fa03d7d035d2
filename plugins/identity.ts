import type { FastifyInstance } from 'fastify'
import fp from 'fastify-plugin'
import type { Config } from '../src/config/index.js'
import type { Identity } from '../src/domain/identity.js'
import type { DialectName } from '../src/domain/model.js'
import type { Clock } from '../src/domain/ports.js'
import type { DialectPolicy } from '../src/domain/service.js'

declare module 'fastify' {
  interface FastifyInstance {
    config: Config
    identity: Identity
    clock: Clock
    dialectPolicies: Readonly<Record<DialectName, DialectPolicy>>
  }
}

export interface IdentityOptions {
  config: Config
  identity: Identity
  clock: Clock
  dialectPolicies: Readonly<Record<DialectName, DialectPolicy>>
}

/** Hands the domain to the routes. */
function identityPlugin(fastify: FastifyInstance, options: IdentityOptions, done: () => void): void {
  fastify.decorate('config', options.config)
  fastify.decorate('identity', options.identity)
  fastify.decorate('clock', options.clock)
  fastify.decorate('dialectPolicies', options.dialectPolicies)
  done()
}

export default fp(identityPlugin, { name: 'identity' })

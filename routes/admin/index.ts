import type { FastifyPluginAsync } from 'fastify'
import { audit } from './audit.js'
import { keys } from './keys.js'
import { sessions } from './sessions.js'
import { users } from './users.js'
import { userSecrets } from './user-secrets.js'

/**
 * For operators: what the command line does, over HTTP. Errors are problem details. Keep it away from the internet: a gateway
 * has no reason to pass it on.
 */
export const adminRoutes: FastifyPluginAsync = async (app) => {
  for (const group of [users, userSecrets, sessions, audit, keys]) await app.register(group)
}

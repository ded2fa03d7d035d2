import type { FastifyInstance, FastifyRequest } from 'fastify'
import fp from 'fastify-plugin'
import { AuthError } from '../src/domain/errors.js'
import { isForeign, type KnownOrigins } from '../src/http/origins.js'
import { readCookie } from './cookie-transport.js'
import { isBelow, routedPath } from './request-path.js'
import { accessTokenCookieName, hasCredentialHeader } from './token-extraction.js'

export interface CrossSiteOptions {
  readonly config: KnownOrigins
}

/** Refuses what a foreign page makes a browser send, where cookies would speak for the user. */
function crossSitePlugin(app: FastifyInstance, { config }: CrossSiteOptions, done: () => void): void {
  app.addHook('onRequest', (request, _reply, next) => {
    next(isGuarded(request) && isForeign(request.headers, config) ? new AuthError('cross_site') : undefined)
  })
  done()
}

const safeMethods: ReadonlySet<string> = new Set(['GET', 'HEAD', 'OPTIONS', 'TRACE'])

/** Login is among them: being logged in as somebody else is an attack too. */
function isGuarded(request: FastifyRequest): boolean {
  // A header with a credential in it is no browser's doing; a query with one may be.
  if (safeMethods.has(request.method) || hasCredentialHeader(request)) return false
  return isBelow('/auth/', routedPath(request)) || readCookie(request, accessTokenCookieName).kind !== 'none'
}

export default fp(crossSitePlugin, { name: 'cross-site', dependencies: ['errors', 'rate-limit'] })

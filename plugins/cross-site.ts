import type { FastifyInstance, FastifyRequest } from 'fastify'
import fp from 'fastify-plugin'
import type { Config } from '../src/config/index.js'
import { AuthError } from '../src/domain/errors.js'
import { readCookie } from './cookie-transport.js'
import { isBelow, routedPath } from './request-path.js'
import { accessTokenCookieName, hasCredentialHeader } from './token-extraction.js'

export interface CrossSiteOptions {
  readonly config: Pick<Config, 'publicUrl' | 'corsOrigins'>
}

/** Refuses what a foreign page makes a browser send, where cookies would speak for the user. */
function crossSitePlugin(app: FastifyInstance, { config }: CrossSiteOptions, done: () => void): void {
  app.addHook('onRequest', (request, _reply, next) => {
    next(isGuarded(request) && isForeign(request, config) ? new AuthError('cross_site') : undefined)
  })
  done()
}

export const safeMethods: ReadonlySet<string> = new Set(['GET', 'HEAD', 'OPTIONS', 'TRACE'])

/** Login is among them: being logged in as somebody else is an attack too. */
function isGuarded(request: FastifyRequest): boolean {
  // A header with a credential in it is no browser's doing; a query with one may be.
  if (safeMethods.has(request.method) || hasCredentialHeader(request)) return false
  return isBelow('/auth/', routedPath(request)) || readCookie(request, accessTokenCookieName).kind !== 'none'
}

/** What a browser says of where a request comes from: `Sec-Fetch-Site` (Fetch Metadata), `Origin` (RFC 6454). */
export function isForeign({ headers }: FastifyRequest, { publicUrl, corsOrigins }: CrossSiteOptions['config']): boolean {
  const { origin } = headers
  const site = headers['sec-fetch-site']
  // The browser has compared, and knows better which names are one place.
  if (site === 'same-origin') return false
  const isListed = origin !== undefined && corsOrigins.includes(origin)
  if (origin !== undefined && origin !== publicUrl.origin && !isListed) return true
  return site !== undefined && site !== 'none' && !isListed
}

export default fp(crossSitePlugin, { name: 'cross-site', dependencies: ['errors', 'rate-limit'] })

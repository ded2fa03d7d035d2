import type { FastifyInstance, FastifyRequest, HTTPMethods } from 'fastify'
import fp from 'fastify-plugin'
import { AuthError } from '../src/domain/errors.js'
import { soughtPath } from './request-path.js'

/** 404, or 405 with `Allow` where the path is known and only the method is not. Register it before the routes. */
function notFoundPlugin(app: FastifyInstance, _options: object, done: () => void): void {
  const methods = new Set<HTTPMethods>()
  app.addHook('onRoute', (route) => {
    for (const method of [route.method].flat()) methods.add(method)
  })

  function refusal(request: FastifyRequest): AuthError {
    const path = soughtPath(request.url)
    // OPTIONS is left out: the preflight route of CORS matches every path.
    const allow = [...methods].filter((method) => method !== 'OPTIONS' && knows(app, method, path))
    // A route that knows the method and finds nothing (a file that is not there) has said what there is to say.
    const isOther = allow.length > 0 && !allow.some((method) => method === request.method)
    return isOther ? new AuthError('method_not_allowed', { allow }) : new AuthError('not_found')
  }

  // At once, before a body is looked at: what is not there has no opinion on media types.
  app.addHook('onRequest', (request, _reply, next) => {
    next(request.is404 ? refusal(request) : undefined)
  })
  app.setNotFoundHandler((request) => {
    throw refusal(request)
  })
  done()
}

/** The router finds by concrete path here, parameters, trailing slash and all. */
function knows(app: FastifyInstance, method: HTTPMethods, url: string): boolean {
  const found: unknown = app.findRoute({ method, url })
  return found !== null
}

export default fp(notFoundPlugin, { name: 'not-found', dependencies: ['errors', 'rate-limit'] })

import type { IncomingMessage } from 'node:http'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import fp from 'fastify-plugin'
import { parseJsonText } from './json-text.js'
import { readBody } from './request-body.js'

declare module 'fastify' {
  interface FastifyContextConfig {
    /** The route has no use for a body, whatever it is: it stays unread. */
    ignoreBody?: boolean
  }
}

/** One parser for every content type: strict JSON in, everything else out with 415. */
function strictJsonPlugin(app: FastifyInstance, _options: object, done: () => void): void {
  app.addHook('onRequest', (request, _reply, next) => {
    // The framework refuses a type that it cannot read even where there is no body. As no type at all it is judged by ours.
    const { headers } = request.raw
    if (headers['content-type'] !== undefined && request.mediaType === undefined) delete headers['content-type']
    next()
  })

  app.removeAllContentTypeParsers()
  app.addContentTypeParser('*', async (request: FastifyRequest, payload: IncomingMessage) => {
    if (request.routeOptions.config.ignoreBody) return undefined
    const bytes = await readBody(request, payload, 'application/json')
    return bytes && parseJsonText(bytes)
  })
  done()
}

export default fp(strictJsonPlugin, { name: 'strict-json', dependencies: ['errors'] })

import type { FastifyInstance } from 'fastify'
import fp from 'fastify-plugin'
import { logAnswer } from '../src/logging.js'
import { clientAddress } from '../src/http/client-address.js'

/** One line for every answer, and its id in the answer. */
function requestLogPlugin(app: FastifyInstance, _options: object, done: () => void): void {
  app.addHook('onRequest', (request, reply, next) => {
    reply.header('x-request-id', request.id)
    next()
  })
  app.addHook('onResponse', (request, reply, next) => {
    logAnswer(request, reply, clientAddress(request))
    next()
  })
  done()
}

export default fp(requestLogPlugin, { name: 'request-log', dependencies: ['errors'] })

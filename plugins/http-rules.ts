import type { FastifyInstance, FastifyRequest } from 'fastify'
import fp from 'fastify-plugin'
import { malformed } from '../src/domain/errors.js'
import { headerValues } from './token-extraction.js'

/**
 * What Node would answer by itself, without an id, a line in the log and a word for the reader: answered like everything else. And
 * what Node lets pass: a second `Host`, about which two servers on the way could disagree.
 */
function httpRulesPlugin(app: FastifyInstance, _options: object, done: () => void): void {
  // An expectation that nobody has heard of may be passed over (RFC 9110 §10.1.1).
  app.server.on('checkExpectation', (request, response) => {
    app.server.emit('request', request, response)
  })
  app.addHook('onRequest', (request, _reply, next) => {
    next(isHostFit(request) ? undefined : malformed('Send one Host header, with the name of this server'))
  })
  done()
}

/** `uri-host [ ":" port ]` (RFC 9112 §3.2), nothing included. */
const hostPattern = /^(\[[0-9a-f:.]+\]|[\w.~!$&'()*+,;=%-]*)(:\d*)?$/i

/** Only HTTP/1.0 may do without. */
function isHostFit(request: FastifyRequest): boolean {
  const [host, ...others] = headerValues(request, 'host')
  if (host === undefined) return request.raw.httpVersion === '1.0'
  return others.length === 0 && hostPattern.test(host)
}

export default fp(httpRulesPlugin, { name: 'http-rules', dependencies: ['errors', 'rate-limit'] })

import type { FastifyInstance, FastifyRequest } from 'fastify'
import fp from 'fastify-plugin'
import { AuthError, malformed } from '../src/domain/errors.js'
import { ownNames, type NamedConfig } from '../src/http/own-names.js'
import { headerValues } from './token-extraction.js'

export interface HttpRulesOptions {
  readonly config: NamedConfig
}

/**
 * What Node would answer by itself, without an id, a line in the log and a word for the reader: answered like everything else. And
 * what Node lets pass: a second `Host`, about which two servers on the way could disagree, and a `Host` that is not ours, where a
 * browser on this machine was led to us by a name of somebody else (DNS rebinding).
 */
function httpRulesPlugin(app: FastifyInstance, { config }: HttpRulesOptions, done: () => void): void {
  const isOwn = ownNames(config, () => app.server.address())
  // An expectation that nobody has heard of may be passed over (RFC 9110 §10.1.1).
  app.server.on('checkExpectation', (request, response) => {
    app.server.emit('request', request, response)
  })
  app.addHook('onRequest', (request, _reply, next) => {
    if (!isHostFit(request)) next(malformed('Send one Host header, with the name of this server'))
    else next(isOwn(request.raw) ? undefined : new AuthError('misdirected', { reason: foreignName }))
  })
  done()
}

const foreignName = 'this server listens on loopback and answers to localhost, to loopback addresses and to the host of PUBLIC_URL only: send one of them as Host, or set PUBLIC_URL or TRUST_PROXY'

/** `uri-host [ ":" port ]` (RFC 9112 §3.2), nothing included. */
const hostPattern = /^(\[[0-9a-f:.]+\]|[\w.~!$&'()*+,;=%-]*)(:\d*)?$/i

/** Only HTTP/1.0 may do without. */
function isHostFit(request: FastifyRequest): boolean {
  const [host, ...others] = headerValues(request, 'host')
  if (host === undefined) return request.raw.httpVersion === '1.0'
  return others.length === 0 && hostPattern.test(host)
}

export default fp(httpRulesPlugin, { name: 'http-rules', dependencies: ['errors', 'rate-limit'] })

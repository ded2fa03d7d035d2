import type { FastifyInstance } from 'fastify'
import fp from 'fastify-plugin'
import type { Config } from '../src/config/index.js'

export interface SecurityHeadersOptions {
  readonly config: Pick<Config, 'publicUrl'>
}

/** A JSON API has nothing that a browser should run, frame, sniff or keep. A route that differs sets its own header. */
export function securityHeaders({ publicUrl }: Pick<Config, 'publicUrl'>): Record<string, string> {
  return {
    'cache-control': 'no-store',
    'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
    'referrer-policy': 'no-referrer',
    'x-content-type-options': 'nosniff',
    'x-frame-options': 'DENY',
    ...(publicUrl.isHttps ? { 'strict-transport-security': 'max-age=31536000' } : {}),
  }
}

function securityHeadersPlugin(app: FastifyInstance, { config }: SecurityHeadersOptions, done: () => void): void {
  const headers = securityHeaders(config)
  app.addHook('onRequest', (_request, reply, next) => {
    reply.headers(headers)
    next()
  })
  done()
}

export default fp(securityHeadersPlugin, { name: 'security-headers' })

import cors from '@fastify/cors'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import fp from 'fastify-plugin'
import type { Config } from '../src/config/index.js'

export interface CorsOptions {
  readonly config: Pick<Config, 'corsOrigins'>
}

/**
 * Lets pages of `CORS_ORIGINS` call us, cookies included. Register it before the rate limit, so that such a page can
 * read a 429 too; what is refused and what is counted is decided there and in cross-site.ts.
 */
async function corsPlugin(app: FastifyInstance, { config }: CorsOptions): Promise<void> {
  if (config.corsOrigins.length === 0) return
  await app.register(cors, {
    delegator(request, decide) {
      const { origin } = request.headers
      const isListed = origin !== undefined && config.corsOrigins.includes(origin)
      // An OPTIONS that is no preflight is a method like others, which no route knows.
      const isFor = request.method !== 'OPTIONS' || isPreflight(request)
      decide(null, { ...answers, origin: isListed && isFor ? origin : false })
    },
  })
}

const answers = {
  credentials: true,
  methods: ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE'],
  allowedHeaders: ['Authorization', 'Content-Type', 'X-API-Key', 'X-Request-Id'],
  exposedHeaders: ['X-Request-Id', 'X-API-Keys-Remaining', 'Retry-After', 'RateLimit-Policy', 'RateLimit', 'RateLimit-Limit', 'RateLimit-Remaining', 'RateLimit-Reset'],
  maxAge: 600,
  // Preflights go on to the rate limit and are answered by the plugin's own route.
  preflightContinue: true,
}

const isPreflight = ({ headers }: FastifyRequest): boolean => headers['access-control-request-method'] !== undefined

export default fp(corsPlugin, { name: 'cors' })

import rateLimit, { type FastifyRateLimitStoreCtor, type RateLimitOptions as LimiterOptions } from '@fastify/rate-limit'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import fp from 'fastify-plugin'
import type { Config } from '../src/config/index.js'
import { AuthError } from '../src/domain/errors.js'
import { networkOf } from '../src/domain/network.js'
import { clientAddress } from './client-address.js'

/** Which of the limits a route falls under; `none` for what must always answer, such as health. */
export type RateClass = 'login' | 'refresh' | 'default' | 'none'

declare module 'fastify' {
  interface FastifyContextConfig {
    /** `default` unless a route says otherwise. */
    rateClass?: RateClass
  }
  interface FastifyInstance {
    /** @throws AuthError too_many_requests */
    countRequest(request: FastifyRequest, reply: FastifyReply): Promise<void>
  }
}

export interface RateLimitOptions {
  readonly config: Pick<Config, 'rateLimits'>
  /** Where requests are counted; in memory unless given. */
  readonly store?: FastifyRateLimitStoreCtor
}

/** Addresses that are remembered at once, in memory. */
const rememberedAddresses = 50_000

/** Counts every request of an address, whatever becomes of it, before anything else is done for it. */
async function rateLimitPlugin(app: FastifyInstance, { config, store }: RateLimitOptions): Promise<void> {
  const countIn = config.rateLimits === null ? null : await createLimiters(app, config.rateLimits, store)

  app.decorate('countRequest', async (request: FastifyRequest, reply: FastifyReply) => {
    const rateClass = request.routeOptions.config.rateClass ?? 'default'
    if (countIn === null || rateClass === 'none') return
    const count = await countIn[rateClass](request)
    if (count.isAllowed) return
    reply.headers({ 'ratelimit-limit': count.max, 'ratelimit-remaining': count.remaining, 'ratelimit-reset': count.ttlInSeconds })
    if (count.isExceeded) throw new AuthError('too_many_requests', { retryAfterSeconds: count.ttlInSeconds })
  })

  if (countIn !== null) app.addHook('onRequest', (request, reply) => app.countRequest(request, reply))
}

type Limits = NonNullable<Config['rateLimits']>
type Limiter = ReturnType<FastifyInstance['createRateLimit']>

async function createLimiters(app: FastifyInstance, limits: Limits, store: FastifyRateLimitStoreCtor | undefined): Promise<Record<keyof Limits, Limiter>> {
  await app.register(rateLimit, { global: false, ...(store === undefined ? {} : { store }) })
  function limiter(name: keyof Limits): Limiter {
    const options: LimiterOptions = {
      max: limits[name].max,
      timeWindow: limits[name].windowMs,
      cache: rememberedAddresses,
      keyGenerator: (request) => `${name} ${networkOf(clientAddress(request))}`,
    }
    return app.createRateLimit(options)
  }
  return { login: limiter('login'), refresh: limiter('refresh'), default: limiter('default') }
}

export default fp(rateLimitPlugin, { name: 'rate-limit', dependencies: ['errors'] })

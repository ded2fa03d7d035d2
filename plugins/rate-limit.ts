import rateLimit, { type FastifyRateLimitStoreCtor, type RateLimitOptions as LimiterOptions } from '@fastify/rate-limit'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import fp from 'fastify-plugin'
import type { Config, Rate } from '../src/config/index.js'
import { AuthError } from '../src/domain/errors.js'
import { networkOf } from '../src/domain/network.js'
import { clientAddress } from '../src/http/client-address.js'

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

/**
 * Counts every request of an address, whatever becomes of it, before anything else is done for it, and says what is left: in the
 * two fields of draft-ietf-httpapi-ratelimit-headers, and in the three of its first versions, which many clients read.
 */
async function rateLimitPlugin(app: FastifyInstance, { config, store }: RateLimitOptions): Promise<void> {
  const { rateLimits } = config
  const countIn = rateLimits === null ? null : await createLimiters(app, rateLimits, store)
  const policies = rateLimits === null ? null : policiesOf(rateLimits)

  app.decorate('countRequest', async (request: FastifyRequest, reply: FastifyReply) => {
    const rateClass = request.routeOptions.config.rateClass ?? 'default'
    if (countIn === null || policies === null || rateClass === 'none') return
    const count = await countIn[rateClass](request)
    if (count.isAllowed) return
    const { max, remaining, ttlInSeconds } = count
    reply.headers({
      'ratelimit-policy': policies[rateClass],
      ratelimit: `"${rateClass}";r=${remaining};t=${ttlInSeconds}`,
      'ratelimit-limit': max,
      'ratelimit-remaining': remaining,
      'ratelimit-reset': ttlInSeconds,
    })
    if (count.isExceeded) throw new AuthError('too_many_requests', { retryAfterSeconds: ttlInSeconds })
  })

  if (countIn !== null) app.addHook('onRequest', (request, reply) => app.countRequest(request, reply))
}

type Limits = NonNullable<Config['rateLimits']>

/** `RateLimit-Policy` of draft-ietf-httpapi-ratelimit-headers: so many (`q`) in so many seconds (`w`), by the name that `RateLimit` refers to. */
function policiesOf({ login, refresh, default: others }: Limits): Readonly<Record<keyof Limits, string>> {
  const policy = (name: string, { max, windowMs }: Rate): string => `"${name}";q=${max};w=${windowMs / 1000}`
  return { login: policy('login', login), refresh: policy('refresh', refresh), default: policy('default', others) }
}

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

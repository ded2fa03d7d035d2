import rateLimit, { type FastifyRateLimitStoreCtor, type RateLimitOptions as LimiterOptions } from '@fastify/rate-limit'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import fp from 'fastify-plugin'
import type { Config, Rate } from '../src/config/index.js'
import { AuthError } from '../src/domain/errors.js'
import { networkOf } from '../src/domain/network.js'
import { clientAddress } from '../src/http/client-address.js'
import { createKnownCallers, hasCredential } from '../src/http/known-callers.js'

/** The limits that a request can fall under. Each has a setting of its own, and no request falls under none. */
export const rateClasses = ['login', 'refresh', 'client', 'feed', 'health', 'default'] as const
export type RateClass = (typeof rateClasses)[number]

declare module 'fastify' {
  interface FastifyContextConfig {
    /** Unless a route says so, `login` for one that hashes, and `default` for the others. */
    rateClass?: RateClass
    /** The route computes a hash of a password or PIN: it is counted with the logins, by address and by account. */
    hashes?: true
    /** Services call here: who is authenticated is counted in this class, whatever address the call comes from. */
    callers?: 'client' | 'feed'
  }
  interface FastifyRequest {
    /** What the limiter counts at the moment. */
    rateKey: string
    /** In which class it was counted last. */
    rateClass: RateClass | null
  }
  interface FastifyInstance {
    /** Before anything else is done for a request. @throws AuthError too_many_requests */
    countRequest(request: FastifyRequest, reply: FastifyReply): Promise<void>
    /** On a route that hashes: who asks was authenticated. @throws AuthError too_many_requests */
    countAccount(request: FastifyRequest, account: string): Promise<void>
    /** On a route for services: who calls was authenticated. @throws AuthError too_many_requests */
    countCaller(request: FastifyRequest, caller: string): Promise<void>
    /** On a route for services: who calls was not authenticated. @throws AuthError too_many_requests */
    countStranger(request: FastifyRequest): Promise<void>
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
 * Counts every request, whatever becomes of it, before anything else is done for it, and says what is left: in the
 * two fields of draft-ietf-httpapi-ratelimit-headers, and in the three of its first versions, which many clients read.
 */
async function rateLimitPlugin(app: FastifyInstance, { config, store }: RateLimitOptions): Promise<void> {
  const { rateLimits } = config
  const limiters = rateLimits === null ? null : await createLimiters(app, rateLimits, store)
  const knownCallers = createKnownCallers(() => performance.now())
  app.decorateRequest('rateKey', '')
  app.decorateRequest('rateClass', null)

  async function count(request: FastifyRequest, rateClass: RateClass, key: string, reply?: FastifyReply): Promise<void> {
    if (limiters === null) return
    const { limit, policy } = limiters[rateClass]
    request.rateClass = rateClass
    request.rateKey = `${rateClass} ${key}`
    const counted = await limit(request)
    if (counted.isAllowed) return
    const { max, remaining, ttlInSeconds } = counted
    reply?.headers({
      'ratelimit-policy': policy,
      ratelimit: `"${rateClass}";r=${remaining};t=${ttlInSeconds}`,
      'ratelimit-limit': max,
      'ratelimit-remaining': remaining,
      'ratelimit-reset': ttlInSeconds,
    })
    if (counted.isExceeded) throw new AuthError('too_many_requests', { retryAfterSeconds: ttlInSeconds })
  }

  /** Who is counted, and in which class. A client whose credential is in the body is authenticated before more is known of it. */
  function subjectOf(request: FastifyRequest): readonly [rateClass: RateClass, key: string] {
    const { callers } = request.routeOptions.config
    const caller = callers === undefined ? null : knownCallers.callerOf(request.headers)
    if (callers !== undefined && caller !== null) return [callers, caller]
    return [callers === undefined || hasCredential(request.headers) ? rateClassOf(request) : callers, addressOf(request)]
  }

  app.decorate('countRequest', (request: FastifyRequest, reply: FastifyReply) => {
    const [rateClass, key] = subjectOf(request)
    return count(request, rateClass, key, reply)
  })
  app.decorate('countAccount', async (request: FastifyRequest, account: string) => {
    if (request.routeOptions.config.hashes) await count(request, 'login', account)
  })
  app.decorate('countCaller', async (request: FastifyRequest, caller: string) => {
    const { callers } = request.routeOptions.config
    if (callers === undefined) return
    // With a credential in the header the request was counted already.
    if (hasCredential(request.headers)) knownCallers.remember(request.headers, caller)
    else await count(request, callers, caller)
  })
  app.decorate('countStranger', async (request: FastifyRequest) => {
    if (request.routeOptions.config.callers === undefined) return
    if (hasCredential(request.headers)) knownCallers.forget(request.headers)
    else await count(request, rateClassOf(request), addressOf(request))
  })

  if (limiters !== null) app.addHook('onRequest', (request, reply) => app.countRequest(request, reply))
}

/** The class in which a request is counted by its address. */
function rateClassOf({ routeOptions: { config } }: FastifyRequest): RateClass {
  return config.rateClass ?? (config.hashes ? 'login' : 'default')
}

const addressOf = (request: FastifyRequest): string => networkOf(clientAddress(request))

interface Limiter {
  readonly limit: ReturnType<FastifyInstance['createRateLimit']>
  /** `RateLimit-Policy` of draft-ietf-httpapi-ratelimit-headers: so many (`q`) in so many seconds (`w`), by the name that `RateLimit` refers to. */
  readonly policy: string
}

async function createLimiters(app: FastifyInstance, limits: Readonly<Record<RateClass, Rate>>, store: FastifyRateLimitStoreCtor | undefined): Promise<Record<RateClass, Limiter>> {
  await app.register(rateLimit, { global: false, ...(store === undefined ? {} : { store }) })
  function limiter(name: RateClass): Limiter {
    const { max, windowMs } = limits[name]
    const options: LimiterOptions = { max, timeWindow: windowMs, cache: rememberedAddresses, keyGenerator: ({ rateKey }) => rateKey }
    return { limit: app.createRateLimit(options), policy: `"${name}";q=${max};w=${windowMs / 1000}` }
  }
  return { login: limiter('login'), refresh: limiter('refresh'), client: limiter('client'), feed: limiter('feed'), health: limiter('health'), default: limiter('default') }
}

export default fp(rateLimitPlugin, { name: 'rate-limit', dependencies: ['errors'] })

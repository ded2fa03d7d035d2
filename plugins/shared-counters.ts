import type { FastifyRateLimitStore, FastifyRateLimitStoreCtor } from '@fastify/rate-limit'
import type { Redis } from 'ioredis'

export interface SharedCountersOptions {
  readonly redis: Redis
  /** Told once when counting goes on in memory, and once when it is shared again. */
  readonly log: (message: string, error?: unknown) => void
  /** Milliseconds, monotonic. */
  readonly now?: () => number
}

interface Count {
  readonly current: number
  /** Until the window ends. Milliseconds. */
  readonly ttl: number
}

/** One round trip, one decision; a counter without an end would lock an address out for good. */
const increment = `
  local current = redis.call('INCR', KEYS[1])
  local ttl = redis.call('PTTL', KEYS[1])
  if ttl < 0 then
    redis.call('PEXPIRE', KEYS[1], ARGV[1])
    ttl = tonumber(ARGV[1])
  end
  return {current, ttl}`

const keyPrefix = 'tessera:rate:'
const pauseAfterFailureMs = 1000
const countersInMemory = 50_000

/**
 * Counts in Redis, so that all nodes share a limit, and in memory while Redis does not answer: a limit is never switched off,
 * and no request waits for a Redis that has gone. (`skipOnError` of the plugin would let everybody through.)
 */
export function createSharedCounters({ redis, log, now = () => performance.now() }: SharedCountersOptions): FastifyRateLimitStoreCtor {
  const memory = createMemoryCounters(now)
  let sharedAgainAt = 0

  async function count(key: string, windowMs: number): Promise<Count> {
    if (now() < sharedAgainAt) return memory(key, windowMs)
    try {
      const shared = readCount(await redis.eval(increment, 1, keyPrefix + key, windowMs))
      if (sharedAgainAt > 0) log('rate limits are shared again')
      sharedAgainAt = 0
      return shared
    } catch (error) {
      if (sharedAgainAt === 0) log('Redis does not answer: rate limits are counted in memory', error)
      sharedAgainAt = now() + pauseAfterFailureMs
      return memory(key, windowMs)
    }
  }

  return class SharedCounters implements FastifyRateLimitStore {
    incr(key: string, callback: (error: Error | null, result?: Count) => void, windowMs: number): void {
      void count(key, windowMs).then((result) => {
        callback(null, result)
      })
    }

    child(): FastifyRateLimitStore {
      return this
    }
  }
}

function readCount(reply: unknown): Count {
  const [current, ttl] = Array.isArray(reply) ? (reply as unknown[]) : []
  if (typeof current !== 'number' || typeof ttl !== 'number') throw new Error('Redis answered something else than a count')
  return { current, ttl }
}

/** Fixed windows; the oldest counters make room for new ones. */
function createMemoryCounters(now: () => number) {
  const counters = new Map<string, { current: number; endsAt: number }>()
  return (key: string, windowMs: number): Count => {
    const known = counters.get(key)
    const counter = known && known.endsAt > now() ? known : { current: 0, endsAt: now() + windowMs }
    counter.current += 1
    counters.delete(key)
    counters.set(key, counter)
    const [oldest] = counters.size > countersInMemory ? counters.keys() : []
    if (oldest !== undefined) counters.delete(oldest)
    return { current: counter.current, ttl: Math.ceil(counter.endsAt - now()) }
  }
}

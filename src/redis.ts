import { Redis } from 'ioredis'

const answerWithinMs = 100
const connectWithinMs = 1000
const longestPauseMs = 1000

/** A connection that never makes anybody wait: what cannot be sent now fails now, and it reconnects by itself. */
export function connectRedis(url: string): Redis {
  const redis = new Redis(url, {
    commandTimeout: answerWithinMs,
    connectTimeout: connectWithinMs,
    enableOfflineQueue: false,
    maxRetriesPerRequest: 0,
    retryStrategy: (attempts) => Math.min(attempts * 50, longestPauseMs),
  })
  // Each command reports its own failure; without a listener the connection's would be printed.
  redis.on('error', () => undefined)
  return redis
}

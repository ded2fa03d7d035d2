import type { FastifyInstance } from 'fastify'
import fp from 'fastify-plugin'
import type { RevocationList } from '../src/domain/revocation-list.js'
import type { RevocationLog } from '../src/domain/revocation-log.js'
import type { Clock } from '../src/domain/ports.js'
import type { RevocationFeed } from '../src/repository/index.js'

declare module 'fastify' {
  interface FastifyInstance {
    revocationFeed: Pick<RevocationFeed, 'isFresh' | 'lagMs'>
    revocationLog: RevocationLog
  }
}

export interface RevocationsOptions {
  feed: RevocationFeed
  list: RevocationList
  log: RevocationLog
  clock: Clock
}

const pruneEveryMs = 30_000

/** Loads the live revocations before the node is ready, follows the feed, and forgets what is over. */
async function revocationsPlugin(fastify: FastifyInstance, { feed, list, log, clock }: RevocationsOptions): Promise<void> {
  await feed.start()
  const timer = setInterval(() => {
    list.prune(clock.now())
    log.prune(clock.now())
  }, pruneEveryMs)
  timer.unref()
  fastify.decorate('revocationFeed', feed)
  fastify.decorate('revocationLog', log)
  // Whoever waits for news would hold up the stop.
  fastify.addHook('preClose', (done) => {
    log.close()
    done()
  })
  fastify.addHook('onClose', async () => {
    clearInterval(timer)
    await feed.stop()
  })
}

export default fp(revocationsPlugin, { name: 'revocations' })

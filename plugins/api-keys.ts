import type { FastifyInstance } from 'fastify'
import fp from 'fastify-plugin'
import type { ApiKeyVerifier } from '../src/domain/api-keys.js'
import type { ApiKeys } from '../src/domain/ports.js'

export interface ApiKeysOptions {
  verifier: ApiKeyVerifier
  repository: ApiKeys
}

const flushEveryMs = 20_000

/** Writes when keys were last used: in batches, off the path of the requests, and once more when the service stops. */
function apiKeysPlugin(fastify: FastifyInstance, { verifier, repository }: ApiKeysOptions, done: () => void): void {
  async function flush(): Promise<void> {
    const lastUsed = verifier.takeLastUsed()
    if (lastUsed.size === 0) return
    try {
      await repository.touch(lastUsed)
    } catch (error) {
      fastify.log.warn({ err: error, keys: lastUsed.size }, 'the last use of API keys could not be written')
    }
  }
  const timer = setInterval(() => void flush(), flushEveryMs)
  timer.unref()
  fastify.addHook('onClose', async () => {
    clearInterval(timer)
    await flush()
  })
  done()
}

export default fp(apiKeysPlugin, { name: 'api-keys' })

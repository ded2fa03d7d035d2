import type { FastifyInstance } from 'fastify'
import fp from 'fastify-plugin'
import type { SigningKeys } from '../src/domain/signing-keys.js'

declare module 'fastify' {
  interface FastifyInstance {
    signingKeys: SigningKeys
  }
}

export interface SigningKeysOptions {
  readonly signingKeys: SigningKeys
  /** null: by hand only. */
  readonly rotationDays: number | null
}

const everyMs = 3_600_000
const secondsPerDay = 86_400

/** Hands the signing keys to the routes; once an hour, replaces the newest when its days are over and withdraws what is done with. */
function signingKeysPlugin(app: FastifyInstance, { signingKeys, rotationDays }: SigningKeysOptions, done: () => void): void {
  let running = Promise.resolve()

  async function maintain(): Promise<void> {
    try {
      const { created, retired } = await signingKeys.maintain({ newestMaySignSeconds: rotationDays === null ? null : rotationDays * secondsPerDay })
      if (created !== null) app.log.info({ kid: created }, 'a new signing key is published')
      if (retired.length > 0) app.log.info({ kids: retired }, 'signing keys are withdrawn')
    } catch (error) {
      app.log.warn({ err: error }, 'the signing keys could not be looked after; in an hour again')
    }
  }

  const timer = setInterval(() => {
    running = running.then(maintain)
  }, everyMs)
  timer.unref()
  app.decorate('signingKeys', signingKeys)
  // A service that is restarted every half hour rotates too.
  app.addHook('onReady', maintain)
  app.addHook('onClose', async () => {
    clearInterval(timer)
    await running
  })
  done()
}

export default fp(signingKeysPlugin, { name: 'signing-keys' })

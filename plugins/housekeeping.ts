import type { FastifyInstance } from 'fastify'
import fp from 'fastify-plugin'

export interface HousekeepingOptions {
  /** What is done once a minute, by name. A chore that fails is logged, and done again in a minute. */
  chores: Readonly<Record<string, () => Promise<unknown>>>
}

export const choreSeconds = 60

/** Background work, off the path of the requests. */
function housekeepingPlugin(fastify: FastifyInstance, { chores }: HousekeepingOptions, done: () => void): void {
  let running = Promise.resolve()

  async function doChores(): Promise<void> {
    for (const [name, chore] of Object.entries(chores)) {
      await chore().catch((error: unknown) => {
        fastify.log.warn({ err: error, chore: name }, 'a background chore failed')
      })
    }
  }

  const timer = setInterval(() => {
    running = running.then(doChores)
  }, choreSeconds * 1000)
  timer.unref()
  fastify.addHook('onClose', async () => {
    clearInterval(timer)
    await running
  })
  done()
}

export default fp(housekeepingPlugin, { name: 'housekeeping' })

import { agreedValues, differences, shown } from './config/fleet.js'
import type { Config } from './config/index.js'
import type { Repository } from './domain/ports.js'

/**
 * The node that starts last decides: its values are what the command line works by from now on. A change is rolled out by
 * restarting one node after the other; the first of them says what is different.
 */
export async function joinFleet({ fleet }: Pick<Repository, 'fleet'>, config: Config, warn: (message: string) => void): Promise<void> {
  const different = differences(config, await fleet.settings())
  if (different.length > 0) {
    const changes = different.map(({ name, here, fleet: before }) => `${name} is ${shown(here)} here and was ${shown(before)}`)
    warn(`this node starts with other settings than its fleet, which takes them over: ${changes.join('; ')}. Restart the other nodes with them, or this one with those of before`)
  }
  await fleet.adopt(agreedValues(config))
}
